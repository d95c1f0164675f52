"""What `switchgear apply` shows: the estimate, a line for each layer, and what came out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from switchgear.cli.output import print_facts, print_json, print_table, say, text_of
from switchgear.cli.words import usd
from switchgear.money import to_usd

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from jobsmith.estimate import Estimate
    from jobsmith.nouns import Order
    from jobsmith.session import Finished
    from switchgear.runner import LayerView, RunView

__all__ = ["Progress", "print_estimate", "print_finished"]

_ENDED: Final = frozenset({"ok", "failed", "skipped", "cancelled"})


class Progress:
    """Prints a line for each layer as it ends, with what the run has cost until then and what it may cost."""

    def __init__(self, expected: Estimate, *, limit: str) -> None:
        self._limit: Final = limit
        self._said: Final[set[int]] = set()
        known = "unknown, the model has no price" if expected.usd is None else f"{usd(str(expected.usd))} at most"
        say(f"estimate: {known}; budget {usd(limit)}")

    def show(self, view: RunView) -> None:
        """Print what is new in *view*."""
        for layer in view.layers:
            if layer.step is not None and layer.step not in self._said and layer.status in _ENDED:
                self._said.add(layer.step)
                say(self._line(layer, view))

    def _line(self, layer: LayerView, view: RunView) -> str:
        took = ""
        if layer.started_at is not None and layer.ended_at is not None:
            took = f"{(layer.ended_at - layer.started_at) / 1e6:6.1f} s"
        kept = " (kept)" if layer.cached else ""
        why = f": {text_of(layer.reason)}" if layer.reason else ""
        cost = f"{usd(str(to_usd(view.cost)))} of {usd(self._limit)}"
        return f"{layer.layer:<9} {layer.status + kept:<8} {took:>8}  {cost}{why}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """There is nothing to end."""


def print_estimate(expected: Estimate, order: Order, *, as_json: bool) -> None:
    """Print what *order* would cost at most, layer by layer."""
    if as_json:
        layers = [{**one._asdict(), "usd": None if one.usd is None else str(one.usd)} for one in expected.layers]
        total = None if expected.usd is None else str(expected.usd)
        print_json({"estimate": True, "model": order.model, "profile": order.profile, "usd": total, "layers": layers})
        return
    rows = [
        (one.layer, f"{one.calls}", f"{one.input_tokens:,}", f"{one.output_tokens:,}", _usd(one.usd))
        for one in expected.layers
    ]
    whole = ("all", "", "", "", _usd(expected.usd))
    print_table(("LAYER", "CALLS", "TOKENS IN", "TOKENS OUT", "COST"), [*rows, whole])
    click.echo(f"An estimate, by the size of posting and CV: at most so much with {order.model} ({order.profile}).")


def print_finished(done: Finished, expected: Estimate, *, as_json: bool) -> None:
    """Print what came of a run."""
    view, prepared = done.view, done.prepared
    if as_json:
        print_json(
            {
                "run": view.run,
                "status": view.status,
                "error": view.error,
                "reason": view.reason,
                "cost_usd": str(to_usd(view.cost)),
                "estimate_usd": None if expected.usd is None else str(expected.usd),
                "files": {one.stem: str(one) for one in done.files},
                "application": None if prepared is None else prepared.model_dump(mode="json"),
            }
        )
        return
    if prepared is None:
        say(f"{view.status}: {text_of(view.error or view.reason)}")
        say("What is finished is kept: the same command goes on from here.")
        return
    own = sum(one.ground in {"cv", "copied"} for one in prepared.draft.report)
    print_facts(
        (
            ("role", text_of(prepared.facts.role or None)),
            ("company", text_of(prepared.facts.company or None)),
            ("fit", f"{prepared.fit.score} of 100; gaps: {len(prepared.fit.gaps)}"),
            ("grounded", f"{len(prepared.draft.report)} lines, {own} from the master CV, 0 without a source"),
            ("refused", f"{len(prepared.draft.refused)} sentences of the model"),
            ("cost", f"{usd(str(to_usd(view.cost)))}; estimate {_usd(expected.usd)}"),
            *((one.stem, str(one)) for one in done.files),
        )
    )


def _usd(amount: object) -> str:
    return "unpriced" if amount is None else usd(str(amount))
