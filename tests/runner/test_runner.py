from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
from pydantic import BaseModel

from switchgear.clients.governor import Governor
from switchgear.ledger.views import CallFilter
from switchgear.runner import (
    LayerFailed,
    NoSuchRun,
    RunConflict,
    Runner,
    RunnerError,
    SkippedLayer,
    artefact,
    layer,
    log,
    pipeline,
    progress,
    running_layer,
)

Opener = Callable[..., Runner]


class Order(BaseModel):
    number: int
    price: Decimal = Decimal("1.50")


class Found(BaseModel):
    text: str


class Switch:
    """What layers of these tests do, set by the test that submits the run."""

    def __init__(self) -> None:
        self.governor: Governor | None = None
        self.counts: dict[str, int] = {}
        self.broken = False
        self.hold = threading.Event()

    def count(self, name: str) -> int:
        self.counts[name] = self.counts.get(name, 0) + 1
        return self.counts[name]


switch = Switch()


def pay(times: int = 1) -> None:
    """Make governed calls of $0.002 each."""
    assert switch.governor is not None
    for _ in range(times):
        with switch.governor.call("tool", units={"request": 1}):
            pass


@layer(budget_usd="0.005")
async def read(order: Order) -> Found:
    """Read it."""
    switch.count("read")
    here = running_layer()
    assert here is not None
    progress(1, 2, "half")
    log(f"order {order.number}")
    artefact("note.txt", f"order {order.number} at {order.price}")
    pay()
    return Found(text="x" * order.number)


@layer(retries=1)
async def weigh(found: Found) -> int:
    """Weigh it."""
    if switch.broken:
        switch.count("weigh")
        msg = "the scale is broken"
        raise OSError(msg)
    return len(found.text)


@pipeline(layers=[read, weigh])
async def simple(order: Order) -> dict[str, int]:
    """Read, then weigh."""
    return {"weight": await weigh(await read(order))}


@layer()
async def hang(seconds: float) -> str:
    """Be under way until it is stopped."""
    switch.count("hang")
    assert switch.governor is not None
    async with switch.governor.call("tool", units={"request": 1}):
        switch.hold.set()
        await asyncio.sleep(seconds)
    return "over"


@pipeline()
async def hanging(seconds: float) -> str:
    """Hang, then end."""
    await read(Order(number=1))
    return await hang(seconds)


@pipeline(timeout="300ms")
async def hasty(seconds: float) -> str:
    """Take too long."""
    return await hang(seconds)


@layer(timeout="100ms", retries=1)
async def slow() -> None:
    """Take too long, each time."""
    switch.count("slow")
    await asyncio.sleep(30)


@pipeline()
async def slowly() -> str:
    """Catch what a layer fails with."""
    try:
        await slow()
    except LayerFailed as error:
        return f"{error.kind}: {error.text}"
    return "?"


@layer(on_refused="skip")
async def extra(times: int) -> int:
    """Cost much."""
    pay(times)
    return times


@pipeline()
async def frugal(times: int) -> str:
    """Do without what its job can't pay."""
    found = await extra(times)
    return f"skipped {found.layer}" if isinstance(found, SkippedLayer) else f"paid {found}"


@layer(on_refused="pause")
async def needed(times: int) -> int:
    """Cost much, and be needed."""
    switch.count("needed")
    pay(times)
    return times


@pipeline()
async def patient(times: int) -> int:
    """Wait for what it can't pay."""
    await read(Order(number=2))
    return await needed(times)


@layer()
def press(order: Order) -> Found:
    """Work in a thread."""
    switch.count("press")
    pay()
    return Found(text=str(order.number))


@layer(timeout="200ms")
def stuck() -> None:
    """Never end."""
    switch.hold.wait(30)


@pipeline()
def plain(order: Order) -> str:
    """Run in a thread."""
    found = press(order)
    if order.number < 0:
        stuck()
    return found.text


@layer(cache_key=lambda order: str(order.number), cache_for="7d")
async def cached(order: Order) -> Found:
    """Be worth keeping."""
    switch.count("cached")
    return Found(text=str(order.number))


@pipeline()
async def caching(order: Order) -> str:
    """Ask twice for the same."""
    return (await cached(order)).text


PIPELINES = (simple, hanging, hasty, slowly, frugal, patient, plain, caching)


@pytest.fixture(scope="module")
def runner(opened: Opener, governor: Governor) -> Iterator[Runner]:
    """Give a runner that knows the pipelines above."""
    switch.governor = governor
    with opened(*PIPELINES) as one:
        yield one


