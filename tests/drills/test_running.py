from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from switchgear.drills import scenarios
from switchgear.drills.catalogue import SCENARIOS, Scenario
from switchgear.drills.ground import Ground, NotRunError
from switchgear.drills.running import run
from switchgear.drills.verdict import Check, Result
from switchgear.testing import ManualClock

GOOD = Check(what="figures", measured=1, bound="exactly", wanted=1)
BAD = Check(what="figures", measured=2, bound="exactly", wanted=1)


class Played(Scenario, frozen=True, kw_only=True):
    checks: tuple[Check, ...] = ()
    ends_with: type[Exception] | None = None

    def run(self, ground: Ground) -> Iterator[Check]:
        ground.say(f"in {ground.folder}")
        ground.clock.sleep(1.5)
        yield from self.checks
        if self.ends_with is not None:
            msg = "because it rains"
            raise self.ends_with(msg)


def play(*checks: Check, ends_with: type[Exception] | None = None, said: list[str] | None = None) -> Result:
    """Return what a scenario comes to that yields *checks* and raises *ends_with*."""
    scenario = Played(name="played", title="A play", promise="-", checks=checks, ends_with=ends_with)
    return run(scenario, clock=ManualClock(), quick=True, say=(said if said is not None else list[str]()).append)


def test_all_checks_within_their_thresholds_are_a_pass() -> None:
    """It passes, says how long it took by the clock it was given, and keeps its checks."""
    result = play(GOOD, GOOD)

    assert (result.status, result.seconds, result.checks) == ("passed", 1.5, (GOOD, GOOD))


def test_one_figure_beyond_its_threshold_fails_the_scenario() -> None:
    """The good ones do not make up for it."""
    assert play(GOOD, BAD, GOOD).status == "failed"


def test_a_scenario_without_a_check_has_not_passed() -> None:
    """Nothing was shown, so nothing is shown as passed."""
    assert play().status == "failed"


def test_a_scenario_that_breaks_off_has_failed_with_its_reason() -> None:
    """What it measured before is kept, and what broke it is said."""
    result = play(GOOD, ends_with=ZeroDivisionError)

    assert (result.status, result.checks) == ("failed", (GOOD,))
    assert result.reason == "ZeroDivisionError: because it rains"


def test_a_scenario_that_lacks_something_is_not_run_and_shows_no_figures() -> None:
    """It is neither passed nor failed, and what it lacks is said."""
    result = play(GOOD, ends_with=NotRunError)

    assert (result.status, result.reason, result.checks) == ("not_run", "because it rains", ())


def test_the_folder_of_a_scenario_goes_with_it() -> None:
    """Each works in a folder of its own, of which nothing is left."""
    said: list[str] = []
    play(GOOD, said=said)
    play(GOOD, said=said)

    first, second = (Path(text.removeprefix("in ")) for text in said)
    assert first != second
    assert not first.exists()
    assert not second.exists()


def test_the_catalogue_and_the_scenarios_are_the_same() -> None:
    """Every scenario has its module with a `run`, and no module is forgotten in the catalogue."""
    modules = {module.name for module in pkgutil.iter_modules(scenarios.__path__)}

    assert set(SCENARIOS) == modules
    assert all(callable(import_module(f"{scenarios.__name__}.{name}").run) for name in SCENARIOS)
    assert all(name == scenario.name and scenario.promise for name, scenario in SCENARIOS.items())
