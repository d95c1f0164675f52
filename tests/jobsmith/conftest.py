from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from jobsmith.inputs.cv import cv_from_bytes
from jobsmith.inputs.posting import posting_of
from jobsmith.nouns import Order
from switchgear import Governor
from switchgear.clients.upstream import Upstream
from switchgear.testing import governor

POSTING = """
Staff Data Engineer at Acme Payments

Acme Payments moves money for 40,000 shops. You will own the pipelines behind the daily settlement report.
The report takes eleven hours today and must take two. You bring Python, SQL and Airflow. Kafka is a plus.
"""
CV = """
# Maria Santos
maria@example.org

## Profile
Data engineer with eight years of experience in finance.

## Experience
### Senior Data Engineer, Globex (2019 - present)
- Led a team of 5 engineers and cut month-end close from nine days to three.
- Mentored juniors.
### Data Engineer, Initech (2016 - 2019)
- Built 40 pipelines in Python and Airflow for insurance clients.
- Mentored juniors.

## Skills
Python, SQL, Airflow
"""
SETTINGS = """
[services.writer]
kind = "openai"
provider = "own"
base_url = "https://writer.example"
limits = {}
prices = { "m" = { input = "1", output = "2" } }
[services.frail]
kind = "openai"
provider = "own"
base_url = "https://frail.example"
limits = {}
breaker = { failure_threshold = 1, recovery_timeout = "1h" }
prices = { "m" = { input = "1", output = "2" } }
[services.claude]
kind = "anthropic"
provider = "own"
base_url = "https://claude.example"
limits = {}
prices = { "m" = { input = "1", output = "2" } }
[services.pdf_service]
limits = {}
[services.firecrawl]
limits = {}
"""
GOOD: dict[str, dict[str, Any]] = {
    "FactsAnswer": {
        "company": "Acme Payments",
        "role": "Staff Data Engineer",
        "seniority": "lead",
        "must_haves": ["Python, SQL and Airflow", "a doctorate in astronomy"],
        "keywords": ["Kafka", "Python", "Blockchain"],
    },
    "NeedsAnswer": {
        "pain_points": [{"sentence": 3, "text": "the report is slow"}, {"sentence": 99, "text": "made up"}],
        "measures": [{"sentence": 3, "text": "two hours"}],
    },
    "FitAnswer": {"shown": [{"must_have": 1, "statement": "e2.1"}]},
    "DraftAnswer": {
        "letter": [
            {"statement": "e1.1", "text": "At Globex, I cut month-end close from nine days to three."},
            {"statement": "e2.1", "text": "I built 4000 pipelines in Rust for Google."},
        ],
        "about_you": ["You will own the pipelines behind the daily settlement report. I know Kafka."],
        "summary": ["Data engineer with eight years of experience in finance.", "Expert in rockets."],
    },
    "_Rewritten": {"letter": [{"statement": "e2.1", "text": "I built 40 pipelines in Python and Airflow."}]},
}


class Scripted(Upstream):
    """A provider that answers each question by the name of its shape, and counts them.

    *before* is asked first, with the shape's name and how often that was asked; what it returns is the answer.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = dict(GOOD)
        self.asked: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.before: Callable[[str, int], httpx2.Response | None] = lambda _name, _count: None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(await request.aread())
        self.bodies.append(body)
        if "tools" in body:
            fields = set(body["tools"][0]["input_schema"]["properties"])
            name = next(name for name, answer in GOOD.items() if set(answer) == fields)
        else:
            name = body["response_format"]["json_schema"]["name"]
        self.asked[name] += 1
        early = self.before(name, self.asked[name])
        if early is not None:
            return early
        said = self.answers[name]
        usage = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
        if "tools" in body:
            content = [{"type": "tool_use", "id": "t", "name": "answer", "input": said}]
            spent = {"input_tokens": 100, "output_tokens": 50}
            return httpx2.Response(200, json={"model": "m", "content": content, "usage": spent})
        text = said if isinstance(said, str) else json.dumps(said)
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        return httpx2.Response(200, json={"id": "c", "model": "m", "choices": [choice], "usage": usage})


@pytest.fixture
def scripted() -> Scripted:
    """Give a provider that answers well."""
    return Scripted()


@pytest.fixture
def writer(scripted: Scripted) -> Iterator[Governor]:
    """Give a governor whose models are *scripted*, in memory and on time that stands still."""
    with governor(SETTINGS) as one:
        one.upstream = scripted
        yield one


@pytest.fixture
def order() -> Order:
    """Give an order for the model *m* of *writer*."""
    return Order(
        posting=posting_of(POSTING),
        cv=cv_from_bytes(CV.strip().encode(), origin="cv.md"),
        service="writer",
        model="m",
        date="24 November 2026",
    )


@pytest.fixture
def durable(scripted: Scripted, tmp_path: Path) -> Iterator[Governor]:
    """Give a governor with a ledger on disk and real time, for runs."""
    from switchgear.config import load_text

    more = "\n[ledger]\nurl = " + json.dumps(f"sqlite:///{tmp_path}/ledger.db")
    with Governor(load_text(SETTINGS + more)) as one:
        one.upstream = scripted
        yield one