@pytest.fixture(autouse=True)
def _fresh() -> None:
    switch.counts.clear()
    switch.broken = False
    switch.hold.clear()


def lines(runner: Runner, run: str) -> list[str]:
    """Return the texts of the log of *run*."""
    return [line.text for line in runner.logs(run).items]


def begun(runner: Runner, run: str) -> None:
    """Wait until the hanging layer of *run* is under way."""
    assert switch.hold.wait(10)
    assert runner.show(run).status == "running"


async def test_outside_a_runner_pipelines_are_their_functions(governor: Governor) -> None:
    """Called without a runner, a pipeline and its layers run as plain functions, with nothing on record."""

    @layer(retries=3, on_refused="pause")
    async def double(number: int) -> int:
        progress(1, 1)
        log("nobody hears this")
        assert artefact("a.txt", "nor is this kept") is None
        return 2 * number

    @pipeline(timeout="1m")
    async def twice(number: int) -> int:
        return await double(await double(number))

    assert await twice(3) == 12


def test_a_run_is_on_record_with_layers_progress_log_artefacts_and_cost(runner: Runner, governor: Governor) -> None:
    """A run ends with its result, and shows what each layer did, said, left behind and cost."""
    run = runner.submit("simple", Order(number=3), job="acme-1", budget_usd="0.05")
    view = runner.wait(run, timeout=20)
    assert (view.status, view.output, view.job) == ("ok", {"weight": 3}, "acme-1")
    assert view.cost == 2_000_000
    first, second = view.layers
    assert (first.layer, first.status, first.done, first.total, first.note) == ("read", "ok", 1, 2, "half")
    assert (first.cost, first.calls, first.budget, second.cost) == (2_000_000, 1, 5_000_000, 0)
    assert (view.layers_done, view.layers_total) == (2, 2)
    facts, path = runner.artefact(run, "note.txt")
    assert path.read_text(encoding="utf-8") == "order 3 at 1.50"
    assert (facts.layer, facts.media_type, facts.size) == ("read", "text/plain", 15)
    assert "order 3" in lines(runner, run)
    (call,) = governor.ledger.reader.calls(CallFilter(run=run)).items
    assert (call.job, call.run, call.layer) == ("acme-1", run, "read")
    assert call.tags == {"pipeline": "simple", "idempotency": f"{run}:1"}


def test_budgets_of_runs_are_gone_when_their_runs_are_over(runner: Runner, governor: Governor) -> None:
    """What was held for a run and its layers is held no more when it has ended."""
    run = runner.submit("simple", Order(number=1), budget_usd="0.05")
    assert runner.wait(run, timeout=20).status == "ok"
    names = {view.budget for view in governor.state.budgets(governor.clock.moment())}
    assert not [name for name in names if name.startswith("run:")]
    assert governor.runs.budgets == ()


def test_a_wrong_input_is_refused_before_anything_is_on_record(runner: Runner) -> None:
    """An input that does not fit its pipeline's types names the field, and no run begins."""
    before = len(runner.list(limit=500).items)
    with pytest.raises(RunnerError, match=r"pipeline simple: order\.number: "):
        runner.submit("simple", {"number": "many"})
    with pytest.raises(RunnerError, match="missing a required argument"):
        runner.submit("simple")
    with pytest.raises(RunnerError, match=r"no pipeline 'apply'; the known ones are: caching, "):
        runner.submit("apply", 1)
    with pytest.raises(RunnerError, match="budget_usd must be more than 0"):
        runner.submit("simple", Order(number=1), budget_usd=0)
    assert len(runner.list(limit=500).items) == before


def test_a_run_can_be_submitted_once_by_its_name(runner: Runner) -> None:
    """A second submission of the same name is refused, so that submitting is safe to repeat."""
    assert runner.submit("caching", Order(number=1), run="order-1") == "order-1"
    with pytest.raises(RunConflict, match="order-1"):
        runner.submit("caching", Order(number=1), run="order-1")
    assert runner.wait("order-1", timeout=20).status == "ok"


