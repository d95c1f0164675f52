from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import switchgear as sg
from switchgear.calls import Attribution, Call, Outcome, Usage, new_call_id
from switchgear.clients.governor import Governor
from switchgear.config import Config
from switchgear.errors import LedgerError
from switchgear.events import BudgetChanged, BudgetCrossed, Event
from switchgear.governor.gate import Admitted
from switchgear.ledger.views import CallFilter, CallRow
from switchgear.policies.expected import ENOUGH
from switchgear.state.base import BudgetView
from switchgear.testing import ManualClock

SERVICES = """
[services.llm]
kind = "openai"
base_url = "http://127.0.0.1:9"
max_wait = "2m"
limits = { requests_per_minute = 1000 }
prices = { "big" = { input = "10", output = "20" }, "small" = { input = "1", output = "2" } }

[services.pages]
kind = "http"
prices = { "*" = { pages = "0.001" } }
"""

MONEY = """
[[budgets]]
name = "money"
limit_usd = "0.01"
"""

DEGRADE = """
[[budgets]]
name = "big-month"
match = { model = "big" }
limit_usd = "0.01"
action = "degrade"
degrade_to = "small"

[[budgets]]
name = "small-month"
match = { model = "small" }
limit_usd = "0.001"
"""

JOBS = """
[[budgets]]
name = "job"
each = "job"
limit_usd = "0.01"
"""

SOFT = """
[[budgets]]
name = "soft"
limit_usd = "0.01"
reserve = "expected"

[[budgets]]
name = "soft-tokens"
limit_tokens = 100000
reserve = "expected"
"""

BOUND = Usage(input_tokens=100, output_tokens=100)  # $0.003 of big, $0.0003 of small
DONE = Outcome(status="ok", verdict="success", usage=BOUND, http_status=200)


Open = Callable[..., Governor]


@pytest.fixture
def open_with(make_config: Callable[[str], Config], clock: ManualClock) -> Iterator[Open]:
    """Return a function that opens a governor with these budgets on this test's ledger; the one before is closed."""
    opened: list[Governor] = []

    def make(budgets: str) -> Governor:
        for earlier in opened:
            earlier.close()
        opened.append(Governor(make_config(SERVICES + budgets), clock=clock))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def _call(gov: Governor, model: str = "big", **more: Any) -> Call:  # noqa: ANN401 - by name
    settings = {"bound": BOUND, **more}
    return Call(id=new_call_id(gov.clock.moment().wall), service="llm", endpoint="/v1/x", model=model, **settings)


def _spend(gov: Governor, model: str = "big", *, times: int = 1) -> None:
    for _ in range(times):
        gov.settle(gov.admit(_call(gov, model)), DONE)


def _view(gov: Governor, name: str, value: str | None = None) -> BudgetView:
    views = gov.state.budgets(gov.clock.moment())
    return next(view for view in views if (view.budget, view.value) == (name, value))


def _rows(gov: Governor) -> list[CallRow]:
    return list(reversed(gov.ledger.reader.calls(CallFilter(), limit=500).items))


def _events(gov: Governor) -> list[Event]:
    seen: list[Event] = []
    gov.bus.subscribe(seen.append)
    return seen


def test_budget_17_a_lowered_limit_refuses_at_once_and_is_on_record(open_with: Open) -> None:
    """The next call is refused as exceeded; the change is an event in the ledger and on the bus, with who and why."""
    gov = open_with(MONEY)
    _spend(gov, times=2)
    seen = _events(gov)
    change = gov.set_budget("money", limit_usd="0.005", by="ada", note="too fast")
    with pytest.raises(sg.BudgetExceeded, match="budget money is exceeded"):
        gov.admit(_call(gov, "small"))
    assert (change.old, change.new, change.configured, change.unit) == (10_000_000, 5_000_000, 10_000_000, "usd")
    assert seen[0] == change
    assert [event.threshold for event in seen if isinstance(event, BudgetCrossed)] == [0.75, 0.9, 1.0]
    (row,) = gov.ledger.reader.events(kind="budget_changed")
    assert (row.subject, row.what["by"], row.what["note"], row.what["new"]) == ("money", "ada", "too fast", 5_000_000)
    assert len(gov.ledger.reader.events(kind="budget_crossed")) == 3


