"""``Governor``: the gate with its ways in for Python, opened from a configuration."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from switchgear.clients.call import GovernedCall, Need
from switchgear.clients.protect import RAISE, Protect
from switchgear.clock import SystemClock, micros
from switchgear.errors import LedgerError
from switchgear.governor.chronicle import note_start, note_stop
from switchgear.governor.gate import Gate
from switchgear.governor.opening import open_parts
from switchgear.money import to_usd

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal
    from types import TracebackType
    from typing import Self

    import httpx2

    from switchgear.clients.journey import Refusals
    from switchgear.clients.upstream import Upstream
    from switchgear.clock import Clock
    from switchgear.config.model import Config
    from switchgear.governor.breaker_desk import BreakerOrdered
    from switchgear.policies.breaker import BreakerOrder

__all__ = ["Governor"]


class Governor(Gate):
    """The one way out. Close it (or leave its ``with`` block) to flush the ledger.

    Args:
        config: the configuration; default: the built-in services and a SQLite ledger
            ``switchgear.db`` in the working directory.
        clock: time; tests pass a ``ManualClock``.

    Attributes:
        upstream: what really sends the requests of HTTP clients made from now on; None: the
            network, with connections of their own for each client.

    Raises:
        LedgerError: the ledger can't be opened, or another process writes to it.
        ConfigError: a provider's key file can't be read.
    """

    def __init__(self, config: Config | None = None, *, clock: Clock | None = None) -> None:
        from switchgear.config import default

        super().__init__(
            **open_parts(
                config if config is not None else default(),
                clock if clock is not None else SystemClock(),
                os.environ,
            )
        )
        try:
            note_start(self.ledger, self.config, self.clock)
        except BaseException:
            self.close()
            raise
        self.upstream: Upstream | None = None

    @classmethod
    def from_config(cls, path: str | Path, *, clock: Clock | None = None) -> Self:
        """Return a governor for the TOML file at *path*, with ``SWITCHGEAR_*`` variables on top.

        Raises:
            ConfigError: something is wrong in it; names file, line, key and the nearest valid key.
        """
        from switchgear.config import load

        return cls(load(Path(path), environ=os.environ), clock=clock)

    def call(
        self,
        service: str,
        *,
        model: str | None = None,
        input_tokens: int = 0,
        max_output_tokens: int = 0,
        units: Mapping[str, int] | None = None,
        endpoint: str = "call",
        max_wait: float | None = None,
    ) -> GovernedCall:
        """Return a governed block for ``with`` or ``async with``.

        Args:
            service: a configured service.
            model: the model that is billed, where there is one.
            input_tokens: an upper bound of the input.
            max_output_tokens: an upper bound of the output.
            units: other units that it will use at most, e.g. ``{"pages": 1}``.
            endpoint: what to call it in the ledger.
            max_wait: seconds to queue for a limit at most; default: the service's ``max_wait``.

        Raises:
            ConfigError: there is no such service.
            ValueError: a number is negative or no whole number.
        """
        need = Need(model=model, input_tokens=input_tokens, max_output_tokens=max_output_tokens, units=units)
        wait = None if max_wait is None else micros(max_wait)
        return GovernedCall(self, service, need, endpoint=endpoint, max_wait_us=wait)

    def quote(
        self,
        service: str,
        *,
        model: str | None = None,
        input_tokens: int = 0,
        max_output_tokens: int = 0,
        units: Mapping[str, int] | None = None,
    ) -> Decimal | None:
        """Return what such a call could cost at most, in USD, without making it; None: no price is known.

        Raises:
            ConfigError: there is no such service.
            ValueError: a number is negative or no whole number.
        """
        need = Need(model=model, input_tokens=input_tokens, max_output_tokens=max_output_tokens, units=units)
        call = GovernedCall(self, service, need, endpoint="quote", max_wait_us=None).described()
        cost = self.explainer.explain(call).cost
        return None if cost is None else to_usd(cost)

    def protect(
        self,
        service: str,
        *,
        model: str | None = None,
        input_tokens: int = 0,
        max_output_tokens: int = 0,
        units: Mapping[str, int] | None = None,
        on_skip: object = RAISE,
    ) -> Protect:
        """Return a decorator: each call of the function is one call of *service*.

        Works on functions, coroutine functions, generators and asynchronous generators.
        *on_skip* takes the place of a call that a ``skip`` budget leaves out; by default that
        raises *Skipped*. For the rest see *call*.
        """
        self.service(service)
        need = Need(model=model, input_tokens=input_tokens, max_output_tokens=max_output_tokens, units=units)

        def make(endpoint: str) -> GovernedCall:
            # A function is not told of another model, so a budget that degrades refuses it.
            return GovernedCall(self, service, need, endpoint=endpoint, max_wait_us=None, degrades=False)

        return Protect(make, on_skip=on_skip)

    def http_client(self, service: str, *, refusals: Refusals = "response") -> httpx2.Client:
        """Return an ``httpx2.Client`` whose every request is a governed call of *service*.

        Hand it to an SDK: ``OpenAI(http_client=gov.http_client("openai"))``. Requests go to the
        service's configured ``base_url``. A refusal is answered in the provider's error shape, or
        raised as *Refused* with ``refusals="raise"`` (for your own code; SDKs would retry it).

        Raises:
            ConfigError: there is no such service.
        """
        import httpx2

        from switchgear.clients.transport import GovernedTransport

        seconds = self.service(service).timeout / 1e6
        transport = GovernedTransport(self, service, refusals=refusals, inner=self.upstream)
        return httpx2.Client(transport=transport, timeout=seconds)

    def async_http_client(self, service: str, *, refusals: Refusals = "response") -> httpx2.AsyncClient:
        """The same as *http_client* for tasks: an ``httpx2.AsyncClient``."""
        import httpx2

        from switchgear.clients.async_transport import AsyncGovernedTransport

        seconds = self.service(service).timeout / 1e6
        transport = AsyncGovernedTransport(self, service, refusals=refusals, inner=self.upstream)
        return httpx2.AsyncClient(transport=transport, timeout=seconds)

    def set_breaker(self, service: str, order: BreakerOrder, *, by: str, note: str = "") -> BreakerOrdered:
        """Force the breaker of *service* open, close or reset it, at once and on record; see *BreakerDesk*."""
        return self.breakers.set_breaker(service, order, by=by, note=note)

    def close(self) -> None:
        """Flush the ledger and let go of it, and of a shared state. Calls in flight stay reserved."""
        self.state.close()
        with suppress(LedgerError):  # closed already
            note_stop(self.ledger, self.clock)
        self.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
