"""Functions of every colour under a breaker: plain, coroutine, generator, asynchronous generator.

A function keeps its colour. A generator is entered at its first item and settled at its end: a
success if it gave at least one item and none of them was bad, a failure if it raised, neither if
its consumer left early.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, cast

from switchgear.clock import MICROS
from switchgear.errors import StallError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator

    from switchgear.standalone.circuit import Circuit, Entry

__all__ = ["protected", "run"]

_COLOURED: Final = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


def protected(circuit: Circuit, function: Callable[..., Any], stall_us: int | None = None) -> Callable[..., Any]:
    """Return *function* under *circuit*, of the same colour.

    *stall_us*: the longest that an asynchronous generator may take for an item.

    Raises:
        TypeError: *function* can't be called.
        ValueError: *stall_us* is set, and *function* is no asynchronous generator function.
    """
    return functools.wraps(function)(_wrapper(circuit, function, stall_us))


def run(circuit: Circuit, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever the function returns
    """Call *function*, of any colour, once under *circuit*."""
    code = getattr(function, "__code__", None)
    if code is None or code.co_flags & _COLOURED:
        return _wrapper(circuit, function)(*args, **kwargs)
    return _once(circuit, function, args, kwargs)


def _wrapper(circuit: Circuit, function: Callable[..., Any], stall_us: int | None = None) -> Callable[..., Any]:
    colour = _colour(function)
    if colour is _async_generator:
        return _async_generator(circuit, function, stall_us)
    if stall_us is not None:
        msg = "stall_timeout is for asynchronous generators: nothing else can be interrupted while it waits"
        raise ValueError(msg)
    return colour(circuit, function)


def _colour(function: object) -> Callable[..., Callable[..., Any]]:
    if not callable(function):
        msg = f"a breaker protects functions, not {function!r}"
        raise TypeError(msg)
    # Of an object with __call__, that method has the colour.
    inner = None if isinstance(function, type) else getattr(function, "__call__", None)  # noqa: B004 - for its colour
    for one in (function, inner):
        if inspect.isasyncgenfunction(one):
            return _async_generator
        if inspect.iscoroutinefunction(one):
            return _coroutine
        if inspect.isgeneratorfunction(one):
            return _generator
    return _plain


def _once(circuit: Circuit, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever the function returns
    entry = circuit.way or circuit.ask()
    started = circuit.ticks() if circuit.is_timed else 0
    try:
        result = function(*args, **kwargs)
    except BaseException as error:
        circuit.fail(entry, started, error)
        raise
    if type(result) is CoroutineType:
        return _rest(circuit, entry, started, result)
    if circuit.is_judged:
        circuit.finish(entry, started, result)
    else:
        circuit.succeed(entry, started)
    return result


def _plain(circuit: Circuit, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: object, **kwargs: object) -> object:
        return _once(circuit, function, args, kwargs)

    return call


def _coroutine(circuit: Circuit, function: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, object]]:
    async def call(*args: object, **kwargs: object) -> object:
        entry = circuit.way or circuit.ask()
        started = circuit.ticks() if circuit.is_timed else 0
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            circuit.fail(entry, started, error)
            raise
        if circuit.is_judged:
            circuit.finish(entry, started, result)
        else:
            circuit.succeed(entry, started)
        return result

    return call


async def _rest(circuit: Circuit, entry: Entry, started: int, work: Awaitable[object]) -> object:
    """Await what a plain function has begun: that is the call, and its end is the call's."""
    try:
        result = await work
    except BaseException as error:
        circuit.fail(entry, started, error)
        raise
    circuit.finish(entry, started, result)
    return result


class _Stream:
    """One stream under way: what has been seen of it, and its end. It is slow if its first item is."""

    def __init__(self, circuit: Circuit) -> None:
        self._circuit: Final = circuit
        self._entry: Final = circuit.way or circuit.ask()
        self._started: Final = circuit.ticks()
        self._first_us: int | None = None
        self._is_settled = False

    def see(self, item: object) -> None:
        """Look at an item; a bad one makes the stream a failure at once."""
        if self._first_us is None:
            self._first_us = self._circuit.ticks() - self._started
        if not self._is_settled and self._circuit.judge.is_bad_event(item):
            self._is_settled = True
            self._circuit.settle(self._entry, self._started, "failure")

    def end(self, error: BaseException | None = None) -> None:
        """Settle, unless a bad item has done so."""
        if self._is_settled:
            return
        if error is not None:
            self._circuit.fail(self._entry, self._started, error)
        elif self._first_us is None:
            self._circuit.settle(self._entry, self._started, "failure")
        else:
            # What its consumer did in between is no fault of the service.
            self._circuit.succeed(self._entry, self._circuit.ticks() - self._first_us)


class _Seen:
    """A generator that shows each item to *see*; `yield from` it keeps all else a generator can do."""

    def __init__(self, inner: Generator[Any, Any, Any], see: Callable[[object], None]) -> None:
        self._inner: Final = inner
        self._see: Final = see

    def __iter__(self) -> _Seen:
        return self

    def __next__(self) -> object:
        return self._shown(next(self._inner))

    def send(self, value: object) -> object:
        return self._shown(self._inner.send(value))

    def throw(self, error: BaseException) -> object:
        return self._shown(self._inner.throw(error))

    def close(self) -> None:
        self._inner.close()

    def _shown(self, item: object) -> object:
        self._see(item)
        return item


def _generator(circuit: Circuit, function: Callable[..., Any]) -> Callable[..., Generator[Any, Any, Any]]:
    def items(*args: object, **kwargs: object) -> Generator[Any, Any, Any]:
        stream = _Stream(circuit)
        try:
            result = yield from _Seen(function(*args, **kwargs), stream.see)
        except BaseException as error:
            stream.end(error)
            raise
        stream.end()
        return result

    return items


def _async_generator(
    circuit: Circuit, function: Callable[..., Any], stall_us: int | None
) -> Callable[..., AsyncGenerator[Any, Any]]:
    async def items(*args: object, **kwargs: object) -> AsyncGenerator[Any, Any]:
        inner = cast("AsyncGenerator[Any, Any]", function(*args, **kwargs))
        stream = _Stream(circuit)
        try:
            step = inner.asend(None)
            while True:
                item = await _within(stall_us, step, circuit.name)
                stream.see(item)
                try:
                    sent = yield item
                except GeneratorExit:
                    raise
                except BaseException as error:  # noqa: BLE001 - athrow() hands it to the inner generator
                    step = inner.athrow(error)
                else:
                    step = inner.asend(sent)
        except StopAsyncIteration:
            stream.end()
        except BaseException as error:
            stream.end(error)
            raise
        finally:
            await inner.aclose()

    return items


async def _within(stall_us: int | None, step: Awaitable[Any], name: str) -> Any:  # noqa: ANN401 - whatever the stream gives
    """Await *step*, for *stall_us* at most.

    Raises:
        StallError: it took longer.
    """
    if stall_us is None:
        return await step
    limit = asyncio.timeout(stall_us / MICROS)
    try:
        async with limit:
            return await step
    except TimeoutError:
        if not limit.expired():
            raise
    raise StallError(name, stall_us / MICROS)
