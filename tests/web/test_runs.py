from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from starlette.testclient import TestClient
from tests.web.browsing import ARTEFACTS, SIZES, Site, open_page, sideways, violations

from switchgear.clients.governor import Governor
from switchgear.config import load_text
from switchgear.runner import Runner, artefact, governor, layer, log, pipeline, progress
from switchgear.web.app import create_app

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from tests.web.conftest import Place

pytestmark = pytest.mark.e2e

HOSTILE = "<script>alert(1)</script>"
SETTINGS = """
[services.tool]
kind = "http"
base_url = "http://127.0.0.1:9"
prices = { "*" = { request = "0.002" } }
limits = { requests_per_minute = 100000 }

[[budgets]]
name = "each-job"
each = "job"
limit_usd = "0.005"
"""


class Gate:
    """Lets the last layer of a run go on."""

    opened = threading.Event()


async def pay(times: int) -> None:
    """Make governed calls."""
    for _ in range(times):
        async with governor().call("tool", units={"request": 1}):
            pass


@layer(budget_usd="0.05")
async def read(company: str) -> str:
    """Read it."""
    await pay(1)
    artefact("posting.md", f"# {company}")
    artefact("page.html", HOSTILE)
    return company


@layer(on_refused="pause")
async def write(company: str) -> str:
    """Write it."""
    progress(1, 3, "the first paragraph")
    log(f"writing to {company}")
    await pay(2)
    if company == "slow":
        await asyncio.to_thread(Gate.opened.wait, 60)
    if company.startswith("<"):
        msg = f"nobody is called {company}"
        raise ValueError(msg)
    return f"Dear {company}"


@pipeline(name="apply", layers=[read, write])
async def apply(company: str) -> str:
    """Write an application."""
    return await write(await read(company))


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """Give a runner whose runs are done, failed, paused, cancelled and under way."""
    folder = tmp_path_factory.mktemp("runs")
    environ = {"SWITCHGEAR_LEDGER__URL": f"sqlite:///{folder}/ledger.db"}
    with (
        Governor(load_text(SETTINGS, environ=environ)) as gate,
        Runner(gate, url=f"sqlite:///{folder}/runs.db", pipelines=[apply], heartbeat="50ms", drain="1s") as one,
    ):
        for run, company, job in (
            ("done", "acme", None),
            ("failed", HOSTILE, None),
            ("paused", "acme", "poor"),
        ):
            one.submit("apply", company, run=run, job=job, budget_usd="0.10")
            one.wait(run, timeout=20)
        one.submit("apply", "acme", run="dropped", priority=-5)
        one.pause("dropped")
        one.wait("dropped", timeout=20)
        one.cancel("dropped")
        one.submit("apply", "slow", run="slow")
        while len(one.show("slow").layers) < 2 or one.show("slow").layers[1].status != "running":
            Gate.opened.wait(0.05)
        yield one
        Gate.opened.set()
        one.wait("slow", timeout=20)


@pytest.fixture(scope="module")
def site(full: Place, runner: Runner) -> Place:
    """Give a Switchgear with that runner."""
    deps = msgspec.structs.replace(full.deps, runner=runner)
    return msgspec.structs.replace(full, deps=deps, app=create_app(deps))


@pytest.fixture(scope="module")
def client(site: Place) -> TestClient:
    """Give a client of its API."""
    return TestClient(site.app)


