from __future__ import annotations

import json
from collections.abc import Callable

import httpx2
import pytest
from fastapi import FastAPI

from jobsmith.errors import PdfError
from jobsmith.http import pdf_routes
from jobsmith.pdf.service import PdfService
from jobsmith.pdf.setting import LARGEST, typeset
from switchgear import Governor
from switchgear.testing import governor

LETTER = {"kind": "letter", "name": "Ada", "subject": "Application", "opening": ["Good day."]}
JSON = {"content-type": "application/json"}


async def posted(
    gov: Governor,
    body: object,
    *,
    query: str = "",
    typesets: Callable[..., bytes] = typeset,
    kind: str = JSON["content-type"],
) -> httpx2.Response:
    """Send *body* to an app that has the route alone."""
    app = FastAPI()
    app.include_router(pdf_routes(PdfService(gov, typesets=typesets)))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://pdf") as client:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await client.post(f"/api/pdf{query}", content=content, headers={"content-type": kind})


async def test_a_document_comes_back_as_a_pdf(gov: Governor, text_of: Callable[[bytes], str]) -> None:
    """What is posted as JSON is answered as a file of the right type, on the paper that was asked for."""
    answer = await posted(gov, LETTER, query="?paper=letter")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert "Good day." in text_of(answer.content)


BAD = {
    "no JSON": (b"{", "", 400),
    "another kind": ({"kind": "poem", "name": "Ada"}, "", 400),
    "unknown key": ({**LETTER, "markup": "x"}, "", 400),
    "too long a line": ({**LETTER, "opening": ["x" * 5000]}, "", 400),
    "no font": ({**LETTER, "opening": ["\U00012000"]}, "", 400),
    "unknown paper": (LETTER, "?paper=a5", 400),
    "too large": (b" " * (LARGEST + 1), "", 413),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_wrong_request_is_told_in_one_shape(gov: Governor, case: str) -> None:
    """Each mistake is answered as problem+json with a sentence."""
    body, query, status = BAD[case]

    answer = await posted(gov, body, query=query)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].endswith(".")


async def test_forms_are_not_taken(gov: Governor) -> None:
    """A page of somebody else can't make a browser send a document."""
    assert (await posted(gov, LETTER, kind="text/plain")).status_code == 415


async def test_a_full_service_and_an_open_breaker_answer_503() -> None:
    """Who comes when no more can be set is told when to come again; the breaker opens at the third failure."""

    def failing(*_: object, **__: object) -> bytes:
        msg = "typst is ill"
        raise PdfError(msg)

    with governor("[services.pdf_service]\nlimits.requests_per_minute = 4\n") as gov:
        failed = [await posted(gov, LETTER, typesets=failing) for _ in range(3)]
        refused = await posted(gov, LETTER)

        assert [one.status_code for one in failed] == [500] * 3
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) == 60
