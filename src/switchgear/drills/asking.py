"""Calls as any client would make them, and what their client saw of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Self

import httpx2
import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from switchgear.clock import Clock

__all__ = ["Answer", "Client", "chat"]

_OK: Final = 200
_PATIENCE: Final = 60.0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One call as its client saw it.

    Attributes:
        status: 0: no answer, or one without its end.
        refused_by: the gate's reason, None where it did not refuse.
        retry_after: seconds, as the answer says.
        began: monotonic seconds; likewise *ended*.
        error: what broke the answer.
    """

    status: int
    began: float
    ended: float
    refused_by: str | None = None
    retry_after: float | None = None
    error: str | None = None
    body: bytes = b""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began

    @property
    def is_ok(self) -> bool:
        """Whether it is an answer to the end, with status 200."""
        return self.status == _OK


def chat(text: str = "is this only a drill", *, tokens: int = 8, stream: bool = False) -> dict[str, Any]:
    """Return a chat completion's request: one input token for each word, at most *tokens* of output."""
    return {
        "model": "drill",
        "max_tokens": tokens,
        "messages": [{"role": "user", "content": text}],
        "stream": stream,
    }


class Client:
    """A client of a gateway; safe to use from several threads.

    Args:
        url: the gateway's.
        clock: what the answers are timed by.
        headers: sent along with every call.
    """

    def __init__(self, url: str, clock: Clock, *, headers: dict[str, str] | None = None) -> None:
        self._clock: Final = clock
        # Variables that name a proxy are for the way out, and this is the way to our own machine.
        self._http: Final = httpx2.Client(
            base_url=url,
            trust_env=False,
            timeout=_PATIENCE,
            headers=headers,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=100),
        )

    def ask(
        self,
        service: str = "llm",
        *,
        path: str = "/v1/chat/completions",
        body: dict[str, Any] | None = None,
        fault: str = "",
        job: str | None = None,
    ) -> Answer:
        """Make one call and return what came of it; *fault* is for the sandbox behind the gateway."""
        headers = {"x-sandbox-fault": fault} if fault else {}
        if job is not None:
            headers["x-switchgear-job"] = job
        began = self._clock.monotonic()
        try:
            answer = self._http.post(f"/{service}{path}", json=chat() if body is None else body, headers=headers)
        except httpx2.TransportError as error:
            return Answer(status=0, began=began, ended=self._clock.monotonic(), error=type(error).__name__)
        wait = answer.headers.get("retry-after")
        return Answer(
            status=answer.status_code,
            began=began,
            ended=self._clock.monotonic(),
            refused_by=answer.headers.get("x-switchgear-refused"),
            retry_after=float(wait) if wait is not None and wait.isdecimal() else None,
            body=answer.content,
        )

    def get(self, path: str) -> Any:  # noqa: ANN401 - whatever JSON can hold
        """Return the JSON at *path*, whatever its status."""
        return self._http.get(path).json()

    def many(self, count: int, ask: Callable[[int], Answer], *, threads: int) -> list[Answer]:
        """Call *ask* with 0 to *count* - 1 on *threads* at once, and return what came of each."""
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(ask, range(count)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()
