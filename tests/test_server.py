from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

import switchgear as sg
from switchgear.config import Config
from switchgear.server import Server
from switchgear.testing import ManualClock

CONFIG = """
[services.llm]
kind = "openai"
base_url = "http://127.0.0.1:9"
"""


def test_a_port_in_use_says_who_to_look_for(make_config: Callable[[str], Config], tmp_path: Path) -> None:
    """The error names port and address and how to find the other; no ledger has been made."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(sg.ConfigError, match=rf"port {port} of 127.0.0.1 is in use; .*ss -ltnp"):
            Server(make_config(CONFIG), port=port)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "example.com"])  # noqa: S104 - to be turned down
def test_only_loopback_is_listened_on(make_config: Callable[[str], Config], host: str) -> None:
    """Without a sign-in nothing is opened to the network."""
    with pytest.raises(sg.ConfigError, match="loopback addresses only"):
        Server(make_config(CONFIG), host=host, port=0)


def test_an_address_that_can_not_be_had_is_a_clear_error(
    make_config: Callable[[str], Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that the system does not give is told with its reason."""

    def refuse(*_: object, **__: object) -> socket.socket:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(sg.ConfigError, match=r"can't listen on 127\.0\.0\.1 port 1: Permission denied"):
        Server(make_config(CONFIG), port=1)


def test_ipv6_loopback_is_served_too(make_config: Callable[[str], Config]) -> None:
    """The URL of an IPv6 address has brackets, and works."""
    with Server(make_config(CONFIG), host="::1", port=0) as server:
        assert server.url.startswith("http://[::1]:")
        assert httpx2.get(f"{server.url}/healthz").status_code == 200


def test_a_ledger_that_fails_lets_nothing_out(make_config: Callable[[str], Config]) -> None:
    """With the ledger gone the gateway answers 503 and health says why."""
    config = make_config(CONFIG + 'prices = { "m" = { input = "1", output = "2" } }\n')
    with Server(config, port=0) as server:
        server.governor.ledger.close()
        answer = httpx2.post(
            f"{server.url}/llm/v1/chat/completions",
            json={"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 1},
        )
        assert answer.status_code == 503
        assert answer.headers["x-switchgear-refused"] == "ledger"
        assert "the ledger is closed" in answer.json()["error"]["message"]


@pytest.mark.parametrize("page", ["calls", "services", "budgets", "usage"])
def test_a_page_can_be_had_as_a_file(make_config: Callable[[str], Config], page: str) -> None:
    """The links below a page lead to its rows as CSV and JSON, and to no service."""
    with Server(make_config(CONFIG), port=0) as server:
        answers = [httpx2.get(f"{server.url}/{page}.{kind}") for kind in ("csv", "json")]
    assert [answer.headers["content-type"].partition(";")[0] for answer in answers] == ["text/csv", "application/json"]


def test_the_audit_trail_is_streamed_and_ends_with_the_server(make_config: Callable[[str], Config]) -> None:
    """Every entry since the given id comes as it is written; an open stream does not keep the server from stopping."""
    lines: list[str] = []
    seen = threading.Event()

    def read(url: str) -> None:
        headers = {"accept": "text/event-stream", "last-event-id": "1"}
        with httpx2.stream("GET", f"{url}/api/events", headers=headers, timeout=30) as answer:
            for line in answer.iter_lines():
                lines.append(line)
                if "budget_changed" in line:
                    seen.set()

    budget = '[[budgets]]\nname = "all"\nlimit_usd = "1"\n'
    with Server(make_config(CONFIG + budget), port=0) as server:
        reader = threading.Thread(target=read, args=(server.url,))
        reader.start()
        server.governor.set_budget("all", limit_usd="2", by="ada", note="a launch")
        assert seen.wait(10)
    reader.join(10)

    assert not reader.is_alive()
    assert [line for line in lines if line.startswith("event: ")] == ["event: process_started", "event: budget_changed"]


def test_keys_come_from_the_environment_or_a_file(
    make_config: Callable[[str], Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service's key is read at start; one that is not set leaves the caller's own; a missing file is an error."""
    (tmp_path / "key").write_text("sk-from-file\n", encoding="utf-8")
    monkeypatch.setenv("SOME_KEY", "sk-from-env")
    text = f"""
    [services.a]
    kind = "openai"
    base_url = "http://127.0.0.1:9"
    api_key_env = "SOME_KEY"

    [services.b]
    kind = "openai"
    base_url = "http://127.0.0.1:9"
    api_key_file = "{tmp_path}/key"

    [services.c]
    kind = "openai"
    base_url = "http://127.0.0.1:9"
    api_key_env = "NOT_SET"
    """
    with sg.Governor(make_config(text), clock=ManualClock()) as gov:
        assert [gov.key_of(name) for name in ("a", "b", "c")] == ["sk-from-env", "sk-from-file", None]
    with pytest.raises(sg.ConfigError, match=r"services.b.api_key_file: .*: No such file"):
        sg.Governor(make_config(text.replace("/key", "/gone")))
