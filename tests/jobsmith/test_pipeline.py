from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pypdfium2  # type: ignore[import-untyped]  # it brings no types
import pytest
from tests.jobsmith.conftest import Scripted

from jobsmith.errors import OutputError, PdfTextError
from jobsmith.estimate import estimate
from jobsmith.nouns import Order, Prepared
from jobsmith.pipeline import LAYERS, application_pipeline
from jobsmith.session import Finished, apply, run_name
from switchgear import ConfigError, Governor
from switchgear.runner import RunView, pipeline_at
from switchgear.testing import governor


def text_of(pdf: bytes) -> str:
    """Return the text of a PDF, in one line."""
    with pypdfium2.PdfDocument(pdf) as document:
        return " ".join(" ".join(page.get_textpage().get_text_range() for page in document).split())


class Kept:
    """Records that are kept in a list."""

    def __init__(self) -> None:
        self.saved: list[tuple[Prepared, str | None, str | None]] = []

    def save(self, prepared: Prepared, *, job: str | None, run: str | None) -> None:
        self.saved.append((prepared, job, run))


def calls(gov: Governor) -> list[tuple[str | None, str, str]]:
    """Return layer, service and status of every attempt, oldest first."""
    rows = gov.ledger.reader.calls(limit=100).items
    return [(row.layer, row.service, row.status) for row in reversed(rows)]


async def test_without_a_runner_it_just_runs(writer: Governor, order: Order) -> None:
    """Called as a function it makes the three files, and each call bears the name of its layer."""
    made: dict[str, bytes] = {}
    pipeline = application_pipeline(writer, deliver=made.__setitem__)

    prepared = await pipeline(order)

    assert set(made) == {"cv.pdf", "letter.pdf", "dossier.pdf"}
    letter = text_of(made["letter.pdf"])
    assert "I am applying for the Staff Data Engineer position at Acme Payments." in letter
    assert "24 November 2026" in letter
    assert "At Globex, I cut month-end close from nine days to three." in letter
    assert "Senior Data Engineer, Globex" in text_of(made["cv.pdf"])
    assert "Where each sentence is from" in text_of(made["dossier.pdf"])
    assert prepared.fit.score > 0
    assert [layer for layer, service, _ in calls(writer) if service == "writer"] == [
        "posting",
        "needs",
        "draft",
        "draft",
    ]


async def test_what_would_fail_later_fails_before_money_is_spent(writer: Governor, order: Order) -> None:
    """A CV that no font here can set, and a service that does not exist, are told by the first layer."""
    strange = order.cv.model_copy(update={"label": "\U00012000"})

    with pytest.raises(PdfTextError):
        await application_pipeline(writer)(order.model_copy(update={"cv": strange}))
    with pytest.raises(ConfigError):
        await application_pipeline(writer)(order.model_copy(update={"service": "nobody"}))

    assert {service for _, service, _ in calls(writer)} == {"pdf_service"}


@pytest.mark.parametrize(("shape", "before"), [("FactsAnswer", 0), ("NeedsAnswer", 1), ("DraftAnswer", 2)])
async def test_an_invalid_answer_stops_the_spending(
    shape: str, before: int, writer: Governor, order: Order, scripted: Scripted
) -> None:
    """After three bad answers of one layer no later layer asks anything."""
    scripted.answers[shape] = ""

    with pytest.raises(OutputError):
        await application_pipeline(writer)(order)

    assert scripted.asked[shape] == 3
    assert sum(scripted.asked.values()) == 3 + before


def ran(gov: Governor, order: Order, folder: Path, **more: Any) -> Finished:  # noqa: ANN401 - options of apply
    """Run *order* under a runner."""
    settings = {"job": "acme", "budget_usd": "1", **more}
    return apply(gov, order, folder=folder, **settings)


def test_a_run_has_a_line_for_each_layer_and_keeps_its_files(durable: Governor, order: Order, tmp_path: Path) -> None:
    """Progress, cost, record and files of a run are there, and the same command again costs nothing."""
    records, seen = Kept(), list[RunView]()

    done = ran(durable, order, tmp_path / "out", records=records, watch=seen.append)
    again = ran(durable, order, tmp_path / "out", records=records)

    assert tuple(layer.layer for layer in done.view.layers) == LAYERS
    assert {layer.status for layer in done.view.layers} == {"ok"}
    assert seen[-1].status == "ok"
    assert [path.name for path in sorted(done.files)] == ["cv.pdf", "dossier.pdf", "letter.pdf"]
    assert "Maria Santos" in text_of((tmp_path / "out" / "cv.pdf").read_bytes())
    assert [(job, run) for _, job, run in records.saved] == [("acme", run_name(order))]
    assert again.prepared == done.prepared
    assert again.view.cost == done.view.cost > 0
    assert len([one for one in calls(durable) if one[1] == "writer"]) == 4


