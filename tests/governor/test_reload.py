"""Another configuration while calls are in flight: what survives, what changes, what is refused."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

import switchgear as sg
from switchgear.calls import Call, Outcome, Usage, new_call_id
from switchgear.clients.governor import Governor
from switchgear.config import Config
from switchgear.config.load import Sourced, load_sourced
from switchgear.governor.gate import Admitted
from switchgear.governor.reload import Reloader
from switchgear.testing import ManualClock

BASE = """
[services.llm]
kind = "openai"
base_url = "http://127.0.0.1:9"
max_wait = "0s"
limits = { requests_per_minute = 3 }
breaker = { failure_threshold = 2, recovery_timeout = "30s" }
prices = { "m" = { request = "0.25" } }

[[budgets]]
name = "all"
limit_usd = "1"
"""
OTHER = """
[services.other]
kind = "openai"
base_url = "http://127.0.0.1:9"
max_wait = "0s"
limits = { requests_per_minute = 2 }
prices = { "m" = { request = "0.25" } }
"""
OK = Outcome(status="ok", verdict="success", usage=Usage(input_tokens=1, units=(("request", 1),)))


class House:
    """A governor whose file can be written anew."""

    def __init__(self, folder: Path, clock: ManualClock) -> None:
        self.path = folder / "switchgear.toml"
        self.ledger = f'[ledger]\nurl = "sqlite:///{folder}/ledger.db"\n'
        self.clock = clock
        self.environ: dict[str, str] = {}
        self.told: list[Config] = []
        self.write(BASE)
        self.gov = Governor(self.read().config, clock=clock)
        self.reloader = Reloader(self.gov, self.read(), read=self.read, environ=self.environ, then=self.told.append)

    def write(self, text: str) -> None:
        self.path.write_text(self.ledger + text, encoding="utf-8")

    def read(self) -> Sourced:
        return load_sourced(self.path, environ=self.environ)

    def reload(self, text: str) -> Mapping[str, tuple[object, object]]:
        """Write *text* and have it read; return what has changed."""
        self.write(text)
        change = self.reloader.reload("test")
        return {} if change is None else {key: (old, new) for key, old, new in change.changes}

    def admit(self, service: str = "llm", job: str | None = None) -> Admitted:
        with sg.attribution(job=job):
            call = Call(
                id=new_call_id(self.clock.moment().wall),
                service=service,
                endpoint="/v1/x",
                model="m",
                attribution=sg.context.current(),
                bound=Usage(units=(("request", 1),)),
            )
        return self.gov.admit(call)

    def go(self, service: str = "llm", job: str | None = None) -> None:
        self.gov.settle(self.admit(service, job), OK)

    def money(self, budget: str = "all") -> tuple[int, int]:
        """Return what *budget* has spent and holds, in cents."""
        view = next(one for one in self.gov.state.budgets(self.clock.moment()) if one.budget == budget)
        return view.spent // 10_000_000, view.reserved // 10_000_000

    def used(self, service: str = "llm") -> dict[str, int]:
        return {one.rule: one.used for one in self.gov.state.limits(self.clock.moment()) if one.service == service}


@pytest.fixture
def house(tmp_path: Path, clock: ManualClock) -> Iterator[House]:
    """A governor that is closed at the end."""
    one = House(tmp_path, clock)
    yield one
    one.gov.close()


def test_what_is_counted_stays_counted_and_a_higher_limit_holds_at_once(house: House) -> None:
    """Window, budget and a call in flight survive; the next admission is held to the new limits."""
    for _ in range(2):
        house.go()
    flying = house.admit()
    with pytest.raises(sg.RateLimited):
        house.admit()

    changes = house.reload(BASE.replace("requests_per_minute = 3", "requests_per_minute = 4").replace('"1"', '"2"'))

    assert changes == {"budgets.all.limit_usd": ("1", "2"), "services.llm.limits.requests_per_minute": (3, 4)}
    assert (house.used(), house.money()) == ({"requests_per_minute": 3}, (50, 25))
    house.go()
    with pytest.raises(sg.RateLimited, match="4"):
        house.admit()
    house.gov.settle(flying, OK)
    assert house.money() == (100, 0)


def test_a_new_budget_begins_with_what_the_ledger_remembers(house: House) -> None:
    """A budget that appears counts what was spent before it, for each value, and holds at the next admission."""
    house.go(job="a")
    house.go(job="b")

    house.reload(BASE + '[[budgets]]\nname = "each-job"\neach = "job"\nlimit_usd = "0.30"\n')

    with pytest.raises(sg.BudgetExceeded) as refused:
        house.admit(job="a")
    assert (refused.value.budget, house.money("each-job")) == ("each-job", (25, 0))


def test_a_new_limit_begins_with_what_the_ledger_remembers(house: House) -> None:
    """A limit per day that appears counts the calls of the last day; the one per minute goes on."""
    house.go()
    house.clock.advance(3600)
    house.go()

    house.reload(BASE.replace("requests_per_minute = 3", "requests_per_minute = 3, requests_per_day = 2"))

    assert house.used() == {"requests_per_day": 2, "requests_per_minute": 1}
    with pytest.raises(sg.RateLimited):
        house.admit()


def test_services_come_and_go_and_calls_in_flight_settle(house: House) -> None:
    """A new service is reachable, one taken out is not; its call in flight settles at the price of its admission."""
    house.reload(BASE + OTHER)
    flying = house.admit("other")

    house.reload(BASE)

    with pytest.raises(sg.ConfigError, match="no service 'other'"):
        house.admit("other")
    assert [one.service for one in house.gov.state.breakers(house.clock.moment())] == ["llm"]
    assert house.gov.settle(flying, OK).cost == 250_000_000
    assert house.money() == (25, 0)
    house.reload(BASE + OTHER)
    assert house.used("other") == {"requests_per_minute": 1}


def test_a_call_settles_in_a_budget_that_is_configured_no_more(house: House) -> None:
    """What it held is released where it was held, and the ledger has it."""
    flying = house.admit()

    house.reload(BASE.partition("[[budgets]]")[0])

    assert house.gov.settle(flying, OK).cost == 250_000_000
    assert house.gov.state.budgets(house.clock.moment()) == ()


def test_an_open_circuit_stays_open_under_other_rules(house: House) -> None:
    """A reload is no recovery: the circuit is open until its time has come."""
    failed = Outcome(status="failed", verdict="failure", usage=Usage())
    for _ in range(2):
        house.gov.settle(house.admit(), failed)

    house.reload(BASE.replace('recovery_timeout = "30s"', 'recovery_timeout = "60s"'))

    with pytest.raises(sg.BreakerOpen):
        house.admit()
    house.clock.advance(31)
    house.go()


def test_a_limit_that_somebody_has_set_outlives_a_reload_until_the_configured_one_changes(house: House) -> None:
    """The configured limit is the same: the one set at run time stands. It is another: that one holds."""
    house.gov.set_budget("all", limit_usd="0.30", by="me")
    house.go()
    house.reload(BASE.replace("max_wait", "critical = true\nmax_wait"))
    with pytest.raises(sg.BudgetExceeded):
        house.admit()

    house.reload(BASE.replace('limit_usd = "1"', 'limit_usd = "0.60"'))

    house.go()


def test_lowering_a_limit_below_a_threshold_is_told_once(house: House) -> None:
    """The crossing is in the ledger, as if it had been spent; doing it again tells nothing."""
    house.go()
    lower = BASE.replace('limit_usd = "1"', 'limit_usd = "0.30"')
    house.reload(lower)
    house.reload(lower)
    house.gov.ledger.close()

    with sg.ledger.Ledger.open(house.gov.config.ledger.url, clock=house.clock, writable=False) as ledger:
        crossed = [event.what["threshold"] for event in ledger.reader.events(kind="budget_crossed")]
        changed = [one for one in ledger.reader.events(kind="config_changed") if one.what["changes"]]
    assert crossed == [0.75]
    assert len(changed) == 1
    assert changed[0].what["actor"] == "test"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BASE.replace("limits", "limts"), r"switchgear.toml:8: services.llm.limts: unknown key; did you mean"),
        ("[server]\nport = 9\n" + BASE, r"switchgear.toml:4: server.port: can't change while Switchgear runs"),
        ('[state]\nurl = "redis://127.0.0.1:1"\n' + BASE, r"state.url: can't change while Switchgear runs"),
        (BASE.replace("[services.llm]", '[services.llm]\napi_key_file = "gone"'), "services.llm.api_key_file"),
    ],
)
def test_what_is_wrong_changes_nothing_and_is_told_once(
    house: House, text: str, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One line of log with file, line and key; the old configuration holds; putting it right makes all well."""
    before = house.gov.config
    with caplog.at_level(logging.ERROR), pytest.raises(sg.ConfigError, match=problem):
        house.reload(text)

    assert house.gov.config is before
    assert [record.name for record in caplog.records] == ["switchgear.config"]
    assert problem.replace("\\", "").split(":")[-1].strip()[:20] in str(house.reloader.problem)
    assert house.told == []
    assert house.reload(BASE) == {}
    assert house.reloader.problem is None