def test_a_layer_that_keeps_failing_fails_its_run_and_can_be_gone_on_with(runner: Runner, governor: Governor) -> None:
    """After its tries the run fails with the reason; resumed, the finished layer is neither run nor paid again."""
    switch.broken = True
    run = runner.submit("simple", Order(number=4))
    view = runner.wait(run, timeout=20)
    assert view.status == "failed"
    assert view.error == "layer weigh: OSError: the scale is broken"
    assert view.layers[1].tries == 2
    assert switch.counts == {"read": 1, "weigh": 2}
    switch.broken = False
    runner.resume(run, by="tester")
    view = runner.wait(run, timeout=20)
    assert (view.status, view.output, view.retries, view.error) == ("ok", {"weight": 4}, 1, None)
    assert switch.counts["read"] == 1
    assert len(governor.ledger.reader.calls(CallFilter(run=run)).items) == 1
    assert "it is resumed (by tester)" in lines(runner, run)


def test_a_run_is_redone_from_a_layer(runner: Runner) -> None:
    """Retried from a layer, earlier layers are kept and that one and later ones run again."""
    run = runner.submit("simple", Order(number=5))
    assert runner.wait(run, timeout=20).status == "ok"
    runner.retry(run, layer="weigh")
    assert runner.wait(run, timeout=20).status == "ok"
    assert switch.counts["read"] == 1
    runner.retry(run)
    assert runner.wait(run, timeout=20).status == "ok"
    assert switch.counts["read"] == 2
    with pytest.raises(RunConflict, match="has no layer 'fit'; it has: read, weigh"):
        runner.retry(run, layer="fit")


def test_cancelling_stops_the_call_to_the_service(runner: Runner, governor: Governor) -> None:
    """A cancelled run ends within moments, in the middle of its call, which the ledger has as cancelled."""
    run = runner.submit("hanging", 60.0)
    begun(runner, run)
    runner.cancel(run, by="tester")
    view = runner.wait(run, timeout=5)
    assert view.status == "cancelled"
    assert [layer.status for layer in view.layers] == ["ok", "cancelled"]
    newest = governor.ledger.reader.calls(CallFilter(run=run)).items[0]
    assert (newest.layer, newest.status) == ("hang", "cancelled")
    with pytest.raises(RunConflict, match="cancelled"):
        runner.cancel(run)


def test_a_run_that_takes_too_long_fails(runner: Runner) -> None:
    """A run is stopped when its time is over, in the middle of a layer."""
    run = runner.submit("hasty", 60.0)
    view = runner.wait(run, timeout=10)
    assert (view.status, view.error) == ("failed", "TimeoutError: the run took longer than 0.3 s")


def test_a_layer_that_takes_too_long_is_tried_again_and_fails(runner: Runner) -> None:
    """A layer's time-out ends each try; a pipeline may catch the failure and go on."""
    run = runner.submit("slowly")
    view = runner.wait(run, timeout=20)
    assert view.output == "TimeoutError: it took longer than 0.1 s"
    assert switch.counts["slow"] == 2


def test_a_layer_is_skipped_when_its_job_can_pay_no_more(runner: Runner) -> None:
    """With ``skip`` a run goes on without the layer that the budget refuses, and says why."""
    run = runner.submit("frugal", 20, job="poor")
    view = runner.wait(run, timeout=20)
    assert (view.status, view.output) == ("ok", "skipped extra")
    (found,) = view.layers
    assert found.status == "skipped"
    assert found.reason is not None
    assert "each-job" in found.reason
    assert found.cost <= 10_000_000


def test_a_run_waits_when_its_job_can_pay_no_more_and_goes_on(runner: Runner, governor: Governor) -> None:
    """With ``pause`` a run waits without a place; resumed under a higher limit it ends, its first layer kept."""
    run = runner.submit("patient", 6, job="poor-too")
    view = runner.wait(run, timeout=20)
    assert view.status == "paused"
    assert view.reason is not None
    assert "each-job" in view.reason
    assert [layer.status for layer in view.layers] == ["ok", "paused"]
    assert runner.capacity().active_runs == 0
    runner.resume(run)
    assert runner.wait(run, timeout=20).status == "paused"
    governor.set_budget("each-job", limit_usd="1", by="tester")
    try:
        runner.resume(run)
        view = runner.wait(run, timeout=20)
    finally:
        governor.set_budget("each-job", limit_usd="0.01", by="tester")
    assert (view.status, view.output) == ("ok", 6)
    assert switch.counts == {"read": 1, "needed": 3}
    assert view.layers[1].executions == 3


def test_the_budget_of_a_run_holds_over_all_its_layers(runner: Runner) -> None:
    """A run may spend what it was submitted with, and the layer that does not fit fails it."""
    run = runner.submit("patient", 5, budget_usd="0.007")
    view = runner.wait(run, timeout=20)
    assert view.status == "paused"
    assert view.reason is not None
    assert f"run:{run}" in view.reason
    assert view.cost == 6_000_000
    runner.cancel(run)


