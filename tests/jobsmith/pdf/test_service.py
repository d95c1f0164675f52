from __future__ import annotations

import asyncio
import threading

import pytest

from jobsmith.errors import PdfError, PdfTextError
from jobsmith.pdf.documents import LetterDocument
from jobsmith.pdf.service import PdfService
from switchgear import BreakerOpen, ConfigError, Governor, RateLimited
from switchgear.testing import ManualClock, governor

LETTER = LetterDocument(name="Ada", subject="Application")


def failing(*_: object, **__: object) -> bytes:
    """A typesetter that is ill."""
    msg = "typst is ill"
    raise PdfError(msg)


def unset(*_: object, **__: object) -> bytes:
    """A typesetter that has no font."""
    msg = "no font"
    raise PdfTextError(msg)


async def test_a_pdf_is_one_governed_call(gov: Governor) -> None:
    """The call is in the ledger, under the kind of document."""
    made = await PdfService(gov).render(LETTER, paper="letter")

    rows = gov.ledger.reader.calls(limit=5).items
    assert made.startswith(b"%PDF")
    assert [(row.service, row.endpoint, row.status) for row in rows] == [("pdf_service", "letter", "ok")]


async def test_three_failures_open_the_breaker_for_a_minute() -> None:
    """The fourth is refused without being tried; after 60 seconds one is tried again."""
    clock = ManualClock(1_800_000_000.0)
    with governor(clock=clock) as gov:
        for _ in range(3):
            with pytest.raises(PdfError):
                await PdfService(gov, typesets=failing).render(LETTER)
        with pytest.raises(BreakerOpen) as refused:
            await PdfService(gov).render(LETTER)
        clock.advance(60.1)

        assert (await PdfService(gov).render(LETTER)).startswith(b"%PDF")
    assert refused.value.retry_after == pytest.approx(60)


async def test_a_text_that_cannot_be_set_is_no_failure_of_the_service(gov: Governor) -> None:
    """However many such documents come, the breaker stays closed for the others."""
    for _ in range(5):
        with pytest.raises(PdfTextError):
            await PdfService(gov, typesets=unset).render(LETTER)

    assert (await PdfService(gov).render(LETTER)).startswith(b"%PDF")


async def test_a_full_service_refuses_who_does_not_wait() -> None:
    """No more documents are set at a time than limits.concurrent says."""
    going, go_on = threading.Semaphore(0), threading.Event()

    def slow(*_: object, **__: object) -> bytes:
        going.release()
        go_on.wait(10)
        return b"%PDF"

    with governor("[services.pdf_service]\nlimits.concurrent = 2\n") as gov:
        service = PdfService(gov, typesets=slow)
        first = [asyncio.create_task(service.render(LETTER)) for _ in range(2)]
        for _ in first:
            await asyncio.to_thread(going.acquire, timeout=10)
        with pytest.raises(RateLimited) as refused:
            await service.render(LETTER, max_wait=0)
        go_on.set()

        assert await asyncio.gather(*first) == [b"%PDF"] * 2
        assert await service.render(LETTER, max_wait=0) == b"%PDF"
    assert refused.value.rule == "concurrent"


async def test_its_health_is_known_at_the_start(gov: Governor) -> None:
    """The check sets a real document, and says what is wrong."""
    await PdfService(gov).check()

    with pytest.raises(PdfError, match="ill"):
        await PdfService(gov, typesets=failing).check()


async def test_without_the_service_there_is_none() -> None:
    """A configuration that does not name pdf_service has no PDF service."""
    with governor("[services.openai]\n") as gov, pytest.raises(ConfigError, match="pdf_service"):
        PdfService(gov)
