"""Every documented route, asked what its document says may be asked and what it does not: schemathesis decides."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import load_all_checks, negative_data_rejection, positive_data_acceptance
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

from switchgear.config.load import load_sourced
from switchgear.server import Origin, Server
from switchgear.web.auth.passwords import hash_password
from switchgear.web.auth.sign_in import COOKIE
from switchgear.web.auth.users import Role, User
from switchgear.web.auth.users_file import save_users

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

EXAMPLES: Final = 8
"""Requests for each operation, of each kind: what is made of the document is the same in every run."""

OPEN: Final = {"/healthz", "/readyz"}
SAFE: Final = {"GET", "HEAD"}
PASSWORD: Final = "correct horse battery"
CONFIG = """
[server]
{users}
[ledger]
url = "sqlite:///{folder}/ledger.db"
[services.llm]
kind = "openai"
base_url = "http://127.0.0.1:9"
[[budgets]]
name = "month"
limit_usd = "5"
period = "month"
[[budgets]]
name = "jobs"
each = "job"
limit_tokens = 1000
[[alerts.channels]]
name = "hook"
url = "{hook}"
"""
NAMES: Final = {"name": ["month", "hook", "jobs"], "call_id": ["01J"], "silence_id": ["1"]}
"""Values of path parameters that name something, besides those that schemathesis makes up."""


class _Hook(http.server.BaseHTTPRequestHandler):
    """Takes what a channel sends."""

    def do_POST(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it has there
        """Say nothing."""


@pytest.fixture(scope="module")
def hook() -> Iterator[str]:
    """Where alerts go."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def start(hook: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bool], Server]]:
    """Return a function that starts a server, with a sign-in or without."""
    running: list[Server] = []
    load_all_checks()

    def make(*, signs_in: bool) -> Server:
        folder = tmp_path_factory.mktemp("openapi")
        users = f'users_file = "{folder}/users"' if signs_in else ""
        if signs_in:
            digest = hash_password(PASSWORD)
            roles: dict[str, Role] = {"ada": "admin", "bob": "viewer"}
            save_users(
                folder / "users", {name: User(name=name, role=role, digest=digest) for name, role in roles.items()}
            )
        file: Path = folder / "switchgear.toml"
        file.write_text(CONFIG.format(folder=folder, users=users, hook=hook), encoding="utf-8")
        current = load_sourced(file, environ={})
        server = Server(current.config, port=0, origin=Origin(current, lambda: load_sourced(file, environ={})))
        running.append(server.__enter__())
        return server

    yield make  # type: ignore[misc]  # its argument has a name
    for server in running:
        server.__exit__(None, None, None)


@pytest.fixture(scope="module")
def open_server(start: Callable[..., Server]) -> Server:
    """A server that asks nobody to sign in."""
    return start(signs_in=False)


@pytest.fixture(scope="module")
def closed_server(start: Callable[..., Server]) -> Server:
    """A server that asks everybody."""
    return start(signs_in=True)


def session(server: Server, name: str) -> dict[str, str]:
    """Return the headers of *name*, who has signed in."""
    form = {"name": name, "password": PASSWORD, "next": ""}
    answer = httpx2.post(f"{server.url}/-/sign-in", data=form)
    assert answer.status_code == 303
    return {"cookie": f"{COOKIE}={answer.cookies[COOKIE]}"}


def document_of(server: Server) -> dict[str, Any]:
    """Return the document without what a caller says who it is with: schemathesis would make that up."""
    signs_in = server.governor.config.server.users_file is not None
    headers = session(server, "ada") if signs_in else {}
    document: dict[str, Any] = httpx2.get(f"{server.url}/openapi.json", headers=headers).json()
    assert ("securitySchemes" in document["components"]) == signs_in
    document["components"].pop("securitySchemes", None)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert (operation.pop("security", None) is not None) == (signs_in and path not in OPEN)
    return document


def ask_all(server: Server, look: Callable[[Any, Any], None], *, headers: dict[str, str]) -> int:
    """Ask every operation, have each answer checked against the document, then by *look*; return how many."""
    schema = schemathesis.openapi.from_dict(document_of(server))
    count = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        made = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]
        for name, values in NAMES.items():
            if f"{{{name}}}" in operation.path:
                made += [operation.as_strategy(path_parameters={name: value}) for value in values]
        for strategy in made:
            count += _ask(server, strategy, look, headers)
    return count


def _ask(server: Server, strategy: Any, look: Callable[[Any, Any], None], headers: dict[str, str]) -> int:  # noqa: ANN401 - as above
    count = 0

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def run(case: Any) -> None:  # noqa: ANN401 - as above
        nonlocal count
        count += 1
        # Without Accept, as with text/event-stream the audit trail never ends.
        case.headers = {name: value for name, value in case.headers.items() if name.lower() != "accept"}
        answer = case.call(base_url=server.url, headers=headers, timeout=10)
        # Of texts JSON Schema can't say all that is wrong, and an empty value of a query is none, as forms send it.
        case.validate_response(answer, excluded_checks=[positive_data_acceptance, negative_data_rejection])
        look(case, answer)

    try:
        run()
    except Unsatisfiable:
        assert count == 0  # nothing can be wrong in a request without parameters
    return count


def test_every_route_does_what_its_document_says(open_server: Server) -> None:
    """No 500, no status, type or shape that is not documented; good requests and bad ones, changes too."""
    statuses: dict[str, set[int]] = {}

    def look(case: Any, answer: Any) -> None:  # noqa: ANN401 - as above
        statuses.setdefault(case.operation.label, set()).add(answer.status_code)
        assert answer.headers["x-content-type-options"] == ["nosniff"]

    count = ask_all(open_server, look, headers={"sec-fetch-site": "same-origin"})

    assert count > 200
    for label, found in statuses.items():
        method = label.split()[0]
        assert found & ({200} if method in SAFE and "{" not in label else {200, 400, 404}), label
    # Not everything may end at the first check: changes were made, and had their answers.
    assert 200 in statuses["POST /api/alerts/channels/{name}/test"]
    assert 200 in statuses["POST /api/config/reload"]


def test_another_sites_page_changes_nothing(open_server: Server) -> None:
    """What a browser sends for a page elsewhere is 403 wherever something could change, and read where nothing can."""

    def look(case: Any, answer: Any) -> None:  # noqa: ANN401 - as above
        assert (answer.status_code == 403) == (case.method not in SAFE), case.operation.label

    before = httpx2.get(f"{open_server.url}/api/events").json()["items"][0]["id"]
    ask_all(open_server, look, headers={"sec-fetch-site": "cross-site"})

    assert httpx2.get(f"{open_server.url}/api/events").json()["items"][0]["id"] == before


def test_nobody_gets_in_unknown(closed_server: Server) -> None:
    """Without a session every documented route but the probes is 401, also for what is no valid request."""

    def look(case: Any, answer: Any) -> None:  # noqa: ANN401 - as above
        assert (answer.status_code == 401) == (case.operation.path not in OPEN), case.operation.label

    ask_all(closed_server, look, headers={"sec-fetch-site": "same-origin"})


def test_a_viewer_reads_and_changes_nothing(closed_server: Server) -> None:
    """Signed in as a viewer every route that changes something is 403, and every other one answers."""

    def look(case: Any, answer: Any) -> None:  # noqa: ANN401 - as above
        assert answer.status_code != 401, case.operation.label
        assert (answer.status_code == 403) == (case.method not in SAFE), case.operation.label

    headers = {"sec-fetch-site": "same-origin", **session(closed_server, "bob")}
    ask_all(closed_server, look, headers=headers)
