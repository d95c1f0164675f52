"""The PDF service: setting documents, as calls of the governed service ``pdf_service``."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from jobsmith.errors import PdfTextError
from jobsmith.pdf.documents import LetterDocument
from jobsmith.pdf.setting import typeset

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobsmith.pdf.documents import CvDocument, DossierDocument, Paper
    from switchgear import Governor

__all__ = ["SERVICE", "PdfService"]

SERVICE: Final = "pdf_service"
_SAMPLE: Final = LetterDocument(name="Ada Lovelace", subject="Is the PDF service well?")


class PdfService:
    """Sets documents in threads, no more at a time than the service's ``limits.concurrent``.

    Three failures in a row open its breaker for a minute, unless the configuration says otherwise. A document that
    can't be set because of its text is no failure of the service.

    Args:
        governor: it has the service *pdf_service*.
        typesets: what sets a document; default: typst.

    Raises:
        ConfigError: there is no such service.
    """

    def __init__(self, governor: Governor, *, typesets: Callable[..., bytes] = typeset) -> None:
        governor.service(SERVICE)
        self._governor: Final = governor
        self._typesets: Final = typesets

    async def render(
        self,
        document: CvDocument | LetterDocument | DossierDocument,
        *,
        paper: Paper = "a4",
        max_wait: float | None = None,
    ) -> bytes:
        """Return *document* as an accessible PDF (PDF/UA-1).

        Args:
            document: what it says.
            paper: A4 or US Letter.
            max_wait: seconds to queue at most while the service is full; default: the service's ``max_wait``.

        Raises:
            Refused: the service is full (*RateLimited*), or its breaker is open (*BreakerOpen*).
            PdfTextError: the text can't be set, whoever tries.
            PdfError: typst failed.
        """
        at = datetime.fromtimestamp(int(self._governor.clock.now()), UTC)
        refused: PdfTextError | None = None
        made = b""
        async with self._governor.call(SERVICE, endpoint=document.kind, max_wait=max_wait):
            try:
                made = await asyncio.to_thread(self._typesets, document, paper=paper, at=at)
            except PdfTextError as error:
                refused = error
        if refused is not None:
            raise refused
        return made

    async def check(self) -> None:
        """Set a small document, so that what is not well is known at the start; raises as *render*."""
        await self.render(_SAMPLE, max_wait=0)
