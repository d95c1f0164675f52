"""Heads that come again: a client sends one call after the other with the same head, but for the body's length.

A head that the parser has taken once, byte for byte, would be taken again, and be read as the same. So
what was read of it holds, and the parser need not see it; whatever differs in anything goes to the parser.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from switchgear.gateway.inbound import Inbound
from switchgear.governor.asked import Recall

if TYPE_CHECKING:
    from switchgear.gateway.serving import Counter

__all__ = ["Familiar"]

_LENGTH: Final = re.compile(rb"\r\ncontent-length: (\d{1,9})\r\n", re.IGNORECASE)
_END: Final = b"\r\n\r\n"


class Familiar:
    """A head that is remembered from the last request of a connection.

    Args:
        first: the request, as the parser has read it.
        head: its bytes, up to the body.
        length: where the digits of its length are in them.
    """

    __slots__ = ("_after", "_before", "_first", "_recall")

    def __init__(self, first: Inbound, head: bytes, length: tuple[int, int]) -> None:
        self._first: Final = first
        self._before: Final = head[: length[0]]
        self._after: Final = head[length[1] :]
        self._recall: Final = Recall()
        first.recall = self._recall

    @classmethod
    def of(cls, request: Inbound, data: bytes) -> Familiar | None:
        """Return what to remember of *request*, which came as *data* and nothing else; None: it is one of its kind."""
        end = data.find(_END) + len(_END)
        found = _LENGTH.search(data, 0, end)
        plain = request.keep and request.problem is None and isinstance(request.body, bytes)
        plain = plain and not any(name.lower() == "expect" for name, _ in request.headers)
        if not plain or found is None or end + int(found[1]) != len(data):
            return None
        return cls(request, data[:end], found.span(1))

    def again(self, data: bytes, counter: Counter) -> Inbound | None:
        """Return the request that *data* is, if it is all of one with this head."""
        before = self._before
        if not data.startswith(before):
            return None
        start = len(before)
        end = data.find(b"\r", start, start + 10)
        after = self._after
        if not data.startswith(after, end):
            return None
        digits, rest = data[start:end], end + len(after)
        size = len(data) - rest
        if not digits.isdigit() or int(digits) != size or size > counter.bounds.body:
            return None
        first = self._first
        if first.service not in counter.routes:
            return None
        request = Inbound()
        request.method, request.target = first.method, first.target
        request.service, request.rest = first.service, first.rest
        request.headers = first.headers
        request.body = data[rest:]
        request.ready = request.complete = request.keep = True
        request.recall = self._recall
        request.problem = counter.check(request)
        if request.problem is not None:
            request.keep = False
        return request