def test_budget_17_a_call_in_flight_settles_under_the_lowered_limit(open_with: Open) -> None:
    """What has been let go is charged; nothing is taken away from it."""
    gov = open_with(MONEY)
    held = gov.admit(_call(gov))
    gov.set_budget("money", limit_usd="0.001", by="ada")
    gov.settle(held, DONE)
    assert (_view(gov, "money").spent, _view(gov, "money").reserved) == (3_000_000, 0)


def test_budget_06_a_raised_limit_lets_calls_go_and_arms_thresholds_again(open_with: Open) -> None:
    """At once there is room, and a threshold that is crossed again is told again."""
    gov = open_with(MONEY)
    _spend(gov, times=3)
    with pytest.raises(sg.BudgetExceeded):
        gov.admit(_call(gov))
    gov.set_budget("money", limit_usd="0.02", by="ada")
    seen = _events(gov)
    _spend(gov, times=2)
    assert [event.threshold for event in seen if isinstance(event, BudgetCrossed)] == [0.75]


def test_budget_17_a_changed_limit_outlives_a_restart(open_with: Open) -> None:
    """A restart does not bring the old limit back, nor repeat a crossing; a new limit in the configuration does."""
    gov = open_with(MONEY)
    _spend(gov, times=3)
    gov.set_budget("money", limit_usd="0.005", by="ada")
    gov = open_with(MONEY)
    seen = _events(gov)
    assert (_view(gov, "money").limit, _view(gov, "money").spent) == (5_000_000, 9_000_000)
    gov.set_budget("money", limit_usd="0.006", by="ada")
    assert [type(event) for event in seen] == [BudgetChanged]
    gov = open_with(MONEY.replace("0.01", "0.02"))
    assert _view(gov, "money").limit == 20_000_000


def test_a_change_that_can_not_be_recorded_is_not_made(open_with: Open) -> None:
    """Without an audit entry the old limit stands."""
    gov = open_with(MONEY)
    gov.ledger.close()
    with pytest.raises(LedgerError):
        gov.set_budget("money", limit_usd="1", by="ada")
    assert _view(gov, "money").limit == 10_000_000


class _Failed:
    def wait(self) -> None:
        msg = "the disk is full"
        raise LedgerError(msg)


