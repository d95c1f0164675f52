"""What the sandbox answers to a request, without a connection to send it on."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from switchgear.drills.sandbox import anthropic, openai, responses
from switchgear.drills.sandbox.generation import Event, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from switchgear.drills.sandbox.counts import ReceivedRequest
    from switchgear.drills.sandbox.faults import Fault

__all__ = ["error_reply", "reply_to", "spoiled"]

_ENDPOINTS: Final[Mapping[str, Callable[[Mapping[str, Any], Fault], Reply]]] = {
    "/v1/chat/completions": openai.chat,
    "/v1/embeddings": openai.embeddings,
    "/v1/messages": anthropic.messages,
    "/v1/messages/count_tokens": anthropic.count_tokens,
    "/v1/responses": responses.responses,
}


def reply_to(request: ReceivedRequest, fault: Fault) -> Reply:
    """Return the answer to *request*, a stream's events unspoiled; see *spoiled*."""
    if fault.status is not None:
        return error_reply(request.path, fault.status, f"The sandbox answers {fault.status}, as asked.")
    if request.path == "/v1/models":
        return openai.models()
    if request.path in _ENDPOINTS:
        return _provider(request, fault)
    return _plain(request)


def error_reply(path: str, status: int, message: str) -> Reply:
    """Return an error in the shape of the provider that *path* belongs to."""
    if path.startswith("/v1/messages"):
        return anthropic.error(status, message)
    if path.startswith("/v1/"):
        return openai.error(status, message)
    return Reply.json({"error": message}, status=status)


def _provider(request: ReceivedRequest, fault: Fault) -> Reply:
    if request.method != "POST":
        return error_reply(request.path, 405, f"Method {request.method} not allowed.")
    try:
        body = json.loads(request.body)
    except ValueError:
        return error_reply(request.path, 400, "The body is no JSON.")
    if not isinstance(body, dict):
        return error_reply(request.path, 400, "The body is no JSON object.")
    return _ENDPOINTS[request.path](body, fault)


def _plain(request: ReceivedRequest) -> Reply:
    if request.path == "/missing":
        return error_reply(request.path, 404, "There is nothing here.")
    pages = parse_qs(request.query).get("pages", ["1"])[-1]
    if not pages.isdecimal():
        return error_reply(request.path, 400, "pages needs a whole number.")
    return Reply.json({"ok": True, "pages": int(pages)})


def spoiled(events: Iterator[Event], fault: Fault, *, path: str) -> Iterator[Event]:
    """Return *events* with those that *fault* halves, or puts an error in the place of."""
    if fault.malformed:
        events = (_halved(event) if number == 1 else event for number, event in enumerate(events))
    if fault.error_event is None:
        return events
    message = "The model failed, as asked."
    if path == "/v1/messages":
        failure = anthropic.error_event(message)
    elif path == "/v1/responses":
        failure = responses.error_event(message)
    else:
        failure = openai.error_event(message)
    return itertools.chain(itertools.islice(events, fault.error_event), [Event(failure)])


def _halved(event: Event) -> Event:
    start = event.data.index(b"data: ") + len(b"data: ")
    return Event(event.data[: (start + len(event.data)) // 2] + b"\n\n")
