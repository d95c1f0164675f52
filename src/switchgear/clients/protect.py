"""``gov.protect``: a decorator that governs a function, whatever its colour."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast

from switchgear.errors import Skipped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from switchgear.clients.call import GovernedCall

__all__ = ["RAISE", "Protect"]

P = ParamSpec("P")
R = TypeVar("R")

RAISE: Final = object()
"""The default of *on_skip*: a skipped call raises *Skipped*."""


class Protect:
    """Governs functions: each call of one is one call of the service.

    Coroutine functions, generators and asynchronous generators stay what they are; a generator is
    admitted at its first item and settled at its end.

    Args:
        make: makes the governed call for an endpoint; a function's name is its endpoint.
        on_skip: what takes the place of a call that a ``skip`` budget leaves out; a generator
            yields nothing instead. RAISE raises *Skipped*.
    """

    def __init__(self, make: Callable[[str], GovernedCall], *, on_skip: object = RAISE) -> None:
        self._make: Final = make
        self._on_skip: Final = on_skip

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        wrapper: Callable[..., Any]
        if inspect.isasyncgenfunction(function):
            wrapper = self._async_generator(function)
        elif inspect.iscoroutinefunction(function):
            wrapper = self._coroutine(function)
        elif inspect.isgeneratorfunction(function):
            wrapper = self._generator(function)
        else:
            wrapper = self._plain(function)
        return cast("Callable[P, R]", functools.wraps(function)(wrapper))

    def _plain(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: object, **kwargs: object) -> object:
            governed = self._make(function.__qualname__)
            try:
                with governed:
                    return function(*args, **kwargs)
            except Skipped as error:
                return self._skipped(governed, error)

        return call

    def _coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: object, **kwargs: object) -> object:
            governed = self._make(function.__qualname__)
            try:
                async with governed:
                    return await function(*args, **kwargs)
            except Skipped as error:
                return self._skipped(governed, error)

        return call

    def _generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def items(*args: object, **kwargs: object) -> Iterator[object]:
            governed = self._make(function.__qualname__)
            try:
                with governed:
                    yield from function(*args, **kwargs)
            except Skipped as error:
                self._skipped(governed, error)

        return items

    def _async_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def items(*args: object, **kwargs: object) -> AsyncIterator[object]:
            governed = self._make(function.__qualname__)
            try:
                async with governed:
                    async for item in function(*args, **kwargs):
                        yield item
            except Skipped as error:
                self._skipped(governed, error)

        return items

    def _skipped(self, governed: GovernedCall, error: Skipped) -> object:
        """Return the stand-in for a call that was left out; a *Skipped* of the function's own goes on."""
        if self._on_skip is RAISE or governed.id is not None:
            raise error
        return self._on_skip
