from __future__ import annotations

from fastapi import FastAPI
from starlette.testclient import TestClient

from switchgear import Governor
from switchgear.server.jobs import install_jobs
from switchgear.testing import governor

LETTER = {"kind": "letter", "name": "Ada", "subject": "Application"}


def test_a_server_with_the_service_sets_pdfs(gov: Governor) -> None:
    """The route is there, is in the OpenAPI document, and its calls are in the ledger."""
    app = FastAPI()
    install_jobs(app, gov)

    answer = TestClient(app).post("/api/pdf", json=LETTER)

    assert answer.content.startswith(b"%PDF")
    assert "/api/pdf" in app.openapi()["paths"]
    assert [row.service for row in gov.ledger.reader.calls(limit=5).items] == ["pdf_service"]


def test_a_server_without_the_service_has_no_route() -> None:
    """Who does not configure pdf_service serves no PDFs."""
    app = FastAPI()
    with governor("[services.openai]\n") as gov:
        install_jobs(app, gov)

    assert TestClient(app).post("/api/pdf", json=LETTER).status_code == 404
