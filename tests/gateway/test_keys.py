from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from switchgear.config import Config
from switchgear.drills.sandbox import Sandbox
from switchgear.ledger.key_rows import KeyTerms
from switchgear.ledger.views import CallFilter, CallRow
from switchgear.policies.key_secret import make_secret
from switchgear.server import Server

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello there"}], "max_tokens": 5}

WORST = 106_000
"""Nano-USD that a chat of this size may cost at most: one of them fits, a second one after it does not."""

CONFIG = """
[server]
require_keys = {required}

[services.llm]
kind = "openai"
base_url = "{url}"
api_key_file = "{file}"
max_wait = "0s"
fallback = ["spare"]
attribution_from = ["openai_metadata"]
prices = {{ "m" = {{ input = "1", output = "2" }}, "dear" = {{ input = "1", output = "2" }} }}

[services.spare]
kind = "openai"
base_url = "{url}"
prices = {{ "m" = {{ input = "1", output = "2" }} }}

[services.claude]
kind = "anthropic"
base_url = "{url}"
api_key_env = "CLAUDE_KEY"
prices = {{ "m" = {{ input = "1", output = "2" }} }}

[services.web]
kind = "http"
base_url = "{url}"
api_key_env = "WEB_KEY"
api_key_header = "X-Web-Key"
unpriced = "allow"

[services.onward]
kind = "openai"
base_url = "{url}"
gateway = true
prices = {{ "m" = {{ input = "1", output = "2" }} }}
"""

Start = Callable[..., Server]


@pytest.fixture
def start(
    sandbox: Sandbox, make_config: Callable[[str], Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Start]:
    """A maker of running servers, whose services have keys of their own."""
    (tmp_path / "llm-key").write_text("sk-of-llm\n", encoding="utf-8")
    monkeypatch.setenv("WEB_KEY", "sk-of-web")
    monkeypatch.delenv("CLAUDE_KEY", raising=False)
    servers: list[Server] = []

    def make(*, required: bool = False) -> Server:
        text = CONFIG.format(url=sandbox.url, file=tmp_path / "llm-key", required=str(required).lower())
        server = Server(make_config(text), port=0)
        servers.append(server)
        return server.__enter__()

    yield make
    for server in servers:
        server.__exit__(None, None, None)


def make_key(server: Server, name: str = "ci", *, expires_at: int | None = None, **terms: object) -> str:
    """Make a key as the command line does, and have the server look for it at once."""
    wanted = KeyTerms(**terms)  # type: ignore[arg-type]  # passed on by name
    _, secret = server.governor.ledger.keys.create(name, wanted, at=_now(server), by="test", expires_at=expires_at)
    server.governor.tick()
    return secret


def ask(
    server: Server,
    secret: str | None,
    service: str = "llm",
    *,
    headers: dict[str, str] | None = None,
    model: str = "m",
    metadata: dict[str, str] | None = None,
) -> httpx2.Response:
    """Ask *service* for a chat as an SDK of OpenAI does."""
    sent = {} if secret is None else {"authorization": f"Bearer {secret}"}
    body = {**CHAT, "model": model} | ({} if metadata is None else {"metadata": metadata})
    return httpx2.post(f"{server.url}/{service}/v1/chat/completions", json=body, headers={**sent, **(headers or {})})


def rows(server: Server) -> tuple[CallRow, ...]:
    """Return what is on record."""
    return server.governor.ledger.reader.calls(CallFilter(), limit=500).items


def received(sandbox: Sandbox) -> dict[str, str]:
    """Return the headers of the last request that the upstream got."""
    return {name.lower(): value for name, value in sandbox.requests[-1].headers}


def _now(server: Server) -> int:
    return server.governor.clock.moment().wall


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "api-key"])
def test_the_key_is_swapped_for_that_of_the_service(start: Start, sandbox: Sandbox, header: str) -> None:
    """Wherever an SDK puts it, the key says who calls; upstream goes the service's own, and ours nowhere."""
    server = start()
    secret = make_key(server)
    value = f"Bearer {secret}" if header == "authorization" else secret

    answer = ask(server, None, headers={header: value, "x-copy": f"again {secret}"})

    assert answer.status_code == 200
    assert received(sandbox)["authorization"] == "Bearer sk-of-llm"
    assert secret not in str(sandbox.requests[-1].headers)
    assert "x-api-key" not in received(sandbox)
    assert rows(server)[0].key == "ci"


def test_an_http_service_has_its_key_where_the_configuration_says(start: Start, sandbox: Sandbox) -> None:
    """api_key_header carries the bare key, and the caller's own header of that name gives way."""
    server = start()
    secret = make_key(server)

    httpx2.get(f"{server.url}/web/v1/models", headers={"x-api-key": secret, "x-web-key": "mine"})

    assert received(sandbox)["x-web-key"] == "sk-of-web"
    assert "x-api-key" not in received(sandbox)


