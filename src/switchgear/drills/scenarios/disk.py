"""The disk is full: nothing goes out unrecorded, what is under way is not lost, and no restart is needed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from switchgear.drills.ground import NotRunError
from switchgear.drills.verdict import Check

try:
    import resource

    _limit_of = getattr(resource, "prlimit", None)
except ImportError:  # not on this system
    _limit_of = None

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.drills.ground import Ground

__all__ = ["run"]

_CALLS: Final = 10
_UNAVAILABLE: Final = 503
_SLACK: Final = 5.0


def run(ground: Ground) -> Iterator[Check]:
    """Let the kernel refuse the gateway one byte more while calls are under way, and lift that again."""
    if _limit_of is None:
        msg = "this system can't limit the files of a running process (prlimit)"
        raise NotRunError(msg)
    sandbox = ground.sandbox()
    config = ground.write(f"""
[services.llm]
kind = "openai"
base_url = "{sandbox.url}"
limits = {{ requests_per_minute = 100000 }}
prices = {{ "drill" = {{ input = "1", output = "2" }} }}
""")
    server = ground.serve(config)
    client = ground.client(server.url)
    client.many(_CALLS, lambda _: client.ask(), threads=2)
    with ThreadPoolExecutor(_CALLS) as pool:
        flying = [pool.submit(client.ask, fault="latency=700ms") for _ in range(_CALLS)]
        sandbox.wait_until(lambda stats: stats.received == 2 * _CALLS)
        ground.say("the disk is full")
        _limit(server.pid, max(file.stat().st_size for file in ground.folder.glob("ledger.db*")))
        answered = sum(one.result().is_ok for one in flying)
    yield Check(
        what="calls under way that got their answer", measured=answered, bound="exactly", wanted=_CALLS, unit="calls"
    )
    before = sandbox.stats().received
    refused = client.many(_CALLS, lambda _: client.ask(), threads=2)
    yield Check(
        what="calls refused while it is full",
        measured=sum(answer.status == _UNAVAILABLE for answer in refused),
        bound="exactly",
        wanted=_CALLS,
        unit="calls",
    )
    yield Check(
        what="calls that reached the provider unrecorded",
        measured=sandbox.stats().received - before,
        bound="exactly",
        wanted=0,
        unit="calls",
    )
    ground.say("there is room again")
    _limit(server.pid, resource.RLIM_INFINITY)
    took = ground.wait_until(lambda: client.get("/api/health")["status"] == "healthy")
    yield Check(
        what="time from room to health, without a restart", measured=took, bound="at most", wanted=_SLACK, unit="s"
    )
    client.ask()
    rows = ground.rows()
    stats = sandbox.stats()
    yield Check(
        what="calls settled in the ledger, beside those that the provider served",
        measured=sum(row.status == "ok" for row in rows),
        bound="exactly",
        wanted=stats.served,
        unit="calls",
    )
    yield Check(
        what="output tokens in the ledger, beside those that the provider sent",
        measured=sum(row.output_tokens for row in rows),
        bound="exactly",
        wanted=stats.output_tokens,
        unit="tokens",
    )


def _limit(process: int, size: int) -> None:
    """Let no file of *process* grow beyond *size*."""
    if _limit_of is not None:
        _limit_of(process, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
