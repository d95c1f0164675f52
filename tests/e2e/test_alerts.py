from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
from tests.alerts.conftest import Sink, until

from switchgear.config import load_text
from switchgear.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

TOML = """
[server]
port = 0
[ledger]
url = "sqlite:///{file}"
[services.tool]
kind = "http"
breaker = {{failure_threshold = 3, recovery_timeout = "1500ms"}}
[alerts]
interval = "1s"
[[alerts.channels]]
name = "hook"
url = "{hook}"
[[alerts.channels]]
name = "am"
kind = "alertmanager"
url = "{am}"
[[alerts.channels]]
name = "dead"
url = "http://127.0.0.1:9/"
"""


@pytest.fixture
def sinks() -> Iterator[tuple[Sink, Sink]]:
    """Return a webhook's receiver and an Alertmanager's."""
    made = Sink(), Sink()
    yield made
    for sink in made:
        sink.close()


def test_a_breaker_tells_twice_through_a_restart(
    tmp_path: Path, sinks: tuple[Sink, Sink], caplog: pytest.LogCaptureFixture
) -> None:
    """A real server tells both receivers once that a breaker opened, and after a restart that it closed."""
    hook, am = sinks
    config = load_text(TOML.format(file=tmp_path / "l.db", hook=hook.url, am=am.url))
    with Server(config) as server:
        for _ in range(3):
            with pytest.raises(ZeroDivisionError), server.governor.call("tool"):
                raise ZeroDivisionError
        until(lambda: bool(hook.got) and bool(am.got))
        with urlopen(f"{server.url}/api/alerts", timeout=5) as answer:
            board: dict[str, Any] = json.load(answer)
        assert [item["key"] for item in board["items"]] == ["breaker-open{service=tool}"]
    with Server(config) as server:
        time.sleep(1.5)  # until the breaker lets a probe pass
        with server.governor.call("tool"):
            pass
        until(lambda: len(hook.got) > 1 and len(am.got) > 1)
        time.sleep(1.5)  # two more looks
    assert hook.told == [("breaker-open", "firing"), ("breaker-open", "resolved")]
    warned = [one for one in caplog.records if one.msg == "alert_changed" and one.levelname == "WARNING"]
    said = [one.__dict__["switchgear"] for one in warned]
    assert [(one["alert"], one["state"]) for one in said] == [("breaker-open{service=tool}", "firing")]
    assert len(am.got) == 2
