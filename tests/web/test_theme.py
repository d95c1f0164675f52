from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.web.conftest import Place


def test_a_theme_is_kept_in_a_cookie_and_leaves_the_address(full: Place) -> None:
    """The link sets the cookie and leads back to the same page with its filters."""
    client = full.client()

    answer = client.get("/calls?service=openai&theme=dark&job=a%26b", follow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (303, "/calls?service=openai&job=a%26b")
    assert 'data-theme="dark"' in client.get("/").text


def test_without_a_choice_the_system_decides(full: Place) -> None:
    """Both schemes are offered."""
    text = full.client().get("/").text

    assert 'data-theme="auto"' in text
    assert 'content="light dark"' in text


@pytest.mark.parametrize("cookie", ["neon", "<b>", ""])
def test_an_unknown_cookie_is_ignored(full: Place, cookie: str) -> None:
    """What a browser sends is not trusted."""
    text = full.client().get("/", headers={"cookie": f"switchgear_theme={cookie}"}).text

    assert 'data-theme="auto"' in text


def test_a_theme_never_leads_to_another_host(full: Place) -> None:
    """Two slashes at the start would be another site."""
    answer = full.client().get("http://127.0.0.1:8400//evil.example/?theme=dark", follow_redirects=False)

    assert answer.headers["location"] == "/evil.example/"


def test_an_unknown_theme_is_an_unknown_value(full: Place) -> None:
    """It is not dropped silently where queries are checked."""
    assert full.client().get("/calls?theme=neon").status_code == 400
