"""What can go wrong with runs, as errors."""

from __future__ import annotations

from switchgear.errors import SwitchgearError

__all__ = ["LayerFailed", "NoSuchRun", "RunConflict", "RunnerDown", "RunnerError", "Stopped"]


class RunnerError(SwitchgearError):
    """The runner can't do what it is asked: its store can't be opened, a pipeline is not known, an input is wrong."""


class NoSuchRun(RunnerError):
    """There is no run of that name."""


class RunConflict(RunnerError):
    """The run is not in a state in which this can be done."""


class RunnerDown(RunnerError):
    """The runner's database can't be read or written now."""


class LayerFailed(RunnerError):
    """A layer of a run ended with an error, after all its tries.

    Inside a run every failure of a layer comes as this one, so that a pipeline that catches it does
    the same when it is replayed after a crash. ``__cause__`` is the error itself the first time.

    Attributes:
        layer: which one.
        kind: the type of the error, such as ``TimeoutError``.
        text: what it said.
    """

    def __init__(self, layer: str, kind: str, text: str) -> None:
        super().__init__(f"layer {layer}: {kind}: {text}" if text else f"layer {layer}: {kind}")
        self.layer = layer
        self.kind = kind
        self.text = text

    def __reduce__(self) -> tuple[type[LayerFailed], tuple[str, str, str]]:
        return type(self), (self.layer, self.kind, self.text)


class Stopped(BaseException):
    """A run is to stop here: it is paused, cancelled, or its worker is about to end.

    No *Exception*: a pipeline's own ``except Exception`` must not swallow it.

    Attributes:
        why: ``pause``, ``cancel``, ``drain`` or ``lost``.
        reason: the same as a sentence.
        resume_at: epoch microseconds when it may go on by itself; None: somebody has to say so.
    """

    def __init__(self, why: str, reason: str, resume_at: int | None = None) -> None:
        super().__init__(reason)
        self.why = why
        self.reason = reason
        self.resume_at = resume_at