def test_a_service_whose_key_is_missing_says_so(start: Start, sandbox: Sandbox) -> None:
    """A caller with our key can't go where the provider's key is not set; one with his own can."""
    server = start()
    secret = make_key(server)
    url = f"{server.url}/claude/v1/messages"
    body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}

    ours = httpx2.post(url, json=body, headers={"x-api-key": secret})
    own = httpx2.post(url, json=body, headers={"x-api-key": "sk-ant-own"})

    assert (ours.status_code, "CLAUDE_KEY is not set" in ours.json()["detail"]) == (503, True)
    assert own.status_code == 200
    assert received(sandbox)["x-api-key"] == "sk-ant-own"
    assert len(sandbox.requests) == 1


def test_a_key_file_that_changes_is_read_again(start: Start, sandbox: Sandbox, tmp_path: Path) -> None:
    """A rotated provider key holds from the next call on; an empty file leaves the last one in force."""
    server = start()
    secret = make_key(server)
    (tmp_path / "llm-key").write_text("sk-rotated", encoding="utf-8")
    ask(server, secret)
    assert received(sandbox)["authorization"] == "Bearer sk-rotated"
    (tmp_path / "llm-key").write_text("", encoding="utf-8")
    ask(server, secret)
    assert received(sandbox)["authorization"] == "Bearer sk-rotated"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"), "typo"),
        (lambda text: text[:-3], "cut short"),
        (lambda _: "sgk_", "cut short"),
    ],
)
def test_a_mistyped_key_is_told_from_a_wrong_one(
    start: Start, sandbox: Sandbox, change: Callable[[str], str], words: str
) -> None:
    """401 in the provider's shape, before anything of the body is looked at; nothing is on record."""
    server = start()
    answer = ask(server, change(make_key(server)))

    assert (answer.status_code, answer.headers["x-switchgear-refused"]) == (401, "key")
    assert answer.headers["x-should-retry"] == "false"
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert words in answer.json()["error"]["message"]
    assert (rows(server), sandbox.requests) == ((), ())
    assert server.governor.callers.denials == {"mistyped": 1}


def test_unknown_revoked_and_expired_keys_are_turned_away(start: Start, sandbox: Sandbox) -> None:
    """Each with its own sentence, none with the secret in it; a replaced secret holds through its grace only."""
    server = start()
    book = server.governor.ledger.keys
    revoked, expired = make_key(server, "old"), make_key(server, "short", expires_at=_now(server) - 1)
    book.revoke("old", at=_now(server), by="test")
    before = make_key(server, "turned")
    _, after = book.rotate("turned", at=_now(server) - 10, by="test", grace=5)
    server.governor.tick()
    other = start_secret()

    said = {}
    for secret in (revoked, expired, before, other):
        answer = ask(server, secret)
        assert answer.status_code == 401
        assert secret not in answer.text
        said[secret] = answer.json()["switchgear"]["rule"]
    assert list(said.values()) == ["revoked", "expired", "expired", "unknown"]
    assert ask(server, after).status_code == 200
    assert len(sandbox.requests) == 1


def start_secret() -> str:
    """Return a well-made secret that nobody knows."""
    return make_secret().text


def test_both_secrets_hold_during_the_grace(start: Start) -> None:
    """After a rotation with grace callers have time to change over."""
    server = start()
    before = make_key(server)
    _, after = server.governor.ledger.keys.rotate("ci", at=_now(server), by="test", grace=3_600_000_000)
    server.governor.tick()
    assert [ask(server, one).status_code for one in (before, after)] == [200, 200]


def test_anthropic_clients_are_told_in_their_own_shape(start: Start) -> None:
    """The Anthropic SDK reads an authentication_error."""
    answer = httpx2.post(f"{start().url}/claude/v1/messages", json={}, headers={"x-api-key": start_secret()})
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error")


def test_a_key_is_for_its_services_and_models(start: Start, sandbox: Sandbox) -> None:
    """403 names the key and what it may use, for a fallback and for a request without a model too."""
    server = start()
    secret = make_key(server, services=("llm",), models=("m",))

    service = ask(server, secret, "spare")
    model = ask(server, secret, model="dear")

    assert (service.status_code, model.status_code) == (403, 403)
    assert service.json()["error"]["message"] == "the key 'ci' may not use service 'spare'; it may use: llm"
    assert model.json()["error"]["message"] == "the key 'ci' may not use model 'dear'; it may use: m"
    assert server.governor.callers.denials == {"service": 1, "model": 1}
    assert ask(server, secret).status_code == 200
    failed = ask(server, secret, headers={"x-sandbox-fault": "status=503"})
    assert (failed.status_code, len(sandbox.requests)) == (503, 2)


def test_whoever_may_fall_back_takes_no_key_of_ours_along(start: Start, sandbox: Sandbox) -> None:
    """A fallback without a key of its own gets none at all."""
    server = start()
    secret = make_key(server)
    ask(server, secret, headers={"x-sandbox-fault": "status=503"})
    assert len(sandbox.requests) == 2
    assert "authorization" not in received(sandbox)


def test_without_a_key_nobody_comes_in_where_keys_are_required(start: Start) -> None:
    """A provider's own key does not help then; the answer says what is wanted."""
    server = start(required=True)
    assert ask(server, make_key(server)).status_code == 200
    for headers in ({}, {"authorization": "Bearer sk-own"}):
        answer = ask(server, None, headers=headers)
        assert (answer.status_code, "wants a Switchgear key" in answer.json()["error"]["message"]) == (401, True)


