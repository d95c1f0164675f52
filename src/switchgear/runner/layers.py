"""``@layer``: a step of a pipeline that is never repeated once it has finished."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, ParamSpec, TypeVar, get_args

import msgspec

from switchgear.durations import parse_duration
from switchgear.money import to_nano
from switchgear.runner.codec import Signature
from switchgear.runner.current import running_session
from switchgear.runner.faults import RunnerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

__all__ = ["NO_DEFAULT", "Layer", "OnRefused", "SkippedLayer", "duration", "layer", "positive_nano"]

P = ParamSpec("P")
R = TypeVar("R")

OnRefused = Literal["fail", "skip", "pause"]
"""What becomes of a run when the gate refuses a call of a layer."""

NO_DEFAULT: Final = object()
"""No value is given in the place of a skipped layer's result: a *SkippedLayer* is."""

_LONGEST_NAME: Final = 128


class SkippedLayer(msgspec.Struct, frozen=True):
    """What a skipped layer returns: false in a condition, with the reason."""

    layer: str
    reason: str

    def __bool__(self) -> bool:
        return False


class Layer(Generic[P, R]):
    """A function that is a layer. Called in a run it is durable; called anywhere else it is the function itself.

    Attributes:
        name: what it goes by in logs, budgets and the ledger.
        function: what was decorated.
        is_async: whether it is a coroutine function.
        retries: further tries after a failure; a refusal is no failure.
        timeout_us: the longest that one try may take; None: no limit.
        budget: nano-USD that its calls in one run may cost; None: no limit of its own.
        cache_for_us: how long its output serves for later calls with the same cache key.
        on_refused: ``fail``, ``skip`` or ``pause``.
        default: what a skipped layer returns.
        signature: its types.
    """

    def __init__(  # noqa: PLR0913 - one for each word of the decorator
        self,
        function: Callable[P, R],
        *,
        name: str,
        retries: int,
        timeout_us: int | None,
        budget: int | None,
        cache_key: Callable[P, str] | None,
        cache_for_us: int | None,
        on_refused: OnRefused,
        default: object,
    ) -> None:
        self.name: Final = name
        self.function: Final = function
        self.is_async: Final = inspect.iscoroutinefunction(function)
        self.retries: Final = retries
        self.timeout_us: Final = timeout_us
        self.budget: Final = budget
        self.cache_key: Final = cache_key
        self.cache_for_us: Final = cache_for_us
        self.on_refused: Final = on_refused
        self.default: Final = default
        self.signature: Final = Signature(function, f"layer {name}")
        self.__name__ = getattr(function, "__name__", name)
        self.__qualname__ = getattr(function, "__qualname__", name)
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        self.__wrapped__ = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        session = running_session()
        if session is None:
            return self.function(*args, **kwargs)
        found: Any = session.perform(self, args, kwargs)
        result: R = found
        return result


def layer(
    *,
    name: str | None = None,
    retries: int = 0,
    timeout: str | None = None,
    budget_usd: Decimal | int | str | None = None,
    cache_key: Callable[..., str] | None = None,
    cache_for: str | None = None,
    on_refused: OnRefused = "fail",
    default: object = NO_DEFAULT,
) -> Callable[[Callable[P, R]], Layer[P, R]]:
    """Make a function, sync or async, a layer.

    In a run its output is stored when it has finished, and it is not called again, whatever happens
    to the process. Its calls through the governor carry job, run and layer. Parameters and result
    must be what pydantic can turn into JSON and back by their annotations.

    Args:
        name: default: the function's own.
        retries: further tries after an error or a time-out, 1 s, 2 s, 4 s ... apart. A refusal of
            the gate is not retried.
        timeout: the longest that one try may take, such as ``"120s"``. An async layer is cancelled
            then, and its call to the service with it; a sync one is left behind in its thread.
        budget_usd: what the calls of this layer may cost in one run; held by the gate.
        cache_key: from the arguments to a text; where that is the same, the output of an earlier run serves.
        cache_for: for how long it does; default: for ever.
        on_refused: what happens when the gate refuses a call: the run fails, the layer is skipped (the
            run goes on), or the run is paused until the refusal says that a retry makes sense, else until
            somebody resumes it. Finished layers are kept and not repaid in each case.
        default: what a skipped layer returns, instead of a *SkippedLayer*; plain JSON.

    Raises:
        RunnerError: a setting is wrong.
    """
    if on_refused not in get_args(OnRefused):
        msg = f"on_refused is fail, skip or pause, not {on_refused!r}"
        raise RunnerError(msg)
    if retries < 0:
        msg = f"retries counts from 0, not {retries}"
        raise RunnerError(msg)
    if cache_for is not None and cache_key is None:
        msg = "cache_for says how long a cached output serves: it needs a cache_key"
        raise RunnerError(msg)

    def wrap(function: Callable[P, R]) -> Layer[P, R]:
        called = name if name is not None else function.__name__
        if not called or len(called) > _LONGEST_NAME or not called.isprintable() or "/" in called:
            msg = f"a layer's name has 1 to {_LONGEST_NAME} printable characters and no '/', not {called!r}"
            raise RunnerError(msg)
        return Layer(
            function,
            name=called,
            retries=retries,
            timeout_us=None if timeout is None else duration("timeout", timeout),
            budget=None if budget_usd is None else positive_nano("budget_usd", budget_usd),
            cache_key=cache_key,
            cache_for_us=None if cache_for is None else duration("cache_for", cache_for),
            on_refused=on_refused,
            default=default,
        )

    return wrap


def positive_nano(what: str, usd: Decimal | int | str) -> int:
    """Return *usd* in nano-USD.

    Raises:
        RunnerError: it is no amount above 0.
    """
    try:
        nano = to_nano(usd)
    except (ValueError, TypeError) as error:
        msg = f"{what}: {error}"
        raise RunnerError(msg) from error
    if nano <= 0:
        msg = f"{what} must be more than 0, not {usd}"
        raise RunnerError(msg)
    return nano


def duration(what: str, text: str) -> int:
    """Return *text* in microseconds.

    Raises:
        RunnerError: it is no duration above 0.
    """
    try:
        micros = parse_duration(text)
    except ValueError as error:
        msg = f"{what}: {error}"
        raise RunnerError(msg) from error
    if micros <= 0:
        msg = f"{what} must be more than 0, not {text!r}"
        raise RunnerError(msg)
    return micros
