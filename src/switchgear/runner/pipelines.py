"""``@pipeline``: a function that calls layers, and that a runner can start, stop and go on with."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeVar

from switchgear.runner.codec import Signature
from switchgear.runner.faults import RunnerError
from switchgear.runner.layers import duration
from switchgear.runner.views import PipelineView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from switchgear.clients.governor import Governor
    from switchgear.runner.layers import Layer

__all__ = ["Pipeline", "pipeline", "pipeline_at"]

P = ParamSpec("P")
R = TypeVar("R")

_LONGEST_NAME: Final = 64


class Pipeline(Generic[P, R]):
    """A function that is a pipeline. Called directly it is the function itself, and its layers are theirs.

    Attributes:
        name: what it goes by.
        function: what was decorated.
        is_async: whether it is a coroutine function.
        max_concurrency: how many runs of it go at once at most; None: as many as the runner lets go.
        timeout_us: the longest that a run may take; None: no limit.
        layers: the names of its layers, in order, where it says them.
        signature: its types.
    """

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str,
        max_concurrency: int | None,
        timeout_us: int | None,
        layers: tuple[str, ...],
    ) -> None:
        self.name: Final = name
        self.function: Final = function
        self.is_async: Final = inspect.iscoroutinefunction(function)
        self.max_concurrency: Final = max_concurrency
        self.timeout_us: Final = timeout_us
        self.layers: Final = layers
        self.signature: Final = Signature(function, f"pipeline {name}")
        self.__name__ = getattr(function, "__name__", name)
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        self.__wrapped__ = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def view(self) -> PipelineView:
        """Return what people are told of it."""
        text = inspect.getdoc(self.function) or ""
        return PipelineView(
            name=self.name,
            description=text.partition("\n")[0],
            max_concurrency=self.max_concurrency,
            timeout_us=self.timeout_us,
            layers=self.layers,
            input_schema=self.signature.schema(),
        )


def pipeline(
    *,
    name: str | None = None,
    max_concurrency: int | None = None,
    timeout: str | None = None,
    layers: Iterable[Layer[..., Any] | str] = (),
) -> Callable[[Callable[P, R]], Pipeline[P, R]]:
    """Make a function, sync or async, a pipeline.

    What it does between its layers is done again after a crash, so it decides by its arguments and
    by what its layers return, and leaves time, chance and the network to them. Layers may run side
    by side in an ``asyncio.gather`` or a task group. An async pipeline shares the runner's event
    loop with the others; a sync one has a thread of its own, and only calls sync layers.

    Args:
        name: default: the function's own.
        max_concurrency: how many runs of it go at once at most, within what the runner lets go.
        timeout: the longest that a run may take from its start to its end, such as ``"30m"``;
            pauses that somebody ends count from anew.
        layers: the layers that a run will have, in order, so that progress has a whole; default:
            those of the last run that ended well.

    Raises:
        RunnerError: a setting is wrong.
    """
    if max_concurrency is not None and max_concurrency < 1:
        msg = f"max_concurrency counts from 1, not {max_concurrency}"
        raise RunnerError(msg)
    names = tuple(one if isinstance(one, str) else one.name for one in layers)

    def wrap(function: Callable[P, R]) -> Pipeline[P, R]:
        called = name if name is not None else function.__name__
        if not called or len(called) > _LONGEST_NAME or not called.isprintable() or "/" in called:
            msg = f"a pipeline's name has 1 to {_LONGEST_NAME} printable characters and no '/', not {called!r}"
            raise RunnerError(msg)
        return Pipeline(
            function,
            name=called,
            max_concurrency=max_concurrency,
            timeout_us=None if timeout is None else duration("timeout", timeout),
            layers=names,
        )

    return wrap


def pipeline_at(place: str, governor: Governor | None = None) -> Pipeline[..., Any]:
    """Return the pipeline that *place* names, such as ``my_package.pipelines:apply``.

    A function there that is no pipeline makes one: it is given *governor*.

    Raises:
        RunnerError: it can't be imported, or is no pipeline.
    """
    module, mark, attribute = place.partition(":")
    if not mark or not module or not attribute:
        msg = f'a pipeline is named "module:function", not {place!r}'
        raise RunnerError(msg)
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        msg = f"pipeline {place!r}: {error}"
        raise RunnerError(msg) from error
    if governor is not None and inspect.isfunction(found):
        try:
            found = found(governor)
        except Exception as error:
            msg = f"{place!r} is no pipeline, and makes none: {type(error).__name__}: {error}"
            raise RunnerError(msg) from error
    if not isinstance(found, Pipeline):
        msg = f"{place!r} is no pipeline: it needs the decorator switchgear.runner.pipeline"
        raise RunnerError(msg)
    return found
