from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.wire.sse import Event, Splitter, parse

pieces = st.sampled_from(
    [b"data: x", b"data:y", b"event: e", b": note", b"\n", b"\r\n", b"\r", b"\n\n", b"", b"z" * 40]
)
streams = st.lists(pieces, max_size=40).map(b"".join)


def run(stream: bytes, cuts: list[int], max_event: int = 1 << 20) -> list[Event]:
    """Feed *stream* cut at *cuts* and return every event, the unfinished last one included."""
    splitter = Splitter(max_event)
    events: list[Event] = []
    start = 0
    for cut in [*sorted(cuts), len(stream)]:
        events += splitter.feed(stream[start:cut])
        start = max(start, cut)
    last = splitter.flush()
    return events if last is None else [*events, last]


@given(stream=streams, cuts=st.lists(st.integers(0, 300), max_size=20), max_event=st.sampled_from([20, 1 << 20]))
def test_no_byte_is_changed_lost_or_reordered(stream: bytes, cuts: list[int], max_event: int) -> None:
    """However a stream is cut into chunks, its events put together are the stream."""
    assert b"".join(event.raw for event in run(stream, cuts, max_event)) == stream


@given(stream=streams, cuts=st.lists(st.integers(0, 300), max_size=20))
def test_events_do_not_depend_on_the_chunks(stream: bytes, cuts: list[int]) -> None:
    """The same stream gives the same names and data, whole or byte by byte."""
    whole = [(event.name, event.data) for event in run(stream, []) if event.data]

    assert [(event.name, event.data) for event in run(stream, cuts) if event.data] == whole


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
def test_every_line_end_of_the_standard_ends_a_line(end: bytes) -> None:
    """Events may use any of the three line ends."""
    stream = end.join([b"event: one", b"data: a", b"data:b", b"", b": ping", b"", b"data:  c", b"", b""])
    found = [(event.name, event.data) for event in run(stream, [])]

    assert found == [(b"one", b"a\nb"), (b"", b""), (b"", b" c")]


def test_an_event_comes_out_with_its_last_byte() -> None:
    """Nothing waits for the event after it."""
    splitter = Splitter()

    assert splitter.feed(b"data: a\n") == []
    assert [event.data for event in splitter.feed(b"\n")] == [b"a"]


def test_a_crlf_that_is_cut_in_half_is_one_line_end() -> None:
    r"""A chunk that ends in ``\r`` is not taken for a blank line."""
    splitter = Splitter()

    assert splitter.feed(b"data: a\r\n\r") == []
    assert [event.raw for event in splitter.feed(b"\n")] == [b"data: a\r\n\r\n"]


def test_an_event_beyond_the_bound_passes_unread_and_the_next_is_read() -> None:
    """Memory is bounded, and one event too long does not spoil the rest."""
    splitter = Splitter(max_event=10)
    first = splitter.feed(b"data: " + b"x" * 50)
    second = splitter.feed(b"yyyyyyyyy")
    third = splitter.feed(b"zz\n\ndata: b\n\n")

    assert [event.unread for event in (*first, *second)] == [True, True]
    assert [(event.unread, event.data) for event in third] == [(True, b""), (False, b"b")]


def test_a_byte_order_mark_is_no_part_of_the_first_field() -> None:
    """The mark is skipped in reading and kept in passing."""
    raw = b"\xef\xbb\xbfdata: a\n\n"

    assert parse(raw) == Event(raw, b"", b"a")
