from __future__ import annotations

import base64
import itertools
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from starlette.testclient import TestClient
from tests.web.conftest import NOW_US

from switchgear.events import BudgetChanged
from switchgear.web.app import create_app
from switchgear.web.auth.attempts import BY_ADDRESS, OVERALL, Attempts
from switchgear.web.auth.passwords import hash_password
from switchgear.web.auth.sign_in import SignIn
from switchgear.web.auth.users import Role, User
from switchgear.web.auth.users_file import UsersFile, save_users
from switchgear.web.pages.sign_in import own_path

if TYPE_CHECKING:
    from pathlib import Path

    from tests.web.conftest import Place

PASSWORD = " correct horse "


class Desk:
    """Takes changes down."""

    def __init__(self) -> None:
        self.by: list[str] = []

    def set_budget(self, name: str, *, by: str, **given: object) -> BudgetChanged:
        self.by.append(by)
        return BudgetChanged(budget=name, old=1, new=2, configured=1, unit="usd", by=by, note="", at=NOW_US)


@pytest.fixture(scope="session")
def digest() -> str:
    """One hash for all, since each takes a while."""
    return hash_password(PASSWORD)


@pytest.fixture
def file(tmp_path: Path, digest: str) -> Path:
    """An admin and a viewer."""
    roles: dict[str, Role] = {"ada": "admin", "bob": "viewer"}
    path = tmp_path / "users"
    save_users(path, {name: User(name=name, role=role, digest=digest) for name, role in roles.items()})
    return path


@pytest.fixture
def desk() -> Desk:
    """Somebody who changes limits."""
    return Desk()


@pytest.fixture
def client(place: Place, file: Path, desk: Desk) -> TestClient:
    """A browser of a dashboard that asks who one is."""
    deps = msgspec.structs.replace(place.deps, commands=desk, sign_in=SignIn(UsersFile(file), place.clock))
    return TestClient(create_app(deps), base_url="https://switchgear.test", follow_redirects=False)


def sign_in(client: TestClient, name: str = "ada", password: str = PASSWORD, to: str = "") -> Any:  # noqa: ANN401 - a response of httpx
    """Fill in the form."""
    return client.post("/-/sign-in", data={"name": name, "password": password, "next": to})


def basic(name: str = "ada", password: str = PASSWORD) -> dict[str, str]:
    """Give name and password as programs do."""
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


HTML = {"accept": "text/html"}


@pytest.mark.parametrize("page", ["/calls?job=a&model=b", "/budgets/job-default", "/-/audit", "/nothing"])
def test_a_page_sends_strangers_to_the_sign_in_and_back(client: TestClient, page: str) -> None:
    """Whether or not there is such a page; after the password one is where one wanted to be."""
    sent = client.get(page, headers=HTML)
    assert sent.status_code == 303
    form = client.get(sent.headers["location"], headers=HTML)
    assert f'name="next" value="{page.replace("&", "&amp;")}"' in form.text

    assert sign_in(client, to=page).headers["location"] == page


@pytest.mark.parametrize("address", ["/api/calls", "/api/budgets", "/metrics", "/openapi.json", "/api/nothing"])
def test_programs_are_asked_for_name_and_password(client: TestClient, address: str) -> None:
    """401 with what to do about it, and the answer to who does it."""
    refused = client.get(address, headers=HTML)

    assert refused.status_code == 401
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["www-authenticate"].startswith("Basic realm=")
    assert client.get(address, headers=basic()).status_code == (404 if "nothing" in address else 200)


def test_a_poll_of_a_page_opens_no_dialogue(client: TestClient) -> None:
    """A browser would ask for a password by itself if it were told of Basic."""
    refused = client.get("/partials/service-health", headers={"hx-request": "true"})

    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Form ")


@pytest.mark.parametrize("address", ["/healthz", "/readyz", "/static/app.css", "/-/sign-in"])
def test_some_things_are_for_everybody(client: TestClient, address: str) -> None:
    """What probes and the form itself need."""
    assert client.get(address).status_code == 200


