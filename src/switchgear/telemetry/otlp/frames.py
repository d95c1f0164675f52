"""What the gate's process and the exporting one tell each other, over a pipe: a length, then MessagePack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.events import BreakerChanged, CallRefused, CallRetried, CallSettled
from switchgear.telemetry.otlp.destinations import Destination
from switchgear.telemetry.spans.facts import ServiceFacts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

__all__ = ["Exported", "Frame", "Moments", "Setup", "framed", "frames"]

Exported = BreakerChanged | CallRefused | CallRetried | CallSettled
"""The events that spans are made of."""

_SIZE: Final = 4


class Setup(msgspec.Struct, frozen=True, kw_only=True, tag="setup"):
    """What to hold to from now on. *destinations* are those of the first one, for good."""

    services: dict[str, ServiceFacts]
    destinations: tuple[Destination, ...] = ()
    sample: float = 1.0
    sample_above: int = 0
    queue: int = 10_000
    idle: int = 60_000_000
    content_bytes: int = 8192
    redact: tuple[str, ...] = ()


class Moments(msgspec.Struct, frozen=True, kw_only=True, tag="moments"):
    """What has happened until epoch microsecond *at*; often nothing."""

    at: int
    events: tuple[Exported, ...] = ()


Frame = Setup | Moments

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Frame)


def framed(frame: Frame) -> bytes:
    """Return *frame* as it goes over the pipe."""
    body = _encoder.encode(frame)
    return len(body).to_bytes(_SIZE, "big") + body


def frames(pipe: BinaryIO) -> Iterator[Frame]:
    """Yield what comes over *pipe* until it ends; half a frame is none."""
    while len(head := pipe.read(_SIZE)) == _SIZE:
        size = int.from_bytes(head, "big")
        body = pipe.read(size)
        if len(body) < size:
            return
        yield _decoder.decode(body)
