"""The pipeline *apply*: a posting and a CV in, an application out. With a runner it survives; without, it just runs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from jobsmith.asking import Asker
from jobsmith.inputs.firecrawl import has_firecrawl
from jobsmith.layers.documents import cv_document, dossier_document, letter_document, whole_cv
from jobsmith.layers.draft import draft_by_words, write_draft
from jobsmith.layers.facts import facts_by_words, read_posting
from jobsmith.layers.fit import fit_by_words, rate_fit
from jobsmith.layers.gate import check_draft
from jobsmith.layers.needs import needs_by_words, read_needs
from jobsmith.layers.research import research_company, research_key
from jobsmith.nouns import Draft, Files, Fit, Gate, Needs, Order, PostingFacts, Prepared, Research
from jobsmith.pdf.service import PdfService
from jobsmith.profiles import profile_for
from switchgear import attribution
from switchgear.runner import SkippedLayer, artefact, layer, log, pipeline, progress, running_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from jobsmith.pdf.documents import CvDocument, DossierDocument, LetterDocument
    from switchgear import Governor
    from switchgear.runner import OnRefused, Pipeline

__all__ = ["LAYERS", "NAME", "Records", "application_pipeline"]

NAME: Final = "apply"
"""What the pipeline is called."""

LAYERS: Final = ("check", "posting", "needs", "research", "fit", "draft", "gate", "pdf", "record")

T = TypeVar("T")


class Records(Protocol):
    """Where applications are recorded."""

    def save(self, prepared: Prepared, *, job: str | None, run: str | None) -> None:
        """Record *prepared*; saying the same twice changes nothing."""


def application_pipeline(  # noqa: C901 - nine layers, each a few lines
    governor: Governor,
    *,
    records: Records | None = None,
    on_refused: OnRefused = "pause",
    deliver: Callable[[str, bytes], object] | None = None,
) -> Pipeline[[Order], Coroutine[Any, Any, Prepared]]:
    """Return the pipeline over *governor*, to hand to a *Runner* or to call.

    Args:
        governor: it has the order's model service and ``pdf_service``.
        records: where the application is recorded at the end; None: nowhere.
        on_refused: what a run does when the gate refuses a call of a model: ``fail``; ``pause`` until the refusal
            has passed; ``skip``, which goes on without the model, by the words of CV and posting alone.
        deliver: is given each file's name and bytes; a run keeps them as artefacts anyway.
    """
    steps = _Steps(governor, deliver)

    @layer(name="check", timeout="1m")
    async def check(order: Order) -> bool:
        with _at("check"):
            return await steps.check(order)

    @layer(name="posting", on_refused=on_refused)
    async def posting(order: Order) -> PostingFacts:
        with _at("posting"):
            return await read_posting(order, asker=steps.asker(order), profile=profile_for(order.profile))

    @layer(name="needs", on_refused=on_refused)
    async def needs(order: Order, facts: PostingFacts) -> Needs:
        with _at("needs"):
            return await read_needs(order, facts, asker=steps.asker(order), profile=profile_for(order.profile))

    @layer(name="research", on_refused="skip", cache_key=steps.research_key, cache_for="7d")
    async def research(facts: PostingFacts) -> Research:
        with _at("research"):
            return await research_company(facts, governor=governor)

    @layer(name="fit", on_refused=on_refused)
    async def fit(order: Order, facts: PostingFacts) -> Fit:
        with _at("fit"):
            return await rate_fit(order, facts, asker=steps.asker(order), profile=profile_for(order.profile))

    @layer(name="draft", on_refused=on_refused)
    async def draft(order: Order, facts: PostingFacts, read: Needs, known: Research, rated: Fit) -> Draft:
        with _at("draft"):
            profile = profile_for(order.profile, score=rated.score)
            made = await write_draft(order, facts, read, known, rated, asker=steps.asker(order), profile=profile)
            log(f"{len(made.report)} lines with a source, {len(made.refused)} of the model's sentences refused")
            return made

    @layer(name="gate")
    async def gate(order: Order, facts: PostingFacts, known: Research, made: Draft) -> Gate:
        return check_draft(order, facts, known, made)

    @layer(name="pdf", on_refused="pause" if on_refused == "skip" else on_refused)
    async def pdf(
        order: Order, facts: PostingFacts, read: Needs, known: Research, rated: Fit, made: Draft, passed: Gate
    ) -> Files:
        with _at("pdf"):
            return await steps.set_all(order, facts, read, known, rated, made, passed)

    @layer(name="record")
    async def record(prepared: Prepared) -> bool:
        if records is None:
            return False
        here = running_layer()
        records.save(prepared, job=here.job if here else None, run=here.run if here else None)
        return True

    @pipeline(name=NAME, layers=LAYERS)
    async def apply(order: Order) -> Prepared:
        """Prepare an application: tailored CV, letter and dossier, each sentence from the master CV."""
        await check(order)
        facts = _or(await posting(order), lambda: facts_by_words(order))
        read = _or(await needs(order, facts), lambda: needs_by_words(order, facts))
        known = _or(await research(facts), lambda: Research(skipped="the gate refused to look for it"))
        rated = _or(await fit(order, facts), lambda: fit_by_words(order, facts))
        profile = profile_for(order.profile, score=rated.score)
        made = _or(
            await draft(order, facts, read, known, rated),
            lambda: draft_by_words(order, facts, read, known, rated, profile=profile),
        )
        passed = await gate(order, facts, known, made)
        files = await pdf(order, facts, read, known, rated, made, passed)
        prepared = Prepared(
            facts=facts,
            needs=read,
            research=known,
            fit=rated,
            draft=made,
            gate=passed,
            files=files,
            origin=order.posting.origin,
            digest=order.posting.digest,
        )
        await record(prepared)
        return prepared

    return apply


class _Steps:
    """What the layers share."""

    def __init__(self, governor: Governor, deliver: Callable[[str, bytes], object] | None) -> None:
        self._governor: Final = governor
        self._deliver: Final = deliver
        self._pdf: Final = PdfService(governor)

    def asker(self, order: Order) -> Asker:
        return Asker(self._governor, service=order.service, model=order.model)

    def research_key(self, facts: PostingFacts) -> str:
        return f"{has_firecrawl(self._governor)} {research_key(facts)}"

    async def check(self, order: Order) -> bool:
        """Find what would fail later, before anything is spent: the model's service, typst, fonts for the CV."""
        self.asker(order)
        await self._pdf.render(whole_cv(order.cv), paper=order.paper)
        return True

    async def set_all(
        self,
        order: Order,
        facts: PostingFacts,
        read: Needs,
        known: Research,
        rated: Fit,
        made: Draft,
        passed: Gate,
    ) -> Files:
        documents: dict[str, CvDocument | LetterDocument | DossierDocument] = {
            "cv.pdf": cv_document(order.cv, made.cv),
            "letter.pdf": letter_document(order, facts, made),
            "dossier.pdf": dossier_document(order, facts, read, known, rated, made, passed),
        }
        for at, (name, document) in enumerate(documents.items(), 1):
            content = await self._pdf.render(document, paper=order.paper)
            artefact(name, content, media_type="application/pdf")
            if self._deliver is not None:
                self._deliver(name, content)
            progress(at, len(documents), name)
        return Files(cv="cv.pdf", letter="letter.pdf", dossier="dossier.pdf")


@contextmanager
def _at(name: str) -> Iterator[None]:
    """Let calls inside bear the layer's name, with a runner and without."""
    with attribution(layer=name):
        yield


def _or(found: T | SkippedLayer, otherwise: Callable[[], T]) -> T:
    return otherwise() if isinstance(found, SkippedLayer) else found
