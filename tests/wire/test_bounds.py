from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.wire.bounds import TOOL_TOKENS, InputBound, Tool, input_bound, tool_tokens

IMAGE = 1_000
PIXELS = "iVBORw0KGgo" * 5_000


def bound_of(*parts: object, ascii_only: bool = False) -> InputBound:
    """Return the bound of a chat request with one message of *parts*."""
    body = json.dumps(
        {"model": "m", "messages": [{"role": "user", "content": list(parts)}]},
        ensure_ascii=ascii_only,
        separators=(",", ":"),
    )
    return input_bound(body.encode(), IMAGE)


@given(text=st.text(), ascii_only=st.booleans())
def test_the_bound_is_at_least_the_bytes_of_the_text(text: str, ascii_only: bool) -> None:  # noqa: FBT001
    """A byte-level tokenizer gives each token a byte, however the JSON was escaped."""
    size = len(text.encode("utf-8", "surrogatepass"))

    assert bound_of({"type": "text", "text": text}, ascii_only=ascii_only).tokens >= size


@given(text=st.text(alphabet="日本語テキスト", min_size=100))
def test_escapes_do_not_double_the_bound(text: str) -> None:
    """Text that a client escapes to ASCII is bounded by its UTF-8, not by the six bytes of each escape."""
    plain = bound_of({"type": "text", "text": text}).tokens

    assert bound_of({"type": "text", "text": text}, ascii_only=True).tokens <= plain + 50


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXELS}"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "high"}},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PIXELS}"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXELS}},
        {"type": "tool_result", "content": [{"type": "image", "source": {"type": "base64", "data": PIXELS}}]},
    ],
    ids=["chat", "chat-url", "responses", "messages", "tool-result"],
)
def test_an_image_counts_its_stated_bound_and_not_its_base64(part: dict[str, object]) -> None:
    """Picture data is no text: an image of any size is one stated number."""
    bound = bound_of(part)

    assert bound.bounded
    assert IMAGE <= bound.tokens <= IMAGE + 400


def test_images_add_up() -> None:
    """Three images are three times the bound."""
    part = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}

    assert bound_of(part, part, part).tokens >= 3 * IMAGE


def test_text_beside_an_image_still_counts() -> None:
    """Text can't hide in a part that is an image."""
    text = "word " * 1_000
    bound = bound_of({"type": "image_url", "image_url": {"url": "https://example.org/a.png"}, "alt": text})

    assert bound.tokens >= IMAGE + len(text)


def test_audio_counts_by_its_length() -> None:
    """Ten tokens a second are fewer than one for each 64 bytes of base64, even of the tightest codec."""
    seconds = 60
    data = "A" * (seconds * 1_000)
    bound = bound_of({"type": "input_audio", "input_audio": {"data": data, "format": "mp3"}})

    assert 10 * seconds <= bound.audio <= bound.tokens < len(data) // 50


@pytest.mark.parametrize(
    "part",
    [
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "input_file", "file_data": "data:application/pdf;base64,JVBERi0"},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0"}},
        {"type": "video_url", "video_url": {"url": "https://example.org/a.mp4"}},
    ],
    ids=["chat-file", "responses-file", "pdf", "video"],
)
def test_a_file_has_no_bound_but_the_window(part: dict[str, object]) -> None:
    """What a file turns into can't be known from the request."""
    assert not bound_of(part).bounded


def test_a_document_of_plain_text_is_text() -> None:
    """Text in a document is in the body, so the body bounds it."""
    text = "word " * 100
    bound = bound_of({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}})

    assert bound.bounded
    assert bound.tokens >= len(text)


def test_words_about_images_are_just_text() -> None:
    """A message that quotes an image part is not one."""
    quoted = {"type": "text", "text": '{"type":"image","source":{}}'}

    assert bound_of(quoted).tokens < IMAGE


def test_nesting_beyond_reason_is_unbounded_and_does_not_raise() -> None:
    """A body that is made to break a parser gets no bound instead."""
    body = b'{"type":"image","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"

    assert not input_bound(body, IMAGE).bounded


def test_tools_bring_instructions_of_the_provider() -> None:
    """Any tool adds the provider's own words, its built-in ones more, and a search has no bound."""
    assert tool_tokens(None) == (0, True)
    assert tool_tokens([]) == (0, True)
    assert tool_tokens([Tool("function"), Tool("custom"), Tool()]) == (TOOL_TOKENS, True)
    assert tool_tokens([Tool("bash_20250124")]) == (2 * TOOL_TOKENS, True)
    assert tool_tokens([Tool("web_search_20250305")]) == (2 * TOOL_TOKENS, False)