def test_runs_are_listed_and_shown(client: TestClient) -> None:
    """The list is newest first with cost and layers; one run has its layers, progress, files and result."""
    found = client.get("/api/runs").json()
    assert [item["run"] for item in found["items"]] == ["slow", "dropped", "paused", "failed", "done"]
    assert [item["status"] for item in found["items"]] == ["running", "cancelled", "paused", "failed", "ok"]
    done = client.get("/api/runs/done").json()
    assert (done["cost_usd"], done["budget_usd"], done["output"]) == ("0.006", "0.1", "Dear acme")
    assert [layer["status"] for layer in done["layers"]] == ["ok", "ok"]
    assert [file["name"] for file in done["artefacts"]] == ["page.html", "posting.md"]
    slow = client.get("/api/runs/slow").json()
    assert slow["layers"][1] | {"done": 1.0, "total": 3.0, "note": "the first paragraph"} == slow["layers"][1]
    assert (slow["layers_done"], slow["layers_total"], slow["estimate_usd"]) == (1, 2, "0.006")
    assert client.get("/api/runs?status=failed").json()["items"][0]["run"] == "failed"


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("/api/runs/nobody", 404, "no run 'nobody'"),
        ("/api/runs/nobody/log", 404, "no run 'nobody'"),
        ("/api/runs?status=lost", 400, "one of queued, running"),
        ("/api/runs?after=x", 400, "not the next of a page"),
        ("/api/runs/done/artefacts/letter.pdf", 404, "no artefact 'letter.pdf'"),
        ("/api/runs/paused/artefacts/..%2Fruns.db", 404, "nothing"),
    ],
)
def test_what_is_not_there_is_said(client: TestClient, address: str, status: int, words: str) -> None:
    """A run, a file or a page that is not there is a problem that says so."""
    answer = client.get(address)
    assert answer.status_code == status
    assert words in answer.json()["detail"]


def test_a_run_is_started_once_and_checked_first(client: TestClient, runner: Runner) -> None:
    """Starting answers with the run in the queue; a wrong input, a second start and an unknown pipeline are refused."""
    body = {"pipeline": "apply", "input": {"company": "again"}, "run": "once", "budget_usd": "0.05"}
    assert client.post("/api/runs", json=body).json()["run"] == "once"
    assert client.post("/api/runs", json=body).status_code == 409
    runner.wait("once", timeout=20)
    for wrong, words in (
        ({"pipeline": "apply"}, "missing a required argument"),
        ({"pipeline": "apply", "input": {"company": 7}}, "company: Input should be a valid string"),
        ({"pipeline": "other"}, "no pipeline 'other'"),
        ({"pipeline": "apply", "input": {"company": "x"}, "budget_usd": "much"}, "budget_usd"),
        ({"pipeline": "apply", "input": {"company": "x"}, "run": "../x"}, "a run's name has"),
    ):
        answer = client.post("/api/runs", json=wrong)
        assert answer.status_code == 400
        assert words in answer.json()["detail"]


def test_commands_do_what_they_say_or_say_why_not(client: TestClient, runner: Runner) -> None:
    """A failed run is redone from a layer, a running one can't be resumed, a layer that is not there is told."""
    answer = client.post("/api/runs/failed/retry", json={"layer": "write", "by": "tester"})
    assert (answer.status_code, answer.json()["retries"]) == (200, 1)
    assert runner.wait("failed", timeout=20).layers[0].executions == 1
    assert client.post("/api/runs/slow/resume", json={}).status_code == 409
    assert client.post("/api/runs/failed/retry", json={"layer": "nothing"}).status_code == 409
    assert client.post("/api/runs/failed/cancel", json={"layer": "write"}).status_code == 400
    assert client.post("/api/runs/nobody/cancel", json={}).status_code == 404


