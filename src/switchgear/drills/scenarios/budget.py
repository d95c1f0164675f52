"""1,000 calls at once against one budget, from threads, from processes, and over the library and the gateway."""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import TYPE_CHECKING, Final

from switchgear.clients.governor import Governor
from switchgear.config import load
from switchgear.drills.asking import chat
from switchgear.drills.load import start_load
from switchgear.drills.verdict import Check
from switchgear.drills.watching import BudgetWatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from switchgear.drills.ground import Ground
    from switchgear.drills.sandbox import Sandbox

__all__ = ["run"]

_CALLS: Final = 1000
_PROCESSES: Final = 4
_INPUT: Final = 1000
_OUTPUT: Final = 2000
"""Nano-USD a token: 1 and 2 USD a million."""

_LIMIT: Final = 5_000_000
_OK: Final = 200
_REFUSED: Final = 402


def run(ground: Ground) -> Iterator[Check]:
    """Spend one budget twice: by a thousand threads on the library, by four processes on the gateway."""
    sandbox = ground.sandbox()
    services = "\n".join(_service(name, sandbox.url) for name in ("library", "gateway"))
    config = ground.write(f"""
{services}
[[budgets]]
name = "threads"
match = {{ service = "library" }}
limit_usd = "{_LIMIT / 1e9:.9f}"

[[budgets]]
name = "all"
limit_usd = "{2 * _LIMIT / 1e9:.9f}"
""")
    # Answers that take their time keep many reservations open at once.
    sandbox.fault("latency=100ms")
    ground.say(f"{_CALLS} threads on the library")
    with Governor(load(config, environ={}), clock=ground.clock) as governor:
        statuses = _threads(governor.http_client("library"))
    spent, before = _spent(sandbox), sandbox.stats().received
    yield from _checks("threads", statuses, spent, _LIMIT, before)

    server = ground.serve(config)
    with BudgetWatch(ground.client(server.url), "all", ground.clock) as watch:
        ground.say(f"{_CALLS} calls from {_PROCESSES} processes on the gateway")
        statuses = _processes(server.url)
    yield from _checks(
        "processes over the gateway", statuses, _spent(sandbox), 2 * _LIMIT, sandbox.stats().received - before
    )
    yield Check(
        what=f"most that was ever spent and reserved at once, in {watch.looks} looks",
        measured=float(watch.most) if watch.looks else None,
        bound="at most",
        wanted=2 * _LIMIT / 1e9,
        unit="USD",
    )
    rows = ground.rows()
    yield Check(
        what="what the ledger has as spent",
        measured=sum(row.cost or 0 for row in rows if row.status != "refused") / 1e9,
        bound="exactly",
        wanted=_spent(sandbox) / 1e9,
        unit="USD",
    )


def _service(name: str, url: str) -> str:
    return f"""
[services.{name}]
kind = "openai"
base_url = "{url}"
limits = {{ requests_per_minute = 10000000 }}
prices = {{ "drill" = {{ input = "{_INPUT // 1000}", output = "{_OUTPUT // 1000}" }} }}
"""


def _spent(sandbox: Sandbox) -> int:
    """Return what the provider's own count of tokens comes to, in nano-USD."""
    stats = sandbox.stats()
    return stats.input_tokens * _INPUT + stats.output_tokens * _OUTPUT


def _checks(who: str, statuses: Counter[int], spent: int, limit: int, received: int) -> Iterator[Check]:
    yield Check(
        what=f"{who}: overspent, by the provider's own count",
        measured=max(0, spent - limit) / 1e9,
        bound="exactly",
        wanted=0,
        unit="USD",
    )
    yield Check(
        what=f"{who}: calls answered or refused by the budget, of {_CALLS}",
        measured=statuses[_OK] + statuses[_REFUSED],
        bound="exactly",
        wanted=_CALLS,
        unit="calls",
    )
    yield Check(
        what=f"{who}: calls answered, beside those that reached the provider",
        measured=statuses[_OK],
        bound="exactly",
        wanted=received,
        unit="calls",
    )
    yield Check(
        what=f"{who}: share of the budget that was used",
        measured=100 * spent / limit,
        bound="at least",
        wanted=10,
        unit="%",
    )


def _threads(client: httpx2.Client) -> Counter[int]:
    statuses: Counter[int] = Counter()
    lock = threading.Lock()
    ready = threading.Barrier(_CALLS)

    def ask() -> None:
        ready.wait()
        status = client.post("http://drill/v1/chat/completions", json=chat()).status_code
        with lock:
            statuses[status] += 1

    threads = [threading.Thread(target=ask) for _ in range(_CALLS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def _processes(url: str) -> Counter[int]:
    statuses: Counter[int] = Counter()
    started = [start_load(f"{url}/gateway/v1/chat/completions", calls=_CALLS // _PROCESSES) for _ in range(_PROCESSES)]
    for process in started:
        said, _ = process.communicate()
        statuses.update({int(status): count for status, count in json.loads(said).items()})
    return statuses
