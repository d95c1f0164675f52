"""An upper bound of a request's input tokens, from its bytes alone.

A byte-level BPE tokenizer (every one of OpenAI's and Anthropic's, and those of open models) gives
each token at least one byte of the text. So a request has at most as many tokens as its text has
bytes, and the special tokens around messages and roles are fewer than the bytes of the JSON that
says the same: the body's size bounds both. Of OpenAI's o200k it is four to five times the real count
of English and code, four times that of Japanese and twice that of emoji.

Where the tokens of a text can be counted (*switchgear.wire.tokens*), the bound is the count of every
text and key of the body, with *FRAME_TOKENS* for each of these and two for each object and list, which
is more than the special tokens around messages and the punctuation of tools come to.

What the body's size does not bound is counted apart:

- **images**: *image_tokens* each, whatever their size; their base64 data is not text;
- **audio**: a token for each 64 bytes of base64. Models take about ten tokens a second, and even
  6 kbit/s Opus has more than 640 bytes of base64 for these;
- **the chat template** of an open model may add a default system prompt: no conversation is bounded
  below *LEAST_CONVERSATION*, which covers that of SmolLM2 (30 tokens) and of gpt-oss (about 70)
  around a message of a few words. A template that says more is bounded only under a system prompt of
  your own, which replaces it; hosted providers bill none;
- **tools**: *TOOL_TOKENS* for the instructions that a provider adds once tools are there, and as
  much again for each tool that is the provider's own invention (a shell, an editor);
- **anything the body only refers to**, such as a file, an earlier response or the results of a
  search that the provider makes: no bound but the model's window (``bounded`` is False).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.wire.fields import UNREADABLE, Number, whole

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "COUNTED_BYTES",
    "FRAME_TOKENS",
    "LEAST_CONVERSATION",
    "SEARCHES",
    "TOOL_TOKENS",
    "InputBound",
    "Tool",
    "input_bound",
    "searches",
    "tool_tokens",
]

LEAST_CONVERSATION: Final = 96
TOOL_TOKENS: Final = 1024
FRAME_TOKENS: Final = 3

SEARCHES: Final = 32
"""Searches that a provider makes for one call at most, where the request sets no limit."""

COUNTED_BYTES: Final = 256 * 1024
"""The largest body whose tokens are counted: a larger one would hold up everybody else for longer than 10 ms."""

_AUDIO_BYTES_PER_TOKEN: Final = 64
_MEDIA: Final = re.compile(rb'"type"\s*:\s*"(?:input_)?(?:image|audio|file|document|video|container|computer)')
_ESCAPED: Final = re.compile(rb"\\u")
"""As a pattern: bytes would search for two of them four times as long."""

_IMAGES: Final = frozenset({"image", "image_url", "input_image", "computer_screenshot"})
_AUDIO: Final = frozenset({"input_audio"})
_FILES: Final = frozenset({"file", "input_file", "document", "container_upload", "video", "video_url", "input_video"})
_TEXT_SOURCES: Final = frozenset({"text", "content"})
_CLIENT_TOOLS: Final = frozenset({"function", "custom"})
_SERVER_TOOLS: Final = (
    "web_search",
    "web_fetch",
    "file_search",
    "code_interpreter",
    "code_execution",
    "image_generation",
    "mcp",
    "tool_search",
)


class InputBound(msgspec.Struct):
    """*tokens* at most, of which at most *images* and *audio* are such; *bounded*: that is all there is."""

    tokens: int = 0
    images: int = 0
    audio: int = 0
    bounded: bool = True


class Tool(msgspec.Struct):
    """A tool of a request; only what kind it is, and how often it may be used at most."""

    type: str | None = None
    max_uses: Number = None


def input_bound(body: bytes, image_tokens: int, count: Callable[[str], int] | None = None) -> InputBound:
    """Return the bound for a JSON *body*, with *image_tokens* for each image; tools are not in it.

    *count* counts the tokens of a text; without it, and for a body of more than *COUNTED_BYTES*,
    each byte of it is one.
    """
    if len(body) > COUNTED_BYTES:
        count = None
    # No media, and no escapes that make text look longer than it is.
    plain = (b"\\" not in body or _ESCAPED.search(body) is None) and _MEDIA.search(body) is None
    if plain and count is None:
        return InputBound(len(body))
    bound = InputBound()
    try:
        _walk(msgspec.json.decode(body), bound, image_tokens, count or _size)
    except UNREADABLE:
        return InputBound(len(body), bounded=False)
    if plain:
        bound.tokens = min(bound.tokens, len(body))
    return bound


def tool_tokens(tools: list[Tool] | None) -> tuple[int, bool]:
    """Return the tokens that *tools* may add beyond their JSON, and whether that is a bound."""
    if not tools:
        return 0, True
    kinds = [tool.type for tool in tools if tool.type is not None and tool.type not in _CLIENT_TOOLS]
    return TOOL_TOKENS * (1 + len(kinds)), not any(kind.startswith(_SERVER_TOOLS) for kind in kinds)


def searches(tools: list[Tool] | None, most: Number = None) -> tuple[tuple[str, int], ...]:
    """Return how often *tools* can search at most, as units; *most*: what the request allows them."""
    units = []
    for unit, kind in (("storage_searches", "file_search"), ("web_searches", "web_search")):
        found = [tool for tool in tools or () if tool.type is not None and tool.type.startswith(kind)]
        if found:
            units.append((unit, sum(whole(tool.max_uses) or whole(most) or SEARCHES for tool in found)))
    return tuple(units)


def _walk(
    node: object, bound: InputBound, image_tokens: int, size: Callable[[str], int], *, media: bool = False
) -> None:
    """Add what *node* can come to: its compact JSON by *size*, with the payload of *media* parts counted apart."""
    if isinstance(node, str):
        if media and node.isascii() and " " not in node:
            return  # base64 or a URL
        bound.tokens += FRAME_TOKENS + size(node)
    elif isinstance(node, dict):
        bound.tokens += 2
        media = media or _count_media(node, bound, image_tokens)
        for key, value in node.items():
            bound.tokens += FRAME_TOKENS + size(key)
            _walk(value, bound, image_tokens, size, media=media)
    elif isinstance(node, list):
        bound.tokens += 2
        for item in node:
            _walk(item, bound, image_tokens, size, media=media)
    else:
        bound.tokens += 1 + len(str(node))


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _count_media(node: dict[str, object], bound: InputBound, image_tokens: int) -> bool:
    """Count *node* if it is an image, audio or a file, and say whether its text is a payload."""
    kind = node.get("type")
    if not isinstance(kind, str):
        return False
    if kind in _IMAGES:
        bound.tokens += image_tokens
        bound.images += image_tokens
        return True
    if kind in _AUDIO:
        sound = node.get(kind, node)
        data = sound.get("data") if isinstance(sound, dict) else None
        tokens = 1 + (len(data) // _AUDIO_BYTES_PER_TOKEN if isinstance(data, str) else 0)
        bound.tokens += tokens
        bound.audio += tokens
        return True
    if kind in _FILES:
        source = node.get("source")
        if isinstance(source, dict) and source.get("type") in _TEXT_SOURCES:
            return False
        bound.bounded = False
        return True
    return False
