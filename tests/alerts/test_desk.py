from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import pytest

from switchgear.alerts.desk import AlertDesk
from switchgear.alerts.readings import Asked, Reading
from switchgear.clients.governor import Governor
from switchgear.config import load_text
from switchgear.errors import ConfigError
from switchgear.insight.snapshot import MetricsCollector
from switchgear.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.alerts.conftest import Sink

START = 1_795_521_600.0
TOML = """
[ledger]
url = "sqlite:///{file}"
[services.openai]
kind = "openai"
base_url = "http://127.0.0.1:9"
breaker = {{failure_threshold = 3, recovery_timeout = "60s"}}
[services.tool]
kind = "http"
[[budgets]]
name = "tokens"
limit_tokens = 100
action = "warn"
[alerts]
link = "https://gate.example"
{more}
"""


class Place:
    """A governor with a desk, on a ledger that outlives both."""

    def __init__(self, file: Path, more: str, environ: dict[str, str] | None = None) -> None:
        self.clock = ManualClock(START)
        self.config = load_text(TOML.format(file=file, more=more))
        self.environ = environ or {}
        self.open()

    def open(self) -> None:
        self.governor = Governor(self.config, clock=self.clock)
        ledger = self.governor.ledger
        collector = MetricsCollector(ledger.reader, self.governor.state, self.clock, config=self.config)
        self.desk = AlertDesk(
            self.config,
            collector=collector,
            reader=ledger.reader,
            record=ledger.record,
            clock=self.clock,
            environ=self.environ,
            link="http://127.0.0.1:8400",
        )

    def close(self) -> None:
        self.desk.close()
        self.governor.close()

    def turn(self, seconds: float = 15) -> None:
        """Let time pass, look, and tell every channel."""
        self.clock.advance(seconds)
        self.desk.look()
        for channel in self.desk.couriers:
            self.desk.deliver(channel)

    def fail(self, times: int, service: str = "tool") -> None:
        for _ in range(times):
            with pytest.raises(ZeroDivisionError), self.governor.call(service):
                raise ZeroDivisionError

    def reads(self, readings: dict[Asked, Sequence[Reading]]) -> None:
        """Have the desk find *readings*, whatever the ledger says."""
        reader = MagicMock()
        reader.read.return_value = readings
        vars(self.desk)["_gatherer"] = reader

    def restart(self) -> None:
        self.close()
        self.open()


def webhook(sink: Sink, more: str = "") -> str:
    """Return a channel that leads to *sink*."""
    return f'[[alerts.channels]]\nname = "hook"\nurl = "{sink.url}/hook"\n{more}\n'


@pytest.fixture
def places() -> Iterator[list[Place]]:
    """Close what was opened."""
    found: list[Place] = []
    yield found
    for place in found:
        place.close()


def test_an_open_breaker_is_one_message_and_its_end_another(tmp_path: Path, sink: Sink, places: list[Place]) -> None:
    """A breaker that opens and closes tells a webhook exactly twice, also with a restart in between."""
    place = Place(tmp_path / "l.db", webhook(sink))
    places.append(place)
    place.turn()
    place.fail(5)
    for _ in range(3):
        place.turn()
    place.restart()
    place.turn(0)
    assert sink.told == [("breaker-open", "firing")]
    place.clock.advance(150)
    with place.governor.call("tool"):
        pass
    for _ in range(3):
        place.turn()
    place.restart()
    place.turn()

    assert sink.told == [("breaker-open", "firing"), ("breaker-open", "resolved")]
    (alert,) = sink.bodies[0]["alerts"]
    assert alert["text"] == "The breaker of tool is open."
    assert alert["link"] == "https://gate.example/services/tool"
    assert alert["why"]


def test_a_hundred_calls_over_a_threshold_are_one_message(tmp_path: Path, sink: Sink, places: list[Place]) -> None:
    """A budget whose spending stays above 90 % is told of once, whatever the number."""
    more = webhook(sink).replace("[[alerts", "[services.tool.prices]\n[[alerts", 0)
    place = Place(tmp_path / "l.db", more)
    places.append(place)
    rule = Asked("budget.used_percent", None)
    for at in range(100):
        place.reads({rule: [Reading({"budget": "tokens", "value": ""}, 90.0 + at / 20)]})
        place.turn(1)

    assert sink.told == [("budget-90", "firing")]


