"""What a server has more of where job applications are installed (extra ``jobs``): the PDF service over HTTP."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fastapi import FastAPI

    from switchgear.clients.governor import Governor

__all__ = ["install_jobs"]

_SERVICE: Final = "pdf_service"


def install_jobs(app: FastAPI, governor: Governor) -> None:
    """Add ``POST /api/pdf`` to *app*, if typst is installed and *governor* has the service ``pdf_service``."""
    if _SERVICE not in governor.config.services or find_spec("typst") is None:
        return
    from jobsmith.http import pdf_routes
    from jobsmith.pdf.service import PdfService

    app.include_router(pdf_routes(PdfService(governor)))
