"""``gov.call``: a governed block of code, for services that are used through no HTTP client of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from switchgear import context
from switchgear.calls import Call, Outcome, Usage, new_call_id
from switchgear.tracing import place, running

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    from switchgear.calls import CallStatus, Verdict
    from switchgear.governor.gate import Admitted, Gate, Settlement

__all__ = ["GovernedCall", "Need"]


class Need:
    """What a call will use at most.

    Args:
        model: the model that is billed, where there is one.
        input_tokens: an upper bound of the input.
        max_output_tokens: an upper bound of the output.
        units: other units, e.g. ``{"pages": 1}``.
    """

    __slots__ = ("bound", "model")

    def __init__(
        self,
        *,
        model: str | None = None,
        input_tokens: int = 0,
        max_output_tokens: int = 0,
        units: Mapping[str, int] | None = None,
    ) -> None:
        self.model: Final = model
        self.bound: Final = Usage(
            input_tokens=_count("input_tokens", input_tokens),
            output_tokens=_count("max_output_tokens", max_output_tokens),
            units=_units(units or {}),
        )


class GovernedCall:
    """A call that is admitted on entering the ``with`` (or ``async with``) block and settled on leaving it.

    Under a budget that degrades, *model* tells inside the block which model is to be used: the
    one that was asked for, or the budget's cheaper one.

    Leaving normally is a success; an exception is a failure of the service; being cancelled or
    interrupted is neither. Unless *used* says otherwise, the whole bound counts as used.

    Raises on entering:
        Refused: the gate said no; the block does not run.
        LedgerError: the call can't be recorded, so it may not be made.
    """

    def __init__(
        self,
        gate: Gate,
        service: str,
        need: Need,
        *,
        endpoint: str,
        max_wait_us: int | None,
        degrades: bool = True,
    ) -> None:
        gate.service(service)
        self._gate: Final = gate
        self._service: Final = service
        self._need: Final = need
        self._endpoint: Final = endpoint
        self._max_wait_us: Final = max_wait_us
        self._cheaper: Final = self._of_model if degrades and need.model is not None else None
        self._admitted: Admitted | None = None
        self._used: Usage | None = None
        self.settlement: Settlement | None = None

    @property
    def id(self) -> str | None:
        """The call's id in the ledger, None before it is admitted."""
        return None if self._admitted is None else self._admitted.call.id

    @property
    def model(self) -> str | None:
        """The model that is billed: inside the block, the one that was let go."""
        return self._need.model if self._admitted is None else self._admitted.call.model

    @property
    def degraded_from(self) -> str | None:
        """The model that was asked for, where a budget has put another in its place; else None."""
        return None if self._admitted is None else self._admitted.call.degraded_from

    def used(
        self,
        *,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cache_read_tokens: int = 0,
        units: Mapping[str, int] | None = None,
    ) -> None:
        """Say what the call really used; *input_tokens* counts cached ones too."""
        self._used = Usage(
            input_tokens=_count("input_tokens", input_tokens),
            output_tokens=_count("output_tokens", output_tokens),
            cache_read_tokens=_count("cache_read_tokens", cache_read_tokens),
            units=_units(units or {}),
        )

    def __enter__(self) -> Self:
        self._admitted = self._gate.admit(self.described(), max_wait_us=self._max_wait_us, cheaper=self._cheaper)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._admitted is not None:
            self.settlement = self._gate.settle(self._admitted, self._outcome(error))

    async def __aenter__(self) -> Self:
        self._admitted = await self._gate.aadmit(self.described(), max_wait_us=self._max_wait_us, cheaper=self._cheaper)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._admitted is not None:
            self.settlement = await self._gate.asettle(self._admitted, self._outcome(error))

    def _of_model(self, model: str) -> Call:
        return msgspec.structs.replace(self.described(), model=model)

    def described(self) -> Call:
        """Return the call as the gate would be asked for it; each time with a new id."""
        attribution = context.current()
        trace_id, parent = running()
        if trace_id is None:
            trace_id, parent = place(attribution)
        return Call(
            id=new_call_id(self._gate.clock.moment().wall),
            service=self._service,
            endpoint=self._endpoint,
            model=self._need.model,
            attribution=attribution,
            bound=self._need.bound,
            trace_id=trace_id,
            parent_span_id=parent,
        )

    def _outcome(self, error: BaseException | None) -> Outcome:
        status: CallStatus
        verdict: Verdict
        if error is None:
            status, verdict = "ok", "success"
        elif isinstance(error, Exception):
            status, verdict = "failed", "failure"
        else:
            status, verdict = "cancelled", "neutral"
        return Outcome(
            status=status,
            verdict=verdict,
            usage=self._need.bound if self._used is None else self._used,
            estimated=self._used is None and error is not None,
            error=None if error is None else type(error).__name__,
        )


def _count(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        msg = f"{name} is a whole number from 0 on, not {value!r}"
        raise ValueError(msg)
    return value


def _units(units: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((name, _count(f"units[{name!r}]", number)) for name, number in units.items()))
