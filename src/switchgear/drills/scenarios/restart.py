"""The gateway is restarted in order under load: nobody's answer is cut, and it remembers."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from switchgear.drills.asking import chat
from switchgear.drills.ground import free_port
from switchgear.drills.pressing import Pressure
from switchgear.drills.verdict import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.drills.asking import Answer
    from switchgear.drills.ground import Ground

__all__ = ["run"]

_CALLERS: Final = 4
_SLACK: Final = 15.0


def run(ground: Ground) -> Iterator[Check]:
    """End and start the gateway on one port while four callers go on, and count at both ends."""
    sandbox = ground.sandbox()
    config = ground.write(
        f"""
[services.llm]
kind = "openai"
base_url = "{sandbox.url}"
limits = {{ requests_per_minute = 100000, requests_per_day = 100000 }}
prices = {{ "drill" = {{ input = "1", output = "2" }} }}
""",
        port=free_port(),
    )
    server = ground.serve(config)
    client = ground.client(server.url)

    def ask(number: int) -> Answer:
        answer = client.ask(
            body=chat(f"id-{number}", stream=number % 2 == 0), fault="chunk_delay=10ms", job=f"id-{number}"
        )
        if not answer.is_ok:
            ground.clock.sleep(0.1)
        return answer

    with Pressure(ask, callers=_CALLERS) as pressure:
        for number in range(1 if ground.quick else 5):
            ground.clock.sleep(0.7)
            ground.say(f"restart {number + 1}")
            server.terminate()
            server.wait()
            server = ground.serve(config)
        ground.clock.sleep(0.7)
    seen = {found[0] for one in sandbox.requests if (found := re.search(r"id-\d+", one.body.decode())) is not None}
    answered = {f"id-{number}" for number, answer in pressure.answers if answer.is_ok}
    yield Check(
        what=f"calls that the provider served and whose client has no answer, of {len(seen)}",
        measured=len(seen - answered),
        bound="exactly",
        wanted=0,
        unit="calls",
    )
    ends = sorted(answer.ended for _, answer in pressure.answers if answer.is_ok)
    yield Check(
        what="longest time without an answer",
        measured=max((after - before for before, after in itertools.pairwise(ends)), default=None),
        bound="at most",
        wanted=_SLACK,
        unit="s",
    )
    rows = ground.rows()
    yield Check(
        what="calls in the ledger, beside the provider's own count",
        measured=len(rows),
        bound="exactly",
        wanted=sandbox.stats().received,
        unit="calls",
    )
    yield Check(
        what="calls that the ledger has twice",
        measured=sum(count > 1 for count in Counter(row.job for row in rows).values()),
        bound="exactly",
        wanted=0,
        unit="calls",
    )
    [used] = [limit["used"] for limit in client.get("/api/limits")["items"] if limit["rule"] == "requests_per_day"]
    yield Check(
        what="calls of the day that the limit remembers, beside the ledger",
        measured=used,
        bound="exactly",
        wanted=len(rows),
        unit="calls",
    )