def test_a_log_is_read_by_cursor_and_streamed_without_a_gap(client: TestClient) -> None:
    """Pages by cursor and the stream give the same lines; the stream goes on after the last id and says its end."""
    read: list[dict[str, Any]] = []
    after = 0
    while True:
        page = client.get(f"/api/runs/done/log?after={after}&limit=3").json()
        read += page["items"]
        after = page["next"]
        if page["ended"]:
            break
    assert [line["number"] for line in read] == list(range(1, len(read) + 1))

    def streamed(headers: dict[str, str]) -> list[dict[str, Any]]:
        text = client.get("/api/runs/done/log", headers={"accept": "text/event-stream"} | headers).text
        assert text.endswith("event: end\ndata: {}\n\n")
        return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {") and line != "data: {}"]

    assert streamed({}) == read
    assert streamed({"last-event-id": "4"}) == read[4:]


def test_files_of_runs_are_never_pages_of_ours(client: TestClient) -> None:
    """A file is saved under its name, sandboxed, and comes with its own bytes."""
    answer = client.get("/api/runs/done/artefacts/page.html")
    assert answer.text == HOSTILE
    assert answer.headers["content-disposition"] == 'attachment; filename="page.html"'
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_capacity_is_in_health_metrics_and_overview(client: TestClient) -> None:
    """What is active, of how many, is the same number wherever it is shown."""
    found = client.get("/api/health?strict=0").json()["runner"]
    assert (found["active_runs"], found["max_concurrency"], found["paused"], found["workers"]) == (1, 3, 1, 1)
    assert found["capacity_percent"] == pytest.approx(33.3)
    assert "switchgear_runner_active_runs 1.0" in client.get("/metrics").text
    assert "1 active of 3" in client.get("/").text


def test_pipelines_say_what_they_take(client: TestClient) -> None:
    """What can be started is listed with the schema of its input and an estimate."""
    (found,) = client.get("/api/pipelines").json()["items"]
    assert (found["name"], found["layers"], found["description"]) == (
        "apply",
        ["read", "write"],
        "Write an application.",
    )
    assert found["input_schema"]["properties"] == {"company": {"type": "string"}}
    assert found["estimate"]["cost_usd"] == "0.006"


def test_pages_do_without_scripts(client: TestClient, runner: Runner) -> None:
    """A form on the page pauses and resumes a run; what a run is called or says is text, not markup."""
    html = {"accept": "text/html"}
    page = client.get("/runs/failed", headers=html).text
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(1)" in page
    runner.submit("apply", "acme", run="by-form", job="poor-2")
    assert runner.wait("by-form", timeout=20).status == "paused"
    answer = client.post("/runs/by-form/cancel", data={"layer": ""}, headers=html, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs/by-form?done=cancel")
    assert runner.show("by-form").status == "cancelled"
    assert client.post("/runs/by-form/explode", data={"layer": ""}, headers=html).status_code == 404
    assert client.get("/runs/nobody", headers=html).status_code == 404


@pytest.mark.parametrize(("theme", "size"), [*itertools.product(["light", "dark"], SIZES)])
def test_pages_of_runs_look_right_to_everybody(
    browser: Browser, site: Place, complaints: list[str], theme: str, size: str
) -> None:
    """No complaint in the console, no accessibility violation, no sideways scrolling; and a picture of each."""
    ARTEFACTS.mkdir(exist_ok=True)
    page = open_page(browser, complaints, size=size, theme=theme)
    with Site(site) as address:
        for name, path in (
            ("runs-full", "/runs"),
            ("runs-none", "/runs?job=nobody"),
            ("run-running", "/runs/slow"),
            ("run-failed", "/runs/failed"),
            ("run-paused", "/runs/paused"),
        ):
            page.goto(address + path)
            page.screenshot(path=ARTEFACTS / f"{name}-{theme}-{size}.png", full_page=True)
            assert (name, sideways(page), violations(page)) == (name, 0, [])
    page.close()

    assert complaints == []


def test_a_run_page_follows_its_run(browser: Browser, site: Place, complaints: list[str], runner: Runner) -> None:
    """The page of a run under way shows its layer's progress, and its end without being loaded again."""
    page = open_page(browser, complaints, size="desktop", theme="light")
    with Site(site) as address:
        page.goto(f"{address}/runs/slow")
        assert page.locator(".rail-progress").inner_text().strip() == "1 of 3: the first paragraph"
        Gate.opened.set()
        assert runner.wait("slow", timeout=20).status == "ok"
        page.locator("#run .banner", has_text="Done").wait_for(timeout=15_000)
        assert "it ended well" in page.locator(".run-log").inner_text()
    page.close()

    assert complaints == []
