from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from switchgear.drills.sandbox.faults import Fault
from switchgear.drills.sandbox.generation import count_words, generate

_WHOLE = st.integers(min_value=0, max_value=200)


@given(
    read=_WHOLE, limit=st.none() | st.integers(1, 200), wanted=_WHOLE, reasoning=_WHOLE, cached=_WHOLE, written=_WHOLE
)
def test_tokens_follow_the_rule(
    *, read: int, limit: int | None, wanted: int, reasoning: int, cached: int, written: int
) -> None:
    """Output is the smaller of wanted and allowed; its parts and those of the input never exceed the whole."""
    fault = Fault(output=wanted, reasoning=reasoning, cached=cached, cache_write=written)
    made = generate({"model": "m"}, input_tokens=read, limit=limit, dated="-1", fault=fault)

    assert made.output_tokens == (wanted if limit is None else min(wanted, limit))
    assert made.reasoning + len(made.words) == made.output_tokens
    assert made.cached == min(cached, read)
    assert made.cache_write == min(written, read - made.cached)
    assert made.complete == (made.output_tokens == wanted)
    assert len(made.text.split()) == len(made.words)


def test_no_two_words_of_an_answer_are_alike() -> None:
    """A long answer does not repeat itself, so that a guard against loops stays quiet."""
    made = generate({"model": "m"}, input_tokens=0, limit=None, dated="", fault=Fault(output=5000))

    assert len({word.strip() for word in made.words}) == 5000


def test_streaming_does_not_change_the_answer() -> None:
    """Equal questions get equal answers whether they stream or not; other questions get others."""
    asked = {"model": "m", "messages": [{"role": "user", "content": "why?"}]}
    streamed = asked | {"stream": True, "stream_options": {"include_usage": True}}
    other = asked | {"messages": [{"role": "user", "content": "who?"}]}
    one, two, three = (
        generate(body, input_tokens=1, limit=None, dated="", fault=Fault()) for body in (asked, streamed, other)
    )

    assert one == two
    assert one.key != three.key


def test_words_are_counted_in_every_shape_of_content() -> None:
    """Text counts by words wherever it stands; pictures and roles count nothing."""
    content = [
        "one two",
        {"role": "user", "content": "three  four\nfive"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "six"}, {"type": "image_url", "image_url": {"url": "x y"}}],
        },
        None,
    ]

    assert count_words(content) == 6