def test_a_provider_that_dies_in_the_fourth_layer_costs_no_finished_layer(
    durable: Governor, order: Order, scripted: Scripted, tmp_path: Path
) -> None:
    """The run ends there with the layers before it kept; asked again, it goes on with the one that failed."""
    facts = {**scripted.answers["FactsAnswer"], "must_haves": ["Kafka"]}
    scripted.answers["FactsAnswer"] = facts
    scripted.before = lambda name, _: httpx2.Response(401) if name == "FitAnswer" else None

    failed = ran(durable, order, tmp_path / "out")
    scripted.before = lambda _name, _count: None
    done = ran(durable, order, tmp_path / "out")

    assert failed.view.status == "failed"
    assert "fit" in (failed.view.error or "")
    assert [layer.status for layer in failed.view.layers][:5] == ["ok", "ok", "ok", "ok", "failed"]
    assert done.prepared is not None
    assert (scripted.asked["FactsAnswer"], scripted.asked["NeedsAnswer"], scripted.asked["FitAnswer"]) == (1, 1, 2)


def test_an_open_breaker_pauses_the_run_until_it_closes(
    durable: Governor, order: Order, scripted: Scripted, tmp_path: Path
) -> None:
    """A refusal is no failure: the run waits with what it has, and says when it goes on by itself."""
    scripted.before = lambda name, _: httpx2.Response(503) if name == "NeedsAnswer" else None

    done = ran(durable, order.model_copy(update={"service": "frail"}), tmp_path / "out")

    assert done.view.status == "paused"
    assert "breaker" in (done.view.reason or "") or "circuit" in (done.view.reason or "")
    assert done.view.due_at > durable.clock.moment().wall
    kept = {layer.layer: layer.status for layer in done.view.layers}
    assert (kept["check"], kept["posting"], kept["needs"]) == ("ok", "ok", "paused")
    assert scripted.asked["NeedsAnswer"] == 1


def test_a_small_budget_with_skip_goes_on_without_the_model(durable: Governor, order: Order, tmp_path: Path) -> None:
    """With on_refused = skip the layers that don't fit are left out, and the CV's own words make the application."""
    done = ran(durable, order, tmp_path / "out", budget_usd="0.0001", on_refused="skip")

    statuses = {layer.layer: layer.status for layer in done.view.layers}
    assert done.view.status == "ok"
    assert (statuses["posting"], statuses["draft"], statuses["pdf"]) == ("skipped", "skipped", "ok")
    assert done.prepared is not None
    assert set(done.prepared.draft.letter.points) <= {one.text for one in order.cv.statements()}
    assert done.view.cost == 0


def test_a_small_budget_with_pause_waits(durable: Governor, order: Order, scripted: Scripted, tmp_path: Path) -> None:
    """With on_refused = pause the run says which budget stopped it, and nothing is spent."""
    done = ran(durable, order, tmp_path / "out", budget_usd="0.0001", on_refused="pause")

    assert done.view.status == "paused"
    assert "posting" in (done.view.reason or "")
    assert done.prepared is None
    assert scripted.asked.total() == 0


def test_an_estimate_is_an_upper_bound(writer: Governor, order: Order) -> None:
    """It names every layer that asks a model, has a price, and grows with the profile."""
    found = {
        name: estimate(writer, order.model_copy(update={"profile": name})) for name in ("fast", "balanced", "quality")
    }

    assert [one.layer for one in found["fast"].layers] == ["posting", "draft"]
    assert [one.layer for one in found["balanced"].layers] == ["posting", "needs", "fit", "draft"]
    costs = [found[name].usd for name in ("fast", "balanced", "quality")]
    assert None not in costs
    assert costs == sorted(costs, key=lambda usd: usd or Decimal(0))
    assert calls(writer) == []


async def test_the_truth_is_below_the_estimate(writer: Governor, order: Order) -> None:
    """What a run really costs is less than what was said before."""
    expected = estimate(writer, order).usd

    await application_pipeline(writer)(order)

    spent = sum(row.cost or 0 for row in writer.ledger.reader.calls(limit=50).items)
    assert expected is not None
    assert 0 < spent <= expected * 10**9


def test_a_model_without_a_price_has_no_estimate(order: Order) -> None:
    """Unknown is not free."""
    with governor("[services.writer]\nkind = 'openai'\nbase_url = 'http://x.example'\nunpriced = 'allow'\n") as gov:
        assert estimate(gov, order).usd is None


def test_a_server_finds_the_pipeline_by_its_place(writer: Governor) -> None:
    """`[runner] pipelines` may name a function that makes the pipeline of a governor."""
    found = pipeline_at("jobsmith.serving:apply", writer)

    assert (found.name, found.view().layers) == ("apply", LAYERS)
    assert "posting" in str(found.view().input_schema)
