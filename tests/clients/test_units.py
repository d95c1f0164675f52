"""Units through the whole gate: reserved, counted, priced."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest

from switchgear.ledger.views import CallRow
from switchgear.testing import FakeProvider, fake_provider, governor

PAGE = (Path(__file__).parents[2] / "docs" / "http-apis.md").read_text(encoding="utf-8")
FIRECRAWL, PDF = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[1:]
URL = "https://api.firecrawl.dev/v2"


def _row(answer: object, method: str, path: str, json: object = None) -> CallRow:
    with governor(FIRECRAWL.replace('api_key_env = "FIRECRAWL_API_KEY"', "")) as gov, fake_provider(gov) as provider:
        provider.reply(json=answer)
        with gov.http_client("firecrawl") as client:
            client.request(method, URL + path, json=json)
        (row,) = gov.ledger.reader.calls().items
        return row


@pytest.mark.parametrize(
    ("method", "path", "request_json", "answer", "used", "reserved"),
    [
        ("POST", "/scrape", {"url": "u"}, {"data": {"metadata": {"creditsUsed": 5}}}, 5, 10),
        ("POST", "/scrape", {"url": "u"}, {"data": {}}, 1, 10),
        ("POST", "/map", {"url": "u"}, {"links": [], "creditsUsed": 1}, 1, 10),
        ("POST", "/search", {"query": "q"}, {"data": {}, "creditsUsed": 4}, 4, 20),
        ("POST", "/crawl", {"url": "u", "limit": 30}, {"id": "1"}, 30, 30),
        ("POST", "/crawl", {"url": "u"}, {"id": "1"}, 10_000, 10_000),
        ("POST", "/batch/scrape", {"urls": ["a", "b"]}, {"id": "1"}, 2, 2),
        ("GET", "/crawl/1", None, {"status": "completed", "creditsUsed": 30}, 0, 0),
    ],
)
def test_the_recipe_of_firecrawl(
    method: str, path: str, request_json: object, answer: object, used: int, reserved: int
) -> None:
    """Credits are reserved at their most, counted from the answer, and priced."""
    row = _row(answer, method, path, request_json)

    assert (row.cost, row.reserved, row.estimated) == (used * 830_000, reserved * 830_000, False)
    assert dict(row.units) == ({"credits": used} if used else {})


def _ask(client: httpx2.Client, provider: FakeProvider, pages: str | None) -> httpx2.Response:
    provider.reply(json={}, headers=None if pages is None else {"x-pages": pages})
    return client.post("https://pdf.example.com/render", json={})


def test_a_budget_holds_for_pages() -> None:
    """A call goes out only while the most that it can use has room; an answer without its number counts the most."""
    with governor(PDF) as gov, fake_provider(gov) as provider, gov.http_client("pdf_service") as client:
        for _ in range(9):
            assert _ask(client, provider, None).status_code == httpx2.codes.OK
        assert _ask(client, provider, "150").status_code == httpx2.codes.OK
        refused = client.post("https://pdf.example.com/render", json={})
        assert (refused.status_code, refused.headers["x-switchgear-refused"]) == (402, "budget")
        _, known, unknown, *_ = gov.ledger.reader.calls().items
        assert (known.cost, known.estimated) == (1_500_000_000, False)
        assert (unknown.cost, unknown.estimated) == (2_000_000_000, True)