def test_the_limits_of_a_key_hold_beside_those_of_the_service(start: Start) -> None:
    """The refusal names key and rule, with its numbers; callers with other keys go on."""
    server = start()
    secret, other = make_key(server, requests_per_minute=2), make_key(server, "other")
    assert [ask(server, secret).status_code for _ in range(2)] == [200, 200]

    answer = ask(server, secret)

    assert answer.status_code == 429
    facts = answer.json()["switchgear"]
    assert (facts["rule"], facts["limit"], facts["used"]) == ("key:ci requests_per_minute", 2, 2)
    assert facts["retry_at"] is not None
    assert int(answer.headers["retry-after"]) > 50
    assert ask(server, other).status_code == 200


def test_the_budget_of_a_key_is_a_hard_one(start: Start) -> None:
    """A worst case that does not fit is refused with the budget's name, which is the key's."""
    server = start()
    secret = make_key(server, limit_usd=WORST)
    first, second = ask(server, secret), ask(server, secret)
    assert (first.status_code, second.status_code) == (200, 402)
    assert second.json()["switchgear"]["rule"] == "key:ci"


def test_limits_and_budgets_of_keys_outlive_a_restart(
    sandbox: Sandbox, make_config: Callable[[str], Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next process counts what the ledger remembers."""
    monkeypatch.setenv("WEB_KEY", "x")
    (tmp_path / "llm-key").write_text("sk-of-llm", encoding="utf-8")
    text = CONFIG.format(url=sandbox.url, file=tmp_path / "llm-key", required="false")
    with Server(make_config(text), port=0) as server:
        minute, money = make_key(server, requests_per_minute=1), make_key(server, "money", limit_usd=WORST)
        assert [ask(server, one).status_code for one in (minute, money)] == [200, 200]
    with Server(make_config(text), port=0) as server:
        assert [ask(server, one).status_code for one in (minute, money)] == [429, 402]


def test_who_says_what_about_a_call(start: Start) -> None:
    """Headers come before baggage, baggage before the body, the body before the key."""
    server = start()
    secret = make_key(server, job="k", run="k", layer="k", tags={"key": "k", "x": "k"})
    baggage = "switchgear.job=b,switchgear.run=b,switchgear.tag.a%20b=%C3%A9%0Ax,other=1"
    metadata = {"job": "m", "layer": "m", "tags": "x=m"}

    ask(server, secret, headers={"x-switchgear-job": "h", "baggage": baggage}, metadata=metadata)

    (row,) = rows(server)
    assert (row.job, row.run, row.layer, row.key) == ("h", "b", "m", "ci")
    assert dict(row.tags) == {"a b": "\u00e9x", "key": "k", "x": "m"}


def test_a_fixed_key_has_the_only_word(start: Start) -> None:
    """Whatever the call says, job, run, layer and tags are those of the key."""
    server = start()
    secret = make_key(server, job="k", fixed=True)
    ask(server, secret, headers={"x-switchgear-job": "h", "x-switchgear-tags": "a=b", "baggage": "switchgear.run=b"})
    (row,) = rows(server)
    assert (row.job, row.run, dict(row.tags), row.key) == ("k", None, {}, "ci")


def test_another_gateway_is_told_whose_the_call_is(start: Start, sandbox: Sandbox) -> None:
    """As baggage, with other members kept; services that are none are told nothing."""
    server = start()
    secret = make_key(server, job="a,b", tags={"t": "\u00e9"})
    ask(server, secret, "onward", headers={"baggage": "other=1,switchgear.job=z"})
    assert received(sandbox)["baggage"] == "other=1,switchgear.job=z,switchgear.tag.t=%C3%A9"
    ask(server, secret, headers={"baggage": "other=1"})
    assert received(sandbox)["baggage"] == "other=1"


def test_a_planted_secret_is_nowhere(start: Start, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """Neither our keys nor the provider's are in logs, API, pages, events, configuration or database."""
    caplog.set_level(logging.DEBUG)
    server = start()
    secret = make_key(server, requests_per_minute=1)
    for one in (secret, secret, secret[:-1] + "_", start_secret()):
        ask(server, one)
        ask(server, one, headers={"x-sandbox-fault": "reset"})
    seen = [caplog.text, server.governor.config.model_dump_json(), repr(vars(server.governor))]
    pages = ("/", "/calls", "/services", "/budgets", "/metrics", "/openapi.json")
    for page in (*pages, *(f"/api/{noun}" for noun in ("calls", "keys", "health", "limits", "services", "budgets"))):
        answer = httpx2.get(server.url + page)
        seen.append(answer.text)
    seen.append(str(server.governor.ledger.reader.events(limit=500)))
    for text in seen:
        assert secret not in text
        assert secret[12:40] not in text
        assert "sk-of-llm" not in text
    assert json.loads(httpx2.get(f"{server.url}/api/keys").text)["items"][0]["id"] == f"{secret[:12]}\u2026"
