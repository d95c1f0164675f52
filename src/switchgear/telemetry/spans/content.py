"""What a model was asked and what it answered, as attributes: without secrets, and of bounded length.

Read are chat completions, responses and completions of OpenAI, and messages of Anthropic, streamed or not. Only text
goes along: of images, files and tools there is the kind. What can't be read is left out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.calls import Content
    from switchgear.telemetry.masking import Masking
    from switchgear.telemetry.spans.span import Attributes

__all__ = ["Said"]


class Said:
    """Puts content into words: *most* characters of what was asked, and as many of what was answered."""

    def __init__(self, *, most: int, masking: Masking) -> None:
        self._most: Final = most
        self._masking: Final = masking

    def words(self, content: Content) -> Attributes:
        """Return the attributes that *content* comes to."""
        found: Attributes = {}
        asked = _json(content.asked)
        answered = _answer(content.answered)
        for name, messages in (
            ("gen_ai.system_instructions", _system(asked)),
            ("gen_ai.input.messages", _asked(asked)),
            ("gen_ai.output.messages", answered),
        ):
            if messages:
                found[name] = json.dumps(self._bounded(messages), ensure_ascii=False)
        return found

    def _bounded(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        left = self._most
        for message in messages:
            for part in message.get("parts", [message]):
                text = part.get("content")
                if isinstance(text, str):
                    clean = self._masking(text)
                    gone = len(clean) - left
                    part["content"] = f"{clean[:left]}... ({gone} more)" if gone > 0 else clean
                    left = max(0, left - len(clean))
        return messages


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _system(asked: dict[str, Any]) -> list[dict[str, Any]]:
    return _parts(asked.get("system") or asked.get("instructions"))


def _asked(asked: dict[str, Any]) -> list[dict[str, Any]]:
    said = asked.get("messages") or asked.get("input") or asked.get("prompt")
    if isinstance(said, str):
        return [{"role": "user", "parts": _parts(said)}]
    found: list[dict[str, Any]] = []
    for message in said if isinstance(said, list) else []:
        if isinstance(message, dict):
            found.append({"role": str(message.get("role", "user")), "parts": _parts(message.get("content"))})
        elif isinstance(message, str):
            found.append({"role": "user", "parts": _parts(message)})
    return found


def _parts(content: object) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "content": content}]
    found: list[dict[str, Any]] = []
    for part in content if isinstance(content, list) else []:
        if isinstance(part, dict):
            text = part.get("text")
            found.append(
                {"type": "text", "content": text} if isinstance(text, str) else {"type": str(part.get("type"))}
            )
    return found


def _answer(body: bytes) -> list[dict[str, Any]]:
    whole = _json(body)
    if not whole:
        text = "".join(_deltas(body))
        return [{"role": "assistant", "parts": _parts(text)}] if text else []
    choices = whole.get("choices")
    if isinstance(choices, list):
        messages = [one.get("message") or {"content": one.get("text")} for one in choices if isinstance(one, dict)]
    else:
        output = whole.get("output")
        messages = [one for one in output if isinstance(one, dict)] if isinstance(output, list) else [whole]
    return [
        {"role": "assistant", "parts": parts}
        for message in messages
        if isinstance(message, dict) and (parts := _parts(message.get("content")))
    ]


def _deltas(body: bytes) -> Iterator[str]:
    """Yield the pieces of text of an event stream, in order."""
    for line in body.decode("utf-8", "replace").splitlines():
        event = _json(line[5:].strip().encode()) if line.startswith("data:") else {}
        delta = event.get("delta")
        if isinstance(delta, str):  # OpenAI's responses
            yield delta
        elif isinstance(delta, dict) and isinstance(delta.get("text"), str):  # Anthropic's messages
            yield delta["text"]
        choices = event.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            if isinstance(choice, dict):
                within = choice.get("delta")
                piece = within.get("content") if isinstance(within, dict) else choice.get("text")
                if isinstance(piece, str):
                    yield piece