def test_the_session_is_kept_from_scripts_and_other_sites(client: TestClient) -> None:
    """HttpOnly, SameSite=Strict, Secure, twelve hours, for the whole host and no other."""
    cookie = sign_in(client).headers["set-cookie"]

    assert {"HttpOnly", "SameSite=strict", "Secure", "Max-Age=43200", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


def test_a_session_ends(client: TestClient, place: Place, file: Path) -> None:
    """After twelve hours, when one signs out, and when anything of the users file changes."""
    sign_in(client)
    assert client.get("/calls").status_code == 200
    place.clock.advance(12 * 3600)
    assert client.get("/calls").status_code == 303

    sign_in(client)
    assert client.post("/-/sign-out").status_code == 303
    assert client.get("/calls").status_code == 303

    sign_in(client)
    assert client.get("/calls").status_code == 200
    file.write_text(f"# a comment\n{file.read_text()}")
    assert client.get("/calls").status_code == 303


@pytest.mark.parametrize("name", ["ada", "nobody", "", "ada:admin"])
def test_a_wrong_password_and_an_unknown_name_are_the_same(client: TestClient, name: str) -> None:
    """Nothing tells which of the two was wrong, to people or to programs."""
    page = sign_in(client, name, "wrong password")

    assert page.status_code == 401
    assert "That is not the name and password of a user." in page.text
    assert "set-cookie" not in page.headers
    assert client.get("/api/calls", headers=basic(name, "wrong")).status_code == 401


def test_a_viewer_reads_and_changes_nothing(client: TestClient, desk: Desk) -> None:
    """No form is shown, and none is taken; signing out is."""
    sign_in(client, "bob")
    page = client.get("/budgets/job-default")

    assert page.status_code == 200
    assert 'name="limit"' not in page.text
    form = {"limit": "5", "note": "n", "sure": "yes"}
    assert client.post("/budgets/job-default/limit", data=form).status_code == 403
    body = {"limit": "5", "note": "n"}
    assert client.put("/api/budgets/job-default/limit", json=body).status_code == 403
    assert client.put("/api/budgets/job-default/limit", json=body, headers=basic("bob")).status_code == 403
    assert desk.by == []
    assert client.post("/-/sign-out").status_code == 303


def test_a_change_is_on_record_with_the_name_that_signed_in(client: TestClient, desk: Desk) -> None:
    """From the page and from the API, whatever name the request gives."""
    sign_in(client)
    assert 'name="limit"' in client.get("/budgets/job-default").text
    client.post("/budgets/job-default/limit", data={"limit": "5", "note": "n", "sure": "yes"})
    client.put("/api/budgets/job-default/limit", json={"limit": "5", "note": "n", "by": "root"})

    assert desk.by == ["ada", "ada"]


def test_guesses_are_slowed_down_by_address(client: TestClient, place: Place) -> None:
    """After ten in a minute even the right password has to wait, and is told for how long."""
    answers = [client.get("/api/calls", headers=basic("ada", f"guess {at}")) for at in range(BY_ADDRESS + 1)]

    assert [answer.status_code for answer in answers] == [401] * BY_ADDRESS + [429]
    assert sign_in(client).status_code == 429
    assert 0 < int(answers[-1].headers["retry-after"]) <= 61
    place.clock.advance(61)
    assert sign_in(client).status_code == 303


def test_a_program_that_is_known_makes_no_new_attempt(client: TestClient) -> None:
    """Any number of requests with the same right password."""
    answers = {client.get("/api/budgets", headers=basic()).status_code for _ in range(3 * BY_ADDRESS)}

    assert answers == {200}


def test_a_users_file_that_is_wrong_now_lets_nobody_in(client: TestClient, file: Path) -> None:
    """Neither with a session nor with a password, and no page says what is in the file."""
    sign_in(client)
    file.write_text("ada:admin:plain text\n")

    for answer in (client.get("/calls"), client.get("/api/calls", headers=basic()), sign_in(client)):
        assert answer.status_code == 503
        assert "plain text" not in answer.text


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.test/",
        "//evil.test",
        "/\\evil.test",
        "javascript:alert(1)",
        "/-/sign-in",
        "calls",
        "/a\n//evil",
        "",
    ],
)
def test_nobody_is_led_elsewhere(client: TestClient, elsewhere: str) -> None:
    """Only a path of ours is gone back to."""
    assert own_path(elsewhere) == "/"
    assert sign_in(client, to=elsewhere).headers["location"] == "/"


def test_attempts_are_bounded_for_everybody_together(place: Place) -> None:
    """However many addresses they come from; one of IPv6 is as good as its whole network."""
    attempts = Attempts(place.clock)
    assert all(attempts.wait(f"2001:db8::{at:x}") is None for at in range(BY_ADDRESS))
    assert attempts.wait("2001:db8::ffff") is not None
    addresses = (f"10.0.{at // 250}.{at % 250}" for at in itertools.count())
    free = sum(1 for _ in itertools.takewhile(lambda wait: wait is None, map(attempts.wait, addresses)))

    assert free == OVERALL - BY_ADDRESS


def test_without_a_users_file_nobody_is_asked(place: Place) -> None:
    """On loopback it is as it was, and there is no sign-in page."""
    assert place.client().get("/calls").status_code == 200
    assert place.client().get("/-/sign-in").status_code == 404