def test_a_change_that_is_not_durable_is_taken_back(open_with: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the commit fails the caller hears of it, and the old limit is in force again."""
    gov = open_with(MONEY)
    monkeypatch.setattr(gov.ledger, "record", lambda event: _Failed())
    with pytest.raises(LedgerError, match="disk is full"):
        gov.set_budget("money", limit_usd="1", by="ada")
    assert _view(gov, "money").limit == 10_000_000


@pytest.mark.parametrize(
    ("name", "settings", "error", "message"),
    [
        (
            "mony",
            {"limit_usd": "1"},
            sg.ConfigError,
            "there is no budget 'mony'; the configured ones are: money, tokens",
        ),
        ("money", {}, ValueError, "budget 'money' counts usd: give it limit_usd, and nothing else"),
        ("money", {"limit_tokens": 5}, ValueError, "give it limit_usd"),
        ("money", {"limit_usd": "1", "limit_tokens": 5}, ValueError, "and nothing else"),
        ("money", {"limit_usd": "0"}, ValueError, "limit_usd must be greater than 0, not 0"),
        ("money", {"limit_usd": "NaN"}, ValueError, "not an amount of USD"),
        ("money", {"limit_usd": 0.5}, TypeError, "not float"),
        ("tokens", {"limit_usd": "1"}, ValueError, "budget 'tokens' counts tokens: give it limit_tokens"),
        ("tokens", {"limit_tokens": -5}, ValueError, "greater than 0"),
        ("tokens", {"limit_tokens": True}, TypeError, "limit_tokens is a whole number"),
        ("tokens", {"limit_tokens": 1.5}, TypeError, "limit_tokens is a whole number"),
        ("money", {"limit_usd": "1", "by": " "}, ValueError, "by says who changes the budget"),
    ],
)
def test_a_change_that_can_not_be_meant_changes_nothing(
    open_with: Open,
    name: str,
    settings: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    """Each says in one sentence what is wanted, and nothing is on record."""
    gov = open_with(MONEY + '[[budgets]]\nname = "tokens"\nlimit_tokens = 10\n')
    with pytest.raises(error, match=message):
        gov.set_budget(name, **{"by": "ada", **settings})
    assert gov.ledger.reader.events(kind="budget_changed") == ()


def test_budget_18_a_limit_of_tokens_is_changed_in_tokens(open_with: Open) -> None:
    """A token budget follows the same rules."""
    gov = open_with('[[budgets]]\nname = "tokens"\nlimit_tokens = 1000\n')
    _spend(gov)
    change = gov.set_budget("tokens", limit_tokens=300, by="ada")
    assert (change.old, change.new, change.unit) == (1000, 300, "tokens")
    with pytest.raises(sg.BudgetExceeded):
        gov.admit(_call(gov))


def test_budget_04_jobs_that_are_done_leave_nothing_behind(open_with: Open) -> None:
    """A job that spent is there; jobs that were refused or cost nothing are not."""
    gov = open_with(JOBS)
    huge = Usage(output_tokens=1_000_000)
    for number in range(50):
        behalf = Attribution(job=f"refused-{number}")
        with pytest.raises(sg.BudgetExceeded):
            gov.admit(_call(gov, attribution=behalf, bound=huge))
        free = Attribution(job=f"free-{number}")
        gov.settle(gov.admit(_call(gov, attribution=free)), Outcome(status="failed", verdict="neutral", usage=Usage()))
    gov.settle(gov.admit(_call(gov, attribution=Attribution(job="acme"))), DONE)
    assert [(view.value, view.spent) for view in gov.state.budgets(gov.clock.moment())] == [("acme", 3_000_000)]


def test_budget_06_a_restart_repeats_no_crossing(open_with: Open) -> None:
    """What was told before the restart is not told after it; what comes later is."""
    gov = open_with(MONEY)
    _spend(gov, times=2)
    _spend(gov, "small", times=5)
    assert len(gov.ledger.reader.events(kind="budget_crossed")) == 1
    gov = open_with(MONEY)
    seen = _events(gov)
    _spend(gov, "small")
    assert [event for event in seen if isinstance(event, BudgetCrossed)] == []
    _spend(gov, "small", times=4)
    assert [event.threshold for event in seen if isinstance(event, BudgetCrossed)] == [0.9]


def test_budget_06_a_new_period_arms_every_threshold(open_with: Open, clock: ManualClock) -> None:
    """What is crossed in the next hour is told in the next hour."""
    gov = open_with(MONEY + 'period = "hour"\n')
    seen = _events(gov)
    for _ in range(2):
        _spend(gov, times=3)
        clock.advance(3600)
    assert [event.threshold for event in seen if isinstance(event, BudgetCrossed)] == [0.75, 0.9] * 2


def test_budget_07_a_skipped_call_runs_no_body(open_with: Open) -> None:
    """``gov.call`` raises Skipped before the block; a protected function's stand-in is returned instead."""
    gov = open_with(MONEY + 'action = "skip"\n')
    ran: list[str] = []
    with pytest.raises(sg.Skipped), gov.call("pages", units={"pages": 20}):
        ran.append("block")

    @gov.protect("pages", units={"pages": 20}, on_skip="left out")
    def render() -> str:
        ran.append("function")
        return "done"

    assert render() == "left out"
    assert ran == []
    assert {row.refused_by for row in _rows(gov)} == {"skip"}


async def test_budget_07_a_skipped_coroutine_runs_no_body(open_with: Open) -> None:
    """The same for tasks."""
    gov = open_with(MONEY + 'action = "skip"\n')

    @gov.protect("pages", units={"pages": 20}, on_skip=None)
    async def render() -> str:
        msg = "ran all the same"
        raise AssertionError(msg)

    assert await render() is None
    with pytest.raises(sg.Skipped):
        async with gov.call("pages", units={"pages": 20}):
            pass


def test_budget_08_a_call_that_does_not_fit_goes_out_with_the_cheaper_model(open_with: Open) -> None:
    """The block is told the model, the ledger says from which, and the cheaper model's budget holds it."""
    gov = open_with(DEGRADE)
    models: list[str | None] = []
    for _ in range(5):
        with gov.call("llm", model="big", input_tokens=100, max_output_tokens=100) as call:
            models.append(call.model)
            if call.degraded_from is not None:
                assert (call.degraded_from, _view(gov, "small-month").reserved) == ("big", 300_000)
    assert models == ["big", "big", "big", "small", "small"]
    assert [(row.model, row.degraded_from, row.cost) for row in _rows(gov)][2:4] == [
        ("big", None, 3_000_000),
        ("small", "big", 300_000),
    ]
    assert (_view(gov, "big-month").spent, _view(gov, "small-month").spent) == (9_000_000, 600_000)


async def test_budget_08_tasks_are_degraded_too(open_with: Open) -> None:
    """The asynchronous way in decides the same."""
    gov = open_with(DEGRADE)
    _spend(gov, times=3)
    async with gov.call("llm", model="big", input_tokens=100, max_output_tokens=100) as call:
        assert (call.model, call.degraded_from) == ("small", "big")


def test_budget_08_if_the_cheaper_one_does_not_fit_either_it_is_refused(open_with: Open) -> None:
    """The refusal names the budget that has the last word; each budget counts what it turned away once."""
    gov = open_with(DEGRADE)
    _spend(gov, times=3)
    _spend(gov, "small", times=3)
    with (
        pytest.raises(sg.BudgetExceeded) as caught,
        gov.call("llm", model="big", input_tokens=100, max_output_tokens=100),
    ):
        pass
    assert caught.value.budget == "small-month"
    assert (_view(gov, "big-month").refused, _view(gov, "small-month").refused) == (0, 1)
    row = _rows(gov)[-1]
    assert (row.status, row.model, row.degraded_from) == ("refused", "small", "big")


@pytest.mark.parametrize("target", ["nobody-knows", "small"])
def test_budget_08_a_model_that_is_not_known_to_be_cheaper_does_not_help(open_with: Open, target: str) -> None:
    """Without a price, or without room under the same budget, the refusal is that of the budget, and is counted."""
    gov = open_with(
        '[[budgets]]\nname = "all"\nlimit_usd = "0.003"\naction = "degrade"\n' + f'degrade_to = "{target}"\n'
    )
    _spend(gov)
    with (
        pytest.raises(sg.BudgetExceeded) as caught,
        gov.call("llm", model="big", input_tokens=100, max_output_tokens=100),
    ):
        pass
    assert (caught.value.budget, _view(gov, "all").refused) == ("all", 1)


def test_budget_08_who_can_not_be_told_of_another_model_is_refused(open_with: Open) -> None:
    """A protected function and a plain admission keep their model, so there is nothing but a refusal."""
    gov = open_with(DEGRADE)
    _spend(gov, times=3)

    @gov.protect("llm", model="big", input_tokens=100, max_output_tokens=100)
    def ask() -> None:
        msg = "ran all the same"
        raise AssertionError(msg)

    with pytest.raises(sg.BudgetExceeded):
        ask()
    with pytest.raises(sg.BudgetExceeded):
        gov.admit(_call(gov))
    assert _view(gov, "big-month").refused == 2


def test_budget_08_a_restart_counts_a_degraded_call_where_it_was_billed(open_with: Open) -> None:
    """The spending of the cheaper model is its own after a restart too."""
    gov = open_with(DEGRADE)
    _spend(gov, times=3)
    with gov.call("llm", model="big", input_tokens=100, max_output_tokens=100):
        pass
    gov = open_with(DEGRADE)
    assert (_view(gov, "big-month").spent, _view(gov, "small-month").spent) == (9_000_000, 300_000)


def test_budget_08_budgets_can_degrade_in_steps(open_with: Open) -> None:
    """From the dearest to the middle to the cheapest: the row says what was asked for first."""
    gov = open_with(
        """
        [[budgets]]
        name = "one"
        match = { model = "big" }
        limit_usd = "0.001"
        action = "degrade"
        degrade_to = "small"

        [[budgets]]
        name = "two"
        match = { model = "small" }
        limit_usd = "0.0001"
        action = "degrade"
        degrade_to = "big"
        """
    )
    with pytest.raises(sg.BudgetExceeded), gov.call("llm", model="big", input_tokens=100, max_output_tokens=100):
        pass
    assert (_rows(gov)[-1].model, _rows(gov)[-1].degraded_from) == ("small", "big")


def test_budget_13_the_budget_is_that_of_the_model_billed(open_with: Open) -> None:
    """An attempt with another model is checked against, and charged to, that model's budget."""
    gov = open_with(DEGRADE)
    gov.settle(gov.admit(_call(gov)), Outcome(status="failed", verdict="failure", usage=Usage(), http_status=500))
    second = _call(gov, "small", attempt=2)
    gov.settle(gov.admit(second), DONE)
    assert (_view(gov, "big-month").spent, _view(gov, "small-month").spent) == (0, 300_000)
    assert [row.cost for row in _rows(gov)] == [0, 300_000]


def test_an_expected_reservation_is_the_worst_case_until_enough_is_known(open_with: Open) -> None:
    """Then it holds what 99 of 100 calls stay within, and every view says that the limit is a soft one."""
    gov = open_with(SOFT)
    gov.set_budget("soft", limit_usd="10", by="ada")
    short = Outcome(status="ok", verdict="success", usage=Usage(input_tokens=100, output_tokens=10))
    for number in range(ENOUGH + 1):
        admitted = gov.admit(_call(gov))
        reserved = _view(gov, "soft").reserved
        assert reserved == (3_000_000 if number < ENOUGH else 1_220_000)
        if number == ENOUGH:
            assert _view(gov, "soft-tokens").reserved == 111
            assert admitted.cost == 3_000_000
        gov.settle(admitted, short)
    assert _view(gov, "soft").reserve == "expected"
    gov.set_budget("soft", limit_usd="0.001", by="ada")
    with pytest.raises(sg.BudgetExceeded, match=r"expected \(a soft limit\)"):
        gov.admit(_call(gov))


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(status="failed", verdict="neutral", usage=Usage(input_tokens=100, output_tokens=1)),
        Outcome(status="ok", verdict="success", usage=Usage(input_tokens=100, output_tokens=1), estimated=True),
        Outcome(status="ok", verdict="success"),
    ],
)
def test_what_its_provider_has_not_counted_teaches_nothing(open_with: Open, outcome: Outcome) -> None:
    """Failed calls and estimates would make the estimate too small."""
    gov = open_with(SOFT)
    gov.set_budget("soft", limit_usd="10", by="ada")
    for _ in range(ENOUGH):
        gov.settle(gov.admit(_call(gov)), outcome)
    gov.admit(_call(gov))
    assert _view(gov, "soft").reserved == 3_000_000


