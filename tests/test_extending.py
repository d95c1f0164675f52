"""The worked example of docs/extending.md, installed as a user would, does what the page says."""

from __future__ import annotations

import http.server
import json
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx2
import pytest

from switchgear import plugins
from switchgear.alerts.alert import Alert
from switchgear.alerts.channels import carrier_of
from switchgear.alerts.message import Writing
from switchgear.config import load_text
from switchgear.errors import ConfigError
from switchgear.ledger.views import CallFilter
from switchgear.server import Server
from switchgear.wire.dialects import dialect_for

EXAMPLE: Final = Path(__file__).parents[1] / "examples" / "extending"
CONFIG: Final = """
[ledger]
url = "sqlite:///{folder}/ledger.db"
[state]
url = "watched://{folder}/refusals.txt"
[services.acme]
kind = "acme"
base_url = "{url}"
prices = {{ "acme-1" = {{ input = "1", output = "2" }} }}
[[budgets]]
name = "total"
limit_usd = "0.0005"
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package of the example, as an installer leaves it."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = tmp_path / "site" / f"acme_switchgear-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: acme-switchgear\nVersion: {project['version']}\n")
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups))
    monkeypatch.syspath_prepend(str(EXAMPLE))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    plugins.load.cache_clear()
    dialect_for.cache_clear()
    yield
    plugins.load.cache_clear()
    dialect_for.cache_clear()


class _Acme(http.server.BaseHTTPRequestHandler):
    """Acme's model."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps({"engine": "acme-1", "text": "Rockets.", "meter": {"in": 12, "out": 3}}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class has this name
        pass


@pytest.fixture
def acme() -> Iterator[str]:
    """Where Acme's model answers."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Acme) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.usefixtures("installed")
def test_a_wire_format_and_a_state_of_ones_own_govern_calls(acme: str, tmp_path: Path) -> None:
    """The dialect tells the model, the bound and the usage; the state is asked, and its refusal reaches the caller."""
    with Server(load_text(CONFIG.format(folder=tmp_path, url=acme), environ={}), port=0) as server:
        ask = {"engine": "acme-1", "prompt": "What does Acme make?", "limit": 50}
        good = httpx2.post(f"{server.url}/acme/generate", json=ask)
        large = httpx2.post(f"{server.url}/acme/generate", json={**ask, "limit": 5000})
        newest, oldest = server.governor.ledger.reader.calls(CallFilter(), limit=5).items
    assert good.json()["text"] == "Rockets."
    assert (oldest.status, oldest.model, oldest.input_tokens, oldest.output_tokens) == ("ok", "acme-1", 12, 3)
    assert oldest.cost == 18_000  # nano-USD: 12 at 1 $ and 3 at 2 $ a million
    assert large.json()["title"] == "Budget exceeded"
    assert (large.status_code, large.json()["switchgear"]["rule"], newest.status) == (402, "total", "refused")
    assert (tmp_path / "refusals.txt").read_text(encoding="utf-8") == "acme budget total\n"


@pytest.mark.usefixtures("installed")
def test_a_channel_of_ones_own_tells_of_alerts(tmp_path: Path) -> None:
    """What is due is handed to it, and what it can't do is told without a traceback."""
    settings = f'[[alerts.channels]]\nname = "log"\nkind = "file"\nurl = "{tmp_path}/alerts.txt"\n'
    (channel,) = load_text(settings, environ={}).alerts.channels
    carrier = carrier_of(channel, environ={}, repeat_us=1)
    subject = {"service": "acme"}
    alert = Alert(
        rule="breaker-open", labels=subject, state="firing", severity="critical", since=1, value=1, worst=1, threshold=1
    )
    carrier.send([alert], Writing({}, ""), now=5)
    assert (tmp_path / "alerts.txt").read_text(encoding="utf-8") == "5 firing breaker-open {'service': 'acme'}\n"


SLIPS: Final = {
    '[services.x]\nkind = "acne"\nbase_url = "http://x"': 'must be one of openai, anthropic, http, acme, not "acne"',
    '[state]\nurl = "whatched://x"': 'must be "memory://"',
    '[[alerts.channels]]\nname = "a"\nkind = "fil"\nurl = "/x"': 'apprise, file, not "fil"; did you mean "file"?',
}


@pytest.mark.parametrize(("settings", "said"), SLIPS.items(), ids=["kind", "state", "channel"])
@pytest.mark.usefixtures("installed")
def test_a_slip_names_the_plugins_too(settings: str, said: str) -> None:
    """Whoever mistypes the name of a plugin is told the names that there are."""
    with pytest.raises(ConfigError) as caught:
        load_text(settings, environ={})
    assert said in str(caught.value)


def test_a_plugin_that_is_gone_is_told_in_one_line() -> None:
    """Uninstalled since the configuration was read: an error of ours, with the name."""
    with pytest.raises(ConfigError, match=r"no installed package offers 'gone' among its switchgear\.dialects"):
        plugins.load("switchgear.dialects", "gone")
