from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.web.conftest import MINUTE, NOW_US

from switchgear.calls import Attribution
from switchgear.errors import LedgerError
from switchgear.ledger.views import CallFilter
from switchgear.web import live_calls
from switchgear.web.live_calls import LiveCalls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from tests.web.conftest import Place

    from switchgear.ledger.views import CallRow


def _words(rows: Sequence[CallRow]) -> str:
    return " ".join(f"{row.call_id}:{row.status}" for row in rows)


class Listener:
    """One who reads a stream event by event, while others write."""

    def __init__(self, place: Place, where: CallFilter | None = None, *, since: int | None = None) -> None:
        place.deps.ending = lambda: False
        since = place.ledger.reader.tail.last() if since is None else since
        self.lines: AsyncIterator[bytes] = LiveCalls(place.deps).open(where or CallFilter(), since=since, render=_words)

    async def next(self) -> str:
        """Return what comes next, without signs of life."""
        while True:
            text = (await anext(self.lines)).decode()
            if not text.startswith((":", "retry")):
                return text

    async def close(self) -> None:
        await self.lines.aclose()  # type: ignore[attr-defined]  # a generator has it


@pytest.fixture(autouse=True)
def _no_clock(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    async def asleep(_seconds: float) -> None:
        return None

    monkeypatch.setattr(place.clock, "asleep", asleep, raising=False)


async def test_a_call_is_told_and_told_again_when_it_is_over(place: Place) -> None:
    """What comes after the page was made is sent, first in flight, then with its end."""
    pen = place.pen()
    listener = Listener(place)
    call_id = pen.call(NOW_US, status="reserved")
    pen.done()
    assert f"data: {call_id}:reserved" in await listener.next()
    pen.settle(call_id)
    pen.done()
    assert f"data: {call_id}:ok" in await listener.next()
    await listener.close()


async def test_a_call_that_was_in_flight_on_the_page_is_told_when_it_is_over(place: Place) -> None:
    """Rows that the page showed as in flight are not left so."""
    pen = place.pen()
    call_id = pen.call(NOW_US - MINUTE, status="reserved")
    for number in range(210):  # so that it lies behind what is looked at again
        pen.call(NOW_US + number)
    pen.done()
    listener = Listener(place)
    first = await listener.next()
    assert f"{call_id}:" not in first
    pen.settle(call_id)
    pen.done()
    assert f"data: {call_id}:ok" in await listener.next()
    await listener.close()


async def test_a_filter_holds_for_what_a_call_becomes(place: Place) -> None:
    """Of calls in flight only those are told that end as asked for."""
    pen = place.pen()
    listener = Listener(place, CallFilter(status="failed"))
    good, bad = pen.call(NOW_US, status="reserved"), pen.call(NOW_US, status="reserved")
    pen.call(NOW_US, service="local", status="failed")
    pen.done()
    assert f"{good}:" not in await listener.next()
    pen.settle(good)
    pen.settle(bad, status="failed")
    pen.done()
    text = await listener.next()
    assert f"{bad}:failed" in text
    assert f"{good}:" not in text
    await listener.close()


async def test_too_many_at_once_are_said_to_be(place: Place) -> None:
    """Where more comes than a portion the newest are sent, and the stream says that it left some out."""
    pen = place.pen()
    listener = Listener(place)
    ids = [pen.call(NOW_US + number) for number in range(130)]
    pen.done()
    text = await listener.next()
    assert "event: more" in text
    assert ids[-1] in text
    assert ids[0] not in text
    await listener.close()


async def test_going_on_from_an_id_skips_and_repeats_nothing_new(place: Place) -> None:
    """Who was away reads on where an event's id says, whatever came meanwhile."""
    pen = place.pen()
    listener = Listener(place)
    first = pen.call(NOW_US)
    pen.done()
    place_after = int(re.findall(r"^id: (\d+)$", await listener.next(), re.MULTILINE)[0])
    await listener.close()
    second = pen.call(NOW_US)
    pen.done()
    again = Listener(place, since=place_after)
    text = await again.next()
    assert second in text
    assert first in text  # within what is looked at again: the page puts it in its own place
    await again.close()


async def test_a_stream_outlives_a_ledger_that_can_not_be_read(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks again, and skips nothing."""
    pen = place.pen()
    listener = Listener(place)
    call_id = pen.call(NOW_US)
    pen.done()
    tail = type(place.ledger.reader.tail)
    real, failures = tail.places, [LedgerError("unreadable")]

    def places(*args: Any, **keys: Any) -> Any:  # noqa: ANN401 - passed on
        if failures:
            raise failures.pop()
        return real(*args, **keys)

    monkeypatch.setattr(tail, "places", places)
    assert call_id in await listener.next()
    await listener.close()


def test_the_stream_is_table_rows_of_the_page(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event is the very rows that the list has, with what callers named as text."""
    turns = iter([False, True])
    place.deps.ending = lambda: next(turns)
    pen = place.pen()
    pen.call(NOW_US, attribution=Attribution(job="<b>a\rb\n\ndata: c"))
    pen.done()
    answer = place.client().get("/partials/calls/live?place=0&job=%3Cb%3Ea%0Db%0A%0Adata%3A%20c")
    assert answer.headers["content-type"].startswith("text/event-stream")
    [event] = [part for part in answer.text.split("\n\n") if "event: rows" in part]
    assert "&lt;b&gt;a" in event
    assert all(line.startswith(("id: ", "event: ", "data:")) for line in event.split("\n"))


def test_streams_are_bounded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is told so; a bad filter is a 400 as on the page."""
    assert place.client().get("/partials/calls/live?outcome=nonsense").status_code == 400
    monkeypatch.setattr(live_calls, "_MOST", 0)
    answer = place.client().get("/partials/calls/live")
    assert answer.status_code == 503
    assert "open already" in answer.json()["detail"]


@pytest.mark.parametrize("query", ["", "service=openai"])
def test_the_list_goes_live_and_back(full: Place, query: str) -> None:
    """The list has a way to be live; then one back, a stream of the same filters, and a reload without JavaScript."""
    client = full.client()
    get: Callable[[str], str] = lambda given: client.get("/calls", params=given).text  # noqa: E731 - short
    still = get(query)
    lively = get(query + "&live=1")
    both = query + "&" if query else ""
    assert f'href="/calls?{both.replace("&", "&amp;")}live=1">Live' in still
    assert re.search(rf'data-tail="/partials/calls/live\?{both.replace("&", "&(?:amp;)?")}place=\d+"', lively)
    assert '<noscript><meta http-equiv="refresh" content="15"></noscript>' in lively
    assert "refresh" not in still