def test_a_key_that_was_exchanged_is_used_although_no_setting_changed(house: House, tmp_path: Path) -> None:
    """A file of a provider's key is read again, and the audit trail never has it."""
    key = tmp_path / "key"
    key.write_text("sk-one", encoding="utf-8")
    named = BASE.replace("[services.llm]", f'[services.llm]\napi_key_file = "{key}"')
    house.reload(named)
    key.write_text("sk-two", encoding="utf-8")

    assert house.reload(named) == {}
    assert house.gov.key_of("llm") == "sk-two"


def test_a_password_in_an_address_is_told_nowhere(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """Not in what has changed, and not in the log; that it has changed is told."""
    with caplog.at_level(logging.INFO):
        changes = house.reload(BASE.replace("http://127.0.0.1:9", "http://me:hidden@127.0.0.1:9"))
        again = house.reload(BASE.replace("http://127.0.0.1:9", "http://me:other@127.0.0.1:9"))

    assert changes == {"services.llm.base_url": ("http://127.0.0.1:9", "http://me:***@127.0.0.1:9")}
    assert list(again) == ["services.llm.base_url"]
    assert "hidden" not in caplog.text


def test_a_service_taken_out_while_a_call_waits_lets_it_go(
    open_governor: Callable[[], Governor], house: House, clock: ManualClock
) -> None:
    """Who is planned already is asked for under the rules of its plan."""
    house.reload(BASE.replace('max_wait = "0s"', 'max_wait = "2m"'))
    for _ in range(3):
        house.go()
    asked: list[int] = []
    sleep = clock.sleep

    def reload_then_sleep(seconds: float, wake: object = None) -> None:
        if not asked:
            asked.append(1)
            house.reload(OTHER)
        sleep(seconds)

    clock.sleep = reload_then_sleep  # type: ignore[method-assign]  # the moment of waiting is the point
    house.go()

    assert asked == [1]
