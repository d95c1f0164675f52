from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator

import pytest

import switchgear as sg
from switchgear.clients.governor import Governor
from switchgear.ledger.views import CallFilter


def _statuses(governor: Governor) -> list[str]:
    return [row.status for row in reversed(governor.ledger.reader.calls(CallFilter()).items)]


async def _read(items: AsyncIterator[int], into: list[int]) -> None:
    async for item in items:
        into.append(item)  # noqa: PERF401 - the items before a failure are what is looked at


def test_a_function_is_governed_and_keeps_its_face(governor: Governor) -> None:
    """Each call is a row under the function's name; arguments, result, name and signature stay."""

    @governor.protect("pages", units={"pages": 1})
    def render(html: str, *, scale: int = 1) -> str:
        """Render it."""
        return html * scale

    assert render("a", scale=3) == "aaa"
    assert render.__doc__ == "Render it."
    assert list(inspect.signature(render).parameters) == ["html", "scale"]
    row = governor.ledger.reader.calls(CallFilter()).items[0]
    assert row.endpoint.endswith("render")
    assert row.cost == 3_000_000


async def test_a_coroutine_function_stays_one(governor: Governor) -> None:
    """An ``async def`` is awaited inside its call."""

    @governor.protect("pages")
    async def fetch(number: int) -> int:
        return number + 1

    assert inspect.iscoroutinefunction(fetch)
    assert await fetch(1) == 2
    assert _statuses(governor) == ["ok"]


def test_a_generator_is_one_call_from_first_to_last_item(governor: Governor) -> None:
    """It is admitted at its first item and settled when it is exhausted."""

    @governor.protect("pages")
    def items() -> Iterator[int]:
        yield from range(3)

    running = items()
    assert _statuses(governor) == []
    assert next(running) == 0
    assert _statuses(governor) == ["reserved"]
    assert list(running) == [1, 2]
    assert _statuses(governor) == ["ok"]


def test_a_generator_that_is_left_is_cancelled(governor: Governor) -> None:
    """Who stops reading says nothing about the service."""

    @governor.protect("pages")
    def items() -> Iterator[int]:
        yield from range(3)

    running = items()
    next(running)
    del running
    assert _statuses(governor) == ["cancelled"]


async def test_an_asynchronous_generator_is_one_call(governor: Governor) -> None:
    """It stays an asynchronous generator; a failure inside it is one failure."""

    @governor.protect("pages")
    async def items() -> AsyncIterator[int]:
        yield 1
        msg = "broke"
        raise OSError(msg)

    assert inspect.isasyncgenfunction(items)
    seen: list[int] = []
    with pytest.raises(OSError, match="broke"):
        await _read(items(), seen)
    assert seen == [1]
    assert _statuses(governor) == ["failed"]


async def test_budget_07_a_skipped_call_gives_the_stand_in(governor: Governor) -> None:
    """With *on_skip* a skipped function returns it and a skipped generator yields nothing; without, Skipped."""

    @governor.protect("pages", on_skip="nothing")
    def plain() -> str:
        return "ran"

    @governor.protect("pages", on_skip=None)
    async def coroutine() -> str:
        return "ran"

    @governor.protect("pages", on_skip=None)
    def generator() -> Iterator[str]:
        yield "ran"

    @governor.protect("pages", on_skip=None)
    async def async_generator() -> AsyncIterator[str]:
        yield "ran"

    @governor.protect("pages")
    def strict() -> str:
        return "ran"

    with sg.attribution(job="optional"):
        assert plain() == "nothing"
        assert await coroutine() is None
        assert list(generator()) == []
        assert [item async for item in async_generator()] == []
        with pytest.raises(sg.Skipped):
            strict()
    assert _statuses(governor) == ["refused"] * 5


def test_a_skip_inside_the_function_is_its_own(governor: Governor) -> None:
    """*Skipped* from a call made inside is not taken for the function's own."""

    @governor.protect("tight", on_skip="stand-in")
    def outer() -> str:
        with sg.attribution(job="optional"), governor.call("pages"):
            return "ran"

    with pytest.raises(sg.Skipped):
        outer()


def test_an_unknown_service_is_told_when_decorating(governor: Governor) -> None:
    """A typing mistake is found at import, not at the first call."""
    with pytest.raises(sg.ConfigError, match="there is no service 'pagse'"):
        governor.protect("pagse")
