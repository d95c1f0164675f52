"""A breaker opens and closes: the receiver of a webhook is told of both, once, signed."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Final

from switchgear.drills.receiver import Receiver
from switchgear.drills.verdict import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.drills.ground import Ground
    from switchgear.drills.receiver import Delivery

__all__ = ["run"]

_THRESHOLD: Final = 3
_SECRET: Final = "only-for-this-drill"  # noqa: S105 - signs nothing but this
_PATIENCE: Final = 10.0


def run(ground: Ground) -> Iterator[Check]:
    """Break a service for a while; unless it is to be quick, the receiver answers its first message with 503."""
    sandbox = ground.sandbox()
    receiver = ground.enter(Receiver())
    config = ground.write(f"""
[services.web]
base_url = "{sandbox.url}"
breaker = {{ failure_threshold = {_THRESHOLD}, recovery_timeout = "2s" }}

[alerts]
interval = "1s"

[[alerts.channels]]
name = "drill"
kind = "webhook"
url = "{receiver.url}"
secret_env = "DRILL_SECRET"
""")
    client = ground.client(ground.serve(config, environ={"DRILL_SECRET": _SECRET}).url)
    receiver.failing = 0 if ground.quick else 1
    ground.say("a service fails")
    for _ in range(_THRESHOLD):
        client.ask("web", path="/x", fault="status=503")
    yield _told(ground, receiver, "firing")
    ground.say("it works again")
    ground.wait_until(lambda: client.ask("web", path="/x").is_ok)
    yield _told(ground, receiver, "resolved")
    ground.clock.sleep(2.5)  # two more looks of the gateway at what there is to tell
    told = [one for one in _alerts(receiver.got()) if one[0] == "breaker-open"]
    yield Check(
        what="messages about it, one that it is so and one that it is over",
        measured=len(told),
        bound="exactly",
        wanted=2,
        unit="messages",
    )
    yield Check(
        what="messages whose signature is right",
        measured=sum(_is_signed(delivery) for delivery in receiver.got()),
        bound="exactly",
        wanted=len(receiver.got()),
        unit="messages",
    )


def _told(ground: Ground, receiver: Receiver, state: str) -> Check:
    took = ground.wait_until(lambda: ("breaker-open", state) in _alerts(receiver.got()), patience=2 * _PATIENCE)
    return Check(what=f"time until it is told: {state}", measured=took, bound="at most", wanted=_PATIENCE, unit="s")


def _alerts(got: tuple[Delivery, ...]) -> list[tuple[str, str]]:
    return [(one["rule"], one["state"]) for delivery in got for one in json.loads(delivery.body)["alerts"]]


def _is_signed(delivery: Delivery) -> bool:
    said = dict(part.split("=", 1) for part in delivery.headers.get("x-switchgear-signature", "t=,v1=").split(","))
    made = hmac.new(_SECRET.encode(), f"{said['t']}.".encode() + delivery.body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(made, said["v1"])
