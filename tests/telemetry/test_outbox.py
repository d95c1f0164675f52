from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

from tests.telemetry.conftest import START, Receiver, made, settled

from switchgear.calls import new_call_id
from switchgear.telemetry.otlp.destinations import Destination
from switchgear.telemetry.otlp.frames import Frame, Moments, Setup, framed, frames
from switchgear.telemetry.otlp.outbox import Outbox
from switchgear.telemetry.spans.facts import ServiceFacts
from switchgear.testing import ManualClock

SETUP = Setup(services={"llm": ServiceFacts(provider="openai", models=True)})


def child(code: str) -> Callable[[], subprocess.Popen[bytes]]:
    """Return what starts a process that runs *code* in the exporting one's place."""
    command = [sys.executable, "-c", code]
    return lambda: subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def until(done: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    end = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_frames_are_read_as_they_were_written() -> None:
    """Events keep every part; the half of a frame that a dying process wrote is no frame."""
    import io

    sent: list[Frame] = [SETUP, Moments(at=1, events=(settled(made("r", "l")),)), Moments(at=2)]
    whole = b"".join(map(framed, sent))

    assert list(frames(io.BytesIO(whole))) == sent
    assert list(frames(io.BytesIO(whole[:-1]))) == sent[:-1]


def test_an_exporting_process_that_does_not_read_costs_bounded_memory() -> None:
    """Listening never blocks: what does not fit is dropped and counted."""
    outbox = Outbox(SETUP, clock=ManualClock(), most=100, start=child("import time; time.sleep(60)"))
    for number in range(10_000):
        outbox.listen(settled(made(call_id=new_call_id(START + number * 1000))))

    assert outbox.counts.dropped == 9_900


def test_a_process_that_dies_is_started_again_and_said_so() -> None:
    """The one that takes its place is told everything anew."""
    starts: list[int] = []
    dies = child("import sys; sys.stdin.buffer.read(4)")

    def start() -> subprocess.Popen[bytes]:
        starts.append(1)
        return dies()

    clock = ManualClock()
    outbox = Outbox(SETUP, clock=clock, most=10, start=start)
    outbox.start()
    until(lambda: len(starts) == 2)
    until(lambda: "ended" in str(outbox.counts.problem))
    time.sleep(1.1)  # twice the pause between frames
    assert len(starts) == 2, "the third start waits for a second on the clock"
    clock.advance(1)
    until(lambda: len(starts) == 3)
    assert "ended with 0 and is started again" in str(outbox.counts.problem) or "has gone" in str(outbox.counts.problem)
    outbox.close()


def test_what_is_under_way_at_the_end_is_exported() -> None:
    """Closing hands everything on: the layer and the run that were still open too."""
    with Receiver() as receiver:
        to = Destination(name="otlp", signal="traces", url=f"{receiver.url}/v1/traces")
        setup = Setup(services=SETUP.services, destinations=(to,))
        outbox = Outbox(setup, clock=ManualClock(), most=10)
        outbox.start()
        outbox.listen(settled(made("r", "l")))
        outbox.close()
        outbox.close()

    assert sorted(span.name for span in receiver.spans) == ["chat m", "l", "llm /v1/chat/completions", "r"]
    assert outbox.counts.destinations[0].exported == 4
