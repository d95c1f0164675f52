"""Batches: what one came to is told long after it was made, and as often as somebody asks.

OpenAI's batch object has its usage once there is one; Anthropic's results are a line for each request,
with the message that answers it. Both are running totals (*Observation.running*).

Source: https://platform.openai.com/docs/api-reference/batch and
https://docs.anthropic.com/en/api/retrieving-message-batch-results
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from switchgear.calls import NO_USAGE
from switchgear.wire.base import Observation, RequestFacts
from switchgear.wire.bodies import Said
from switchgear.wire.fields import Fields
from switchgear.wire.openai_usage import Answer, read_answer
from switchgear.wire.sums import plus

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.wire.encodings import Decoder

__all__ = ["ResultsReader", "batch_facts", "is_results", "read_batch"]

_BATCH: Final = re.compile(r"/batches(?:/[^/]+(?:/cancel|/results)?)?/?")
_RESULTS: Final = re.compile(r"/batches/[^/]+/results/?")
_MOST_LINE: Final = 8 << 20


class _Batch(Answer):
    id: str | None = None
    object: str | None = None


_FIELDS: Final = Fields(_Batch)


def batch_facts(method: str, endpoint: str) -> RequestFacts | None:
    """Return the facts of a request that makes, shows or cancels a batch; None: *endpoint* is something else.

    What a new batch will cost is unknown, so it is a billable call without a model, hence without a
    price: refused unless the service lets such calls pass.
    """
    at = endpoint.rfind("/batches")
    if at < 0 or _BATCH.fullmatch(endpoint, at) is None:
        return None
    makes = method.upper() == "POST" and not endpoint.rstrip("/").endswith("/cancel")
    return RequestFacts(endpoint=endpoint, surface="batches", max_output_given=True, billable=makes)


def is_results(endpoint: str) -> bool:
    """Return whether *endpoint* is where the results of a batch are."""
    at = endpoint.rfind("/batches")
    return at >= 0 and _RESULTS.fullmatch(endpoint, at) is not None


def read_batch(body: bytes) -> Said | None:
    """Read OpenAI's batch object; None: the body is no JSON."""
    said = _FIELDS.read(body)
    if said is None:
        return None
    if said.object != "batch" or not said.id or said.usage is None:
        told = read_answer(body)
        return told and Said(error=told.error, at_fault=told.at_fault)
    return Said(usage=said.counted(), model=said.model, tier="batch", running=f"batch {said.id}")


class ResultsReader:
    """Passes lines of results on as they come, and adds up what *read_line* finds in each.

    A line that is longer than 8 MB is not read, and the sum an estimate then; so it is where the
    results are of several models, since a row of the ledger has one.
    """

    def __init__(self, facts: RequestFacts, decoder: Decoder, read_line: Callable[[bytes], Said | None]) -> None:
        self.started = False
        self.complete = False
        self.produced = 0
        self.heard = 0
        self._facts = facts
        self._decoder = decoder
        self._read_line = read_line
        self._held = b""
        self._line: list[bytes] = []
        self._size = 0
        self._sum = NO_USAGE
        self._model: str | None = None
        self._known = True
        self._flushed = False

    def feed(self, chunk: bytes) -> bytes:
        if self._flushed or not chunk:
            return chunk
        self.started = True
        self.heard += 1
        self._take(self._decoder.feed(chunk))
        held, self._held = self._held, chunk
        return held

    def end(self) -> None:
        self._finish_line()
        self.complete = True

    def flush(self) -> bytes:
        self._flushed = True
        held, self._held = self._held, b""
        return held

    def observe(self) -> Observation:
        known = self._known and not self._decoder.lost
        return Observation(
            usage=self._sum,
            estimated=not known,
            model=self._model,
            tier="batch",
            verdict="success" if self.complete else "failure",
            error=None if self.complete else "stream_cut",
            complete=self.complete,
            running=f"batch {self._facts.endpoint.rstrip('/')}",
        )

    def _take(self, plain: bytes) -> None:
        *whole, rest = plain.split(b"\n")
        for piece in whole:
            self._add(piece)
            self._finish_line()
        self._add(rest)

    def _add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > _MOST_LINE:
            self._line.clear()
            self._known = False
        elif piece:
            self._line.append(piece)

    def _finish_line(self) -> None:
        line = b"".join(self._line) if self._size <= _MOST_LINE else b""
        self._line.clear()
        self._size = 0
        said = self._read_line(line) if line.strip() else None
        if said is None or said.usage is None:
            return
        self._sum = plus(self._sum, said.usage)
        self._known = self._known and self._model in {None, said.model}
        self._model = self._model or said.model
