from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from switchgear.wire import tokens
from switchgear.wire.bounds import COUNTED_BYTES, input_bound
from switchgear.wire.openai import OpenAIDialect
from switchgear.wire.tokens import counter_for, encoding_of

CODE = Path(tokens.__file__).read_text(encoding="utf-8")
CJK = "東京は日本の首都であり、世界最大の都市圏です。中文漢字與標點符號。한국어 문장입니다. "
EMOJI = "👩‍👩‍👧‍👦🏳️‍🌈😀🇦🇹👍🏽❤️‍🔥"
RARE = "\U0001f9ff\U000e0041\u0bb9\u0bcd𒀀ꙮ\u202e\x00\x07\n\t\r "
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather for a place",
            "parameters": {
                "type": "object",
                "properties": {"place": {"type": "string"}, "days": {"type": "array", "items": {"type": "integer"}}},
                "required": ["place"],
            },
        },
    }
]
FRAME = 4  # tokens around a message: start, role, separator, end
REPLY = 3  # tokens that open the answer

real = counter_for("gpt-4o")
assert real is not None
count = real

texts = st.one_of(
    st.text(max_size=400),
    st.lists(st.sampled_from([CODE[:300], CJK, EMOJI, RARE, "a" * 99, " " * 50, "<|endoftext|>", "0x7f3a "])).map(
        "".join
    ),
)


def chat(*contents: str, ascii_only: bool = False, **extra: object) -> bytes:
    """Return a chat request with one message for each of *contents*."""
    messages = [{"role": "user", "content": content} for content in contents]
    return json.dumps({"model": "gpt-4o", "messages": messages, **extra}, ensure_ascii=ascii_only).encode(
        "utf-8", "surrogatepass"
    )


def of(*contents: str) -> int:
    """Return what OpenAI counts for these messages."""
    return sum(FRAME + count(content) for content in contents) + REPLY


@given(contents=st.lists(texts.filter(lambda text: not any("\ud800" <= char <= "\udfff" for char in text)), max_size=4))
@example(contents=[CODE])
@example(contents=[CJK * 20])
@example(contents=[EMOJI * 50])
@example(contents=[RARE * 30])
@example(contents=[""])
def test_bounds_are_never_below_the_real_count(contents: list[str]) -> None:
    """From bytes or counted, of code, CJK, emoji or anything: the real number of tokens fits into the bound."""
    for ascii_only in (False, True):
        body = chat(*contents, ascii_only=ascii_only)

        assert of(*contents) <= input_bound(body, 0).tokens
        assert of(*contents) <= input_bound(body, 0, count).tokens


@pytest.mark.parametrize("text", [CODE * 3, CJK * 50, EMOJI * 100], ids=["code", "cjk", "emoji"])
def test_a_counted_bound_is_the_count_and_a_few_for_the_frame(text: str) -> None:
    """Three for each text and key and two for each object and list: 40 tokens for one message, whatever its length."""
    assert of(text) <= input_bound(chat(text), 0, count).tokens <= of(text) + 40


@pytest.mark.parametrize(
    ("text", "factor"), [(CODE * 3, 5), (CJK * 50, 4), (EMOJI * 100, 3)], ids=["code", "cjk", "emoji"]
)
def test_the_bound_from_bytes_is_within_a_known_factor(text: str, factor: int) -> None:
    """A budget is not blocked by more than this factor of the input."""
    assert input_bound(chat(text), 0).tokens <= factor * of(text)


def test_tools_in_their_own_language_fit_into_the_bound() -> None:
    """Providers write the tools of a request out for the model; that is shorter than what is counted for their JSON."""
    written = (
        "# Tools\n\n## functions\n\nnamespace functions {\n\n// Weather for a place\n"
        "type get_weather = (_: {\nplace: string,\ndays?: integer[],\n}) => any;\n\n} // namespace functions"
    )
    bare = input_bound(chat("x"), 0, count).tokens

    assert count(written) <= input_bound(chat("x", tools=TOOLS), 0, count).tokens - bare


def test_counting_never_makes_a_bound_worse() -> None:
    """Of a body that is all structure the bytes are the better bound, and they are kept."""
    body = b'{"a":[[[[[[1,2]]]]]],"b":{"c":{}}}'

    assert input_bound(body, 0, count).tokens <= len(body)


def test_a_large_body_is_bounded_by_its_bytes() -> None:
    """Counting megabytes would hold up every other call."""
    body = chat("word " * COUNTED_BYTES)

    assert input_bound(body, 0, count).tokens == len(body)


def test_half_a_character_is_counted_by_its_bytes() -> None:
    """Text that no UTF-8 can hold does not fail the request."""
    assert count("\ud800") == 3


def test_images_and_audio_are_counted_apart() -> None:
    """A base64 payload is no text for the tokenizer either."""
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0KGgo" * 5_000}}
    body = json.dumps({"messages": [{"role": "user", "content": [part]}]}).encode()

    assert 1_000 <= input_bound(body, 1_000, count).tokens <= 1_100


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4o", "o200k_base"),
        ("gpt-4o-mini-2024-07-18", "o200k_base"),
        ("openai/gpt-4.1-mini", "o200k_base"),
        ("ft:gpt-4o:org::id", "o200k_base"),
        ("GPT-5.1", "o200k_base"),
        ("o3", "o200k_base"),
        ("o4-mini", "o200k_base"),
        ("gpt-oss-120b", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("gpt-3.5-turbo-0125", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("gpt-6", None),
        ("claude-sonnet-4-5", None),
        ("o3x", None),
        ("not-gpt-4o", None),
        ("", None),
    ],
)
def test_a_model_has_its_encoding_or_none(model: str, encoding: str | None) -> None:
    """A model whose vocabulary is not known is never counted with another one's."""
    assert encoding_of(model) == encoding
    assert (counter_for(model) is None) == (encoding is None)


def test_requests_of_known_models_are_counted() -> None:
    """The dialect counts where it can: the reservation of a known model is close to the real input."""
    text = "The quick brown fox jumps over the lazy dog. " * 100
    read = OpenAIDialect().facts
    path = "/v1/chat/completions"
    known = read(method="POST", path=path, content_type=None, body=chat(text)).bound.input_tokens
    other = read(method="POST", path=path, content_type=None, body=chat(text, model="other")).bound.input_tokens

    assert known < other / 3


def test_without_the_extra_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is optional, and nobody fails for its lack."""
    monkeypatch.setitem(sys.modules, "quicktok", None)
    tokens._counter.cache_clear()  # noqa: SLF001 - as in a new process
    try:
        assert counter_for("gpt-4o") is None
        assert counter_for(None) is None
    finally:
        tokens._counter.cache_clear()  # noqa: SLF001 - as above
