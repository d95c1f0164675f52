"""One HTTP attempt through the gate, without any I/O of its own.

The governed httpx2 transports and the gateway differ in how they move bytes; what is asked of the
gate, what goes to the upstream, and how the answer is read and judged is the same, and is here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear import context
from switchgear.calls import NO_USAGE, Attribution, Call, Outcome, new_call_id
from switchgear.clock import MICROS
from switchgear.errors import ConfigError
from switchgear.money import to_usd
from switchgear.wire.dialects import dialect_for
from switchgear.wire.outcomes import retry_after_of, verdict_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from switchgear.calls import Refusal
    from switchgear.clock import Moment
    from switchgear.config.model import ServiceConfig
    from switchgear.governor.gate import Admitted, Gate, Settlement
    from switchgear.wire.base import Reader, WireRefusal

__all__ = ["COLLECTED", "UNKNOWN_WINDOW", "Exchange", "Headers", "attribution_of", "forwardable"]

Headers = list[tuple[str, str]]

COLLECTED: Final = 8 * 1024 * 1024
"""Bytes up to which an answer that is no stream is collected, so that its head can carry its cost."""

UNKNOWN_WINDOW: Final = 32_768
"""Tokens reserved for a call without a maximum, of a model whose limits nobody knows."""

_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""RFC 9110, section 7.6.1: these are about one connection and end with it."""

_STREAMS: Final = frozenset(
    {"text/event-stream", "application/x-ndjson", "application/jsonl", "application/stream+json"}
)
"""Content types of answers that come piece by piece."""

_OURS: Final = "x-switchgear-"


def forwardable(headers: Iterable[tuple[str, str]], *also: str) -> Headers:
    """Return *headers* without hop-by-hop ones, those that Connection names, ours, and *also* (lower case)."""
    kept = list(headers)
    named = {name.strip().lower() for key, value in kept if key.lower() == "connection" for name in value.split(",")}
    drop = _HOP_BY_HOP | named | set(also)
    return [(key, value) for key, value in kept if (low := key.lower()) not in drop and not low.startswith(_OURS)]


def attribution_of(headers: Iterable[tuple[str, str]]) -> Attribution:
    """Return what the ``x-switchgear-job``, ``-run``, ``-layer`` and ``-tags`` headers say.

    Tags are written ``name=value`` and separated by commas.
    """
    found: dict[str, str] = {}
    tags: list[tuple[str, str]] = []
    for key, value in headers:
        low = key.lower()
        if low == "x-switchgear-tags":
            pairs = (part.partition("=") for part in value.split(","))
            tags += [(name.strip(), text.strip()) for name, mark, text in pairs if mark and name.strip()]
        elif low in {"x-switchgear-job", "x-switchgear-run", "x-switchgear-layer"} and value:
            found[low.removeprefix(_OURS)] = value
    return Attribution(
        job=found.get("job"), run=found.get("run"), layer=found.get("layer"), tags=tuple(sorted(dict(tags).items()))
    )


