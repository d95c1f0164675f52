"""Breakers on command."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from switchgear.state.memory import MemoryState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from switchgear.governor.gate import Gate
    from switchgear.policies.breaker import Breaker, Change

__all__ = ["open_breaker"]


@contextlib.contextmanager
def open_breaker(governor: Gate, service: str) -> Iterator[None]:
    """Hold the circuit of *service* open inside the block, and closed with nothing counted after it.

    Every call of it is refused with *BreakerOpen*, whatever time does.

    Raises:
        ConfigError: there is no such service.
    """
    governor.service(service)
    _command(governor, service, lambda breaker: breaker.force_open())
    try:
        yield
    finally:
        _command(governor, service, lambda breaker: breaker.reset())


def _command(governor: Gate, name: str, what: Callable[[Breaker], Change | None]) -> None:
    state = governor.state
    if not isinstance(state, MemoryState):
        msg = f"breakers are opened on command in memory only, not in {type(state).__name__}"
        raise TypeError(msg)
    now = governor.clock.moment()
    with state._lock:  # noqa: SLF001 - the contract of a state has no such verb, and production needs none
        service = state._services[name]  # noqa: SLF001 - as above
        state._note(name, service, what(service.breaker), now)  # noqa: SLF001 - as above
    governor.tick()