def test_a_webhook_is_signed(tmp_path: Path, sink: Sink, places: list[Place]) -> None:
    """Who has the secret can tell that the body is ours and when it was sent."""
    place = Place(tmp_path / "l.db", webhook(sink, 'secret_env = "HOOK"'), {"HOOK": "hush"})
    places.append(place)
    place.fail(5)
    place.turn()

    _, headers, body = sink.got[0]
    seconds, made = (part.partition("=")[2] for part in headers["x-switchgear-signature"].split(","))
    assert made == hmac.new(b"hush", f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    assert int(seconds) == int(place.clock.now())
    assert len(headers["x-switchgear-delivery"]) == 32


def test_alertmanager_gets_its_own_shape(tmp_path: Path, sink: Sink, places: list[Place]) -> None:
    """An Alertmanager is posted labels, annotations and times at /api/v2/alerts, and the end of the alert."""
    more = f'[[alerts.channels]]\nname = "am"\nkind = "alertmanager"\nurl = "{sink.url}"\n'
    place = Place(tmp_path / "l.db", more)
    places.append(place)
    place.fail(5)
    place.turn()
    place.clock.advance(150)
    with place.governor.call("tool"):
        pass
    place.turn()

    assert [path for path, _, _ in sink.got] == ["/api/v2/alerts"] * 2
    (firing,), (over,) = sink.bodies
    assert firing["labels"] == {"alertname": "breaker-open", "severity": "critical", "service": "tool"}
    assert firing["startsAt"] == over["startsAt"]
    assert firing["endsAt"] > firing["startsAt"]
    assert over["endsAt"] < firing["endsAt"]


def test_a_dead_sink_is_given_up_on_and_shown(tmp_path: Path, sink: Sink, places: list[Place]) -> None:
    """A receiver that fails is tried again with pauses, then the message is a dead letter; the gate goes on."""
    sink.status = 503
    place = Place(tmp_path / "l.db", webhook(sink))
    places.append(place)
    place.fail(5)
    for _ in range(400):
        place.turn(5)

    assert len(sink.got) == 8
    (letter,) = place.desk.dead_letters
    assert (letter.first, letter.error) == ("breaker-open{service=tool}", "HTTP 503")
    assert place.desk.couriers["hook"].view.given_up == 1


def test_ten_thousand_alerts_are_told_in_bounded_messages(tmp_path: Path, sink: Sink, places: list[Place]) -> None:
    """Many alerts at once go out a hundred a message, each once, and nothing piles up for a receiver that is dead."""
    place = Place(tmp_path / "l.db", webhook(sink))
    places.append(place)
    asked = Asked("limit.used_percent", None)
    place.reads({asked: [Reading({"service": f"s{at}", "limit": "rpm"}, 95.0) for at in range(10_000)]})
    sink.status = 500
    begun = time.perf_counter()
    place.turn()
    place.turn(60)
    assert len(sink.got) == 1
    sink.status = 200
    place.turn(60)

    told = [alert["key"] for body in sink.bodies[1:] for alert in body["alerts"]]
    assert len(told) == len(set(told)) == 10_000
    assert max(len(body["alerts"]) for body in sink.bodies) == 100
    assert time.perf_counter() - begun < 50


def test_a_silence_outlives_a_restart(tmp_path: Path, sink: Sink, places: list[Place]) -> None:
    """What is silenced stays so after a restart; taken back, the alert that still fires is told of."""
    place = Place(tmp_path / "l.db", webhook(sink))
    places.append(place)
    silence = place.desk.silence({"service": "tool"}, for_us=3600 * 10**6, by="ops", reason="planned")
    place.fail(5)
    place.turn()
    place.restart()
    place.turn()
    assert sink.told == []
    assert place.desk.unsilence(silence.id, by="ops") is not None
    place.turn()

    assert sink.told == [("breaker-open", "firing")]
    kinds = [event.kind for event in place.governor.ledger.reader.events(limit=50)]
    assert kinds.count("silence_changed") == 2


def test_an_acknowledged_alert_is_not_repeated_after_a_restart(tmp_path: Path, sink: Sink, places: list[Place]) -> None:
    """Somebody knows, so `repeat` says nothing more of it, whichever process asks."""
    place = Place(tmp_path / "l.db", webhook(sink))
    places.append(place)
    place.fail(5)
    place.turn()
    assert place.desk.acknowledge("breaker-open{service=tool}", by="ops", note="on it") is not None
    place.restart()
    for _ in range(10):
        place.clock.advance(3600)
        with pytest.raises(ZeroDivisionError), place.governor.call("tool"):
            raise ZeroDivisionError
        place.turn()

    assert sink.told == [("breaker-open", "firing")]


def test_the_error_rate_is_that_of_the_window(tmp_path: Path, sink: Sink, places: list[Place]) -> None:
    """More than 10 % of at least 10 answered calls of five minutes failed: a message; of nine: none."""
    place = Place(tmp_path / "l.db", webhook(sink) + '[[alerts.rules]]\nname = "breaker-open"\nenabled = false\n')
    places.append(place)
    for failing in (False, False, False, False, False, False, False, True, True):
        if failing:
            place.fail(1)
        else:
            with place.governor.call("tool"):
                pass
    place.turn()
    assert sink.told == []
    with place.governor.call("tool"):
        pass
    place.turn()
    assert sink.told == [("error-rate", "firing")]
    assert sink.bodies[0]["alerts"][0]["text"] == "tool: error rate 20 % (fires above 10 %)."
    place.turn(301)
    place.turn(60)

    assert sink.told == [("error-rate", "firing"), ("error-rate", "resolved")]


def test_a_channel_without_its_secret_is_a_config_error(tmp_path: Path) -> None:
    """A variable that is not set is told at the start, by its name."""
    more = '[[alerts.channels]]\nname = "chat"\nkind = "apprise"\nurl_env = "CHAT_URL"\n'
    with pytest.raises(ConfigError, match=r"alerts.channels.chat: the environment variable CHAT_URL is not set"):
        Place(tmp_path / "l.db", more)


@pytest.mark.filterwarnings("ignore:'imghdr'", "ignore::DeprecationWarning:apprise")  # it imports what is deprecated
def test_apprise_is_given_a_message_for_people(tmp_path: Path, sink: Sink, places: list[Place]) -> None:
    """A channel of apprise gets title and text; its address is shown as the name of a variable."""
    pytest.importorskip("apprise")
    more = '[[alerts.channels]]\nname = "chat"\nkind = "apprise"\nurl_env = "CHAT_URL"\n'
    place = Place(tmp_path / "l.db", more, {"CHAT_URL": sink.url.replace("http://", "json://")})
    places.append(place)
    place.fail(5)
    place.turn()

    said: Any = sink.bodies[0]
    assert said["title"] == "Critical: The breaker of tool is open."
    assert f"Since {dt.datetime.fromtimestamp(START, dt.UTC):%Y-%m-%d}" in said["message"]