def _first(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    return next((value for key, value in headers if key.lower() == name), None)


_TRACEPARENT_PARTS: Final = 4


def _trace_of(headers: Iterable[tuple[str, str]]) -> tuple[str | None, str | None]:
    """Return trace id and parent span id of a W3C ``traceparent`` header."""
    parts = (_first(headers, "traceparent") or "").split("-")
    if len(parts) != _TRACEPARENT_PARTS or len(parts[1]) != 32 or len(parts[2]) != 16:  # noqa: PLR2004 - W3C sizes
        return None, None
    return parts[1], parts[2]


class Exchange:
    """What one request asks of the gate, and how its answer is read.

    Args:
        gate: the gate that it goes through.
        service: a configured service's name.
        method: HTTP method.
        path: path and query below the service's base URL, e.g. ``/v1/chat/completions``.
        headers: as received.
        body: the whole request body.

    Raises:
        ConfigError: no such service.
    """

    def __init__(
        self, gate: Gate, service: str, *, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes
    ) -> None:
        self._gate: Final = gate
        self._service: Final = service
        self._config: Final[ServiceConfig] = gate.service(service)
        endpoint = path.partition("?")[0]
        self._dialect: Final = dialect_for(self._config.kind, endpoint)
        self.facts: Final = self._dialect.facts(
            method=method, path=endpoint, content_type=_first(headers, "content-type"), body=body
        )
        self.body: Final = self._dialect.outgoing(self.facts, body)
        self.headers: Final = self._outgoing_headers(headers, len(self.body), bool(body))
        trace_id, parent = _trace_of(headers)
        window = gate.book.max_output(service, self.facts.model)
        bound = self.facts.bound_within(
            max_output=self._config.max_output_tokens or window or UNKNOWN_WINDOW, window=window or UNKNOWN_WINDOW
        )
        self.call: Final = Call(
            id=new_call_id(gate.clock.moment().wall),
            service=service,
            endpoint=endpoint,
            model=self.facts.model,
            attribution=context.merged(context.current(), attribution_of(headers)),
            bound=bound or self.facts.bound,
            bounded=self.facts.max_output_given and self.facts.input_bounded,
            tier=self.facts.tier,
            billable=self.facts.billable,
            streamed=self.facts.streamed,
            trace_id=trace_id,
            parent_span_id=parent,
        )
        self._reader: Reader | None = None
        self._streaming = False
        self._status: int | None = None
        self._retry_after: float | None = None
        self._first_at: Moment | None = None

    @property
    def url(self) -> str:
        """The service's base URL, without a slash at its end.

        Raises:
            ConfigError: the service has none; it is used through ``gov.call`` and ``gov.protect``.
        """
        if self._config.base_url is None:
            msg = f"service {self.call.service!r} has no base_url, so HTTP requests can't be sent to it"
            raise ConfigError(msg)
        return self._config.base_url.rstrip("/")

    @property
    def timeout(self) -> float:
        """Seconds after which an upstream that sends nothing is given up."""
        return self._config.timeout / MICROS

    def begin(self, status: int, headers: Sequence[tuple[str, str]]) -> Headers:
        """Take in the head of the answer; return the headers to pass on."""
        self._status = status
        kind = (_first(headers, "content-type") or "").partition(";")[0].strip().lower()
        self._streaming = kind in _STREAMS
        self._retry_after = retry_after_of(headers, self._gate.clock.moment().wall / MICROS)
        self._reader = self._dialect.reader(
            self.facts,
            status=status,
            content_type=_first(headers, "content-type"),
            content_encoding=_first(headers, "content-encoding"),
        )
        return forwardable(headers, *(("content-length",) if self.streaming else ()))

    @property
    def streaming(self) -> bool:
        """Whether the answer is a stream of events, to be passed on as it comes."""
        return self._streaming

    def feed(self, chunk: bytes) -> bytes:
        """Take in bytes of the answer; return those to pass on now.

        The end of the answer is held back for *flush*, so that the caller can't have it whole
        before it is settled: the last event of a stream, the last chunk of anything else.
        """
        if self._reader is None:
            msg = "begin() comes before feed()"
            raise RuntimeError(msg)
        if not chunk:
            return b""
        passed = self._reader.feed(chunk)
        if self._first_at is None and self._reader.started:
            self._first_at = self._gate.clock.moment()
        return passed

    @property
    def complete(self) -> bool:
        """Whether the event that ends the stream is here: settle, then *flush*."""
        return self._reader is not None and self._reader.complete

    def end(self) -> None:
        """Take note that the upstream has sent everything."""
        if self._reader is not None:
            self._reader.end()

    def flush(self) -> bytes:
        """Return what was held back until the settlement."""
        return b"" if self._reader is None else self._reader.flush()

    def ended(self, admitted: Admitted) -> Outcome:
        """Return the outcome of an answer that came to its end."""
        if self._reader is None or self._status is None:
            msg = "begin() comes before ended()"
            raise RuntimeError(msg)
        seen = self._reader.observe()
        failed = self._status >= 400  # noqa: PLR2004 - where HTTP's errors begin
        usage = seen.usage
        if (failed or not self.facts.billable) and (usage is None or not usage.tokens):
            usage = NO_USAGE  # errors and free requests use nothing, not nobody-knows-what
        ok = not failed and seen.error is None and seen.verdict == "success"
        said = f"HTTP {self._status}" if failed else "the answer broke off" if seen.error is None else ""
        error = None if ok else " ".join(filter(None, (said, seen.error)))
        return Outcome(
            status="ok" if ok else "failed",
            verdict=verdict_of(self._status) if failed else seen.verdict,
            usage=usage,
            estimated=seen.estimated,
            http_status=self._status,
            error=error,
            retry_after=self._retry_after,
            ttft_us=self._ttft(admitted),
            model=seen.model,
            tier=seen.tier,
        )

    def broke(self, admitted: Admitted, error: BaseException, *, sent: bool) -> Outcome:
        """Return the outcome of a transport that failed; *sent*: the upstream may have had the request."""
        seen = None if self._reader is None else self._reader.observe()
        return Outcome(
            status="failed",
            verdict="failure",
            usage=NO_USAGE if not sent else seen.usage if seen is not None else None,
            estimated=sent,
            http_status=self._status,
            error=type(error).__name__,
            ttft_us=self._ttft(admitted),
        )

    def left(self, admitted: Admitted) -> Outcome:
        """Return the outcome of a call whose caller went away: says nothing about the service."""
        seen = None if self._reader is None else self._reader.observe()
        return Outcome(
            status="cancelled",
            verdict="neutral",
            usage=None if seen is None else seen.usage,
            estimated=True,
            http_status=self._status,
            error="the caller went away",
            ttft_us=self._ttft(admitted),
        )

    def refusal(self, refusal: Refusal) -> WireRefusal:
        """Return *refusal* in the provider's own error shape."""
        return self._dialect.refusal(refusal)

    def success_headers(self, admitted: Admitted, settlement: Settlement | None) -> Headers:
        """Return what we add to an answer; the cost only where it is known before the answer goes."""
        headers = [
            (f"{_OURS}call-id", admitted.call.id),
            (f"{_OURS}wait-ms", str(admitted.waited_us // 1000)),
        ]
        if settlement is not None and settlement.cost is not None:
            headers.append((f"{_OURS}cost-usd", f"{to_usd(settlement.cost):f}"))
        return headers

    def _ttft(self, admitted: Admitted) -> int | None:
        if self._first_at is None or not self.facts.streamed:
            return None
        return self._first_at.mono - admitted.started.mono

    def _outgoing_headers(self, headers: Sequence[tuple[str, str]], length: int, had_body: bool) -> Headers:  # noqa: FBT001 - private
        drop = ["host", "content-length"]
        key = self._gate.key_of(self._service)
        if key is not None:
            drop += ["authorization", "x-api-key", "api-key"]
        if self.facts.adds_usage:
            drop.append("accept-encoding")  # a chunk can only be taken out of what can be read
        out = forwardable(headers, *drop)
        if self.facts.adds_usage:
            out.append(("accept-encoding", "identity"))
        if key is not None:
            out += self._dialect.auth_headers(key)
        if had_body or _first(headers, "content-length") is not None:
            out.append(("content-length", str(length)))
        return out
