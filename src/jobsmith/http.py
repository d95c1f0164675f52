"""The PDF service over HTTP: ``POST /api/pdf`` with a document as JSON, answered by the PDF."""

from __future__ import annotations

import json
import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from fastapi import APIRouter
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation when it runs
from starlette.responses import JSONResponse, Response

from jobsmith.errors import PdfError, PdfTextError
from jobsmith.pdf.documents import CvDocument, Document, DossierDocument, LetterDocument, Paper
from jobsmith.pdf.setting import LARGEST
from switchgear import BreakerOpen, RateLimited, Refused

if TYPE_CHECKING:
    from jobsmith.pdf.service import PdfService

__all__ = ["pdf_routes"]

_ADAPTER: Final[TypeAdapter[CvDocument | LetterDocument | DossierDocument]] = TypeAdapter(Document)
_PAPERS: Final = ("a4", "letter")


def pdf_routes(service: PdfService) -> APIRouter:
    """Return the route, served by *service*.

    200 is the PDF; 400, 413 and 415 say what is wrong with the request; 503 with ``Retry-After`` means that the
    service is full or its breaker open, 402 that a budget is used up.
    """
    router = APIRouter()

    @router.post(
        "/api/pdf",
        summary="Set a CV, a letter or a dossier as an accessible PDF",
        response_class=Response,
        responses={
            200: {"content": {"application/pdf": {}}, "description": "The PDF (PDF/UA-1)"},
            **{status: {"description": HTTPStatus(status).phrase} for status in (400, 402, 413, 415, 500, 503)},
        },
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": _schema()}}}},
    )
    async def pdf(request: Request, paper: str = "a4") -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return _problem(415, "Send application/json.")
        if paper not in _PAPERS:
            return _problem(400, "paper is a4 or letter.", valid=_PAPERS)
        body = await _body(request)
        if body is None:
            return _problem(413, f"A document here has at most {LARGEST:,} bytes.")
        try:
            document = _ADAPTER.validate_json(body)
        except ValidationError as error:
            return _problem(400, _told(error))
        return await _made(service, document, cast("Paper", paper))

    return router


async def _made(service: PdfService, document: CvDocument | LetterDocument | DossierDocument, paper: Paper) -> Response:
    try:
        made = await service.render(document, paper=paper, max_wait=0)
    except PdfTextError as error:
        return _problem(400, f"{error}.")
    except PdfError as error:
        return _problem(500, f"{error}.")
    except Refused as error:
        wait = {} if error.retry_after is None else {"retry-after": str(max(1, math.ceil(error.retry_after)))}
        is_full = isinstance(error, (RateLimited, BreakerOpen))
        return _problem(503 if is_full else 402, f"{error}.", headers={"retry-after": "1", **wait} if is_full else wait)
    return Response(
        made,
        media_type="application/pdf",
        headers={
            "content-disposition": f'attachment; filename="{document.kind}.pdf"',
            "x-content-type-options": "nosniff",
        },
    )


async def _body(request: Request) -> bytes | None:
    """Return the body, None if it is too large."""
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > LARGEST:
            return None
        pieces.append(piece)
    return b"".join(pieces)


def _told(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"The document is not valid: {f'{where}: ' if where else ''}{first['msg']}."


def _problem(status: int, detail: str, *, headers: dict[str, str] | None = None, **extra: object) -> Response:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **extra}
    return JSONResponse(body, status_code=status, media_type="application/problem+json", headers=headers)


def _schema() -> dict[str, Any]:
    """Return the schema of a body, whole in itself."""
    found = _ADAPTER.json_schema()
    definitions = found.pop("$defs", {})

    def inlined(node: Any) -> Any:  # noqa: ANN401 - any JSON
        if isinstance(node, dict):
            if "$ref" in node:
                return inlined(definitions[node["$ref"].rpartition("/")[2]])
            return {key: inlined(value) for key, value in node.items() if key != "discriminator"}
        return [inlined(one) for one in node] if isinstance(node, list) else node

    return cast("dict[str, Any]", json.loads(json.dumps(inlined(found))))