def test_budget_12_a_reservation_grows_while_there_is_room(open_with: Open) -> None:
    """A call that passes its reservation holds more, or is told which budget stops it; a soft budget stops nothing."""
    gov = open_with(MONEY + SOFT)
    admitted = gov.admit(_call(gov))
    assert gov.extend(admitted, Usage(input_tokens=100, output_tokens=400)) is None
    assert _view(gov, "money").reserved == 9_000_000
    refusal = gov.extend(admitted, Usage(input_tokens=100, output_tokens=500))
    assert refusal is not None
    assert (refusal.rule, refusal.reserved, _view(gov, "soft").reserved) == ("money", 9_000_000, 3_000_000)
    gov.settle(admitted, DONE)
    assert gov.extend(admitted, Usage(output_tokens=10**9)) is None
    assert (_view(gov, "money").reserved, _view(gov, "money").spent) == (0, 3_000_000)


def test_budget_14_a_refusal_costs_the_same_after_many_calls(open_with: Open) -> None:
    """The check looks at sums: what it looks at after 400 calls is as large as after 4."""
    gov = open_with(MONEY.replace("0.01", "100") + JOBS.replace('"0.01"', '"100"'))
    sizes = []
    for calls in (4, 400):
        for _ in range(calls):
            gov.settle(gov.admit(_call(gov, attribution=Attribution(job="acme"))), DONE)
        sizes.append(len(gov.state.budgets(gov.clock.moment())))
    assert sizes == [2, 2]
    assert _view(gov, "money").spent == _view(gov, "job", "acme").spent == 404 * 3_000_000


def test_budget_01_changing_the_limit_under_load_never_overspends(open_with: Open) -> None:
    """While threads reserve and a limit goes up, exactly as many are let go as the highest limit has room for."""
    gov = open_with(MONEY)
    gone: list[Admitted] = []
    ready = threading.Barrier(17)

    def ask() -> None:
        ready.wait()
        for _ in range(4):
            try:
                gone.append(gov.admit(_call(gov), max_wait_us=0))
            except sg.BudgetExceeded:
                continue

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    ready.wait()
    gov.set_budget("money", limit_usd="0.03", by="ada")
    for thread in threads:
        thread.join()
    while True:
        try:
            gone.append(gov.admit(_call(gov)))
        except sg.BudgetExceeded:
            break
    assert len(gone) == 10
    assert _view(gov, "money").reserved == 30_000_000