def test_somebody_can_have_a_run_wait(runner: Runner) -> None:
    """A paused run ends the layer that is under way, waits before the next, and goes on when resumed."""
    run = runner.submit("hanging", 0.3)
    begun(runner, run)
    runner.pause(run)
    view = runner.wait(run, timeout=10)
    # Its last layer was under way, so nothing was left to wait before.
    assert view.status == "ok"
    waiting = runner.submit("simple", Order(number=1), priority=-1)
    runner.pause(waiting)
    assert runner.wait(waiting, timeout=5).status == "paused"
    runner.resume(waiting)
    assert runner.wait(waiting, timeout=20).status == "ok"


def test_a_sync_pipeline_runs_in_a_thread(runner: Runner) -> None:
    """Plain functions serve as layers and pipelines; one that never ends is left behind at its time-out."""
    fine = runner.submit("plain", Order(number=7))
    late = runner.submit("plain", Order(number=-1))
    assert runner.wait(fine, timeout=20).output == "7"
    view = runner.wait(late, timeout=20)
    assert view.error == "layer stuck: TimeoutError: it took longer than 0.2 s"
    assert view.layers[0].cost == 2_000_000
    switch.hold.set()


def test_a_cached_output_serves_later_runs(runner: Runner) -> None:
    """A layer with a cache key runs once for it, and later runs say that theirs is kept from an earlier one."""
    for _ in range(2):
        run = runner.submit("caching", Order(number=77))
        view = runner.wait(run, timeout=20)
        assert view.output == "77"
    assert switch.counts["cached"] == 1
    assert view.layers[0].cached
    assert "cached ok (kept from an earlier run)" in lines(runner, run)


def test_an_estimate_is_what_earlier_runs_have_cost(runner: Runner) -> None:
    """Before the first good run nothing is said of the cost; after it, what it has cost."""
    assert runner.estimate("hasty").cost is None
    run = runner.submit("simple", Order(number=1))
    assert runner.wait(run, timeout=20).status == "ok"
    estimate = runner.estimate("simple")
    assert estimate.cost == 2_000_000
    assert estimate.runs >= 1
    again = runner.submit("simple", Order(number=1))
    assert runner.wait(again, timeout=20).estimate == 2_000_000


def test_logs_by_cursor_have_no_gap(runner: Runner) -> None:
    """Reading on from a cursor gives each line once, in order, and says when there will be no more."""
    run = runner.submit("simple", Order(number=2))
    seen: list[int] = []
    after = 0
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        page = runner.logs(run, after=after, limit=2)
        seen += [line.number for line in page.items]
        after = page.next
        if page.ended:
            break
    assert seen == list(range(1, len(seen) + 1))
    assert lines(runner, run)[-1] == "it ended well"
    with pytest.raises(NoSuchRun):
        runner.logs("nobody")


def test_artefacts_are_given_out_only_to_their_run(runner: Runner) -> None:
    """Another run's file, a path and a name that climbs are no artefacts of a run."""
    one, two = runner.submit("simple", Order(number=1)), runner.submit("caching", Order(number=1))
    assert {runner.wait(run, timeout=20).status for run in (one, two)} == {"ok"}
    for run, name in ((two, "note.txt"), (one, "../runs.db"), (one, f"../{one}/note.txt"), (one, "")):
        with pytest.raises(RunnerError, match="has no artefact"):
            runner.artefact(run, name)


def test_pages_of_runs_skip_and_repeat_nothing(runner: Runner) -> None:
    """Paging through runs gives each once, newest first, and filters by status, pipeline and job."""
    runs = runner.submit_many("caching", [Order(number=n) for n in range(7)], jobs=[f"page-{n % 2}" for n in range(7)])
    for run in runs:
        assert runner.wait(run, timeout=30).status == "ok"
    found: list[str] = []
    after = None
    while True:
        page = runner.list(limit=3, after=after, pipeline="caching")
        found += [view.run for view in page.items]
        if (after := page.next) is None:
            break
    assert set(runs) <= set(found)
    assert len(found) == len(set(found))
    assert {view.run for view in runner.list(job="page-1").items} == {runs[1], runs[3], runs[5]}
    with pytest.raises(RunnerError, match="not the next of a page"):
        runner.list(after="nonsense")
