"""Traffic of every shape: the ledger's calls, tokens and dollars beside the provider's own count."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from switchgear.clients.governor import Governor
from switchgear.config import load
from switchgear.drills.asking import chat
from switchgear.drills.verdict import Check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx2

    from switchgear.drills.ground import Ground
    from switchgear.drills.sandbox import Sandbox
    from switchgear.ledger.views import CallRow

__all__ = ["run"]

_INPUT: Final = 3000
_OUTPUT: Final = 15000
_CACHED: Final = 300
"""Nano-USD a token: 3, 15 and 0.30 USD a million."""

_FROM_CACHE: Final = 3
_THREADS: Final = 8
_OK: Final = 200
_SHAPES: Final[tuple[tuple[str, str], ...]] = (
    ("openai", "/v1/chat/completions"),
    ("openai", "/v1/chat/completions+stream"),
    ("openai", "/v1/responses"),
    ("openai", "/v1/responses+stream"),
    ("openai", "/v1/embeddings"),
    ("anthropic", "/v1/messages"),
    ("anthropic", "/v1/messages+stream"),
)
_FAULTS: Final = ("", "output=5", "", "status=503", "output=64", "", "latency=5ms", "status=429", "dated_model")


def run(ground: Ground) -> Iterator[Check]:
    """Send calls of seven shapes, with and without faults, by the library and the gateway, and count at both ends."""
    plain, caching = ground.sandbox(), ground.sandbox()
    caching.fault(f"cached={_FROM_CACHE};reasoning=2")
    config = ground.write("\n".join(_services(plain.url, caching.url)))
    calls = 210 if ground.quick else 2100
    ground.say(f"{calls} calls on the library")
    with Governor(load(config, environ={}), clock=ground.clock) as governor:
        clients = {name: governor.http_client(name) for name in governor.config.services}
        answered = _send(calls, lambda service, path, **what: clients[service].post(f"http://drill{path}", **what))
    server = ground.serve(config)
    ground.say(f"{calls} calls on the gateway")
    http = ground.plain_client(server.url)
    answered += _send(calls, lambda service, path, **what: http.post(f"/{service}{path}", **what))
    rows = ground.rows()
    yield from _compared(rows, plain, caching)
    yield Check(
        what="calls answered well, as their clients saw them, beside those in the ledger",
        measured=sum(row.status == "ok" for row in rows),
        bound="exactly",
        wanted=answered[_OK],
        unit="calls",
    )
    yield Check(
        what="calls answered well whose usage is an estimate",
        measured=sum(row.estimated for row in rows if row.status == "ok"),
        bound="exactly",
        wanted=0,
        unit="calls",
    )


def _services(plain: str, caching: str) -> Iterator[str]:
    for name, url in (("plain", plain), ("caching", caching)):
        for kind in ("openai", "anthropic"):
            yield f"""
[services.{name}_{kind}]
kind = "{kind}"
base_url = "{url}"
limits = {{ requests_per_minute = 10000000 }}
breaker = {{ failure_threshold = 1000000, minimum_calls = 1000000 }}
prices = {{ "drill" = {{ input = "3", output = "15", cache_read = "0.30" }} }}
"""


def _send(calls: int, post: Callable[..., httpx2.Response]) -> Counter[int]:
    """Send *calls*, every shape to each of both providers in turn; return the answers by status."""

    def ask(number: int) -> int:
        kind, shape = _SHAPES[number % len(_SHAPES)]
        path, _, stream = shape.partition("+")
        provider = "caching" if number % 2 else "plain"
        fault = _FAULTS[number % len(_FAULTS)] if provider == "plain" else ""
        headers = {"x-sandbox-fault": fault} if fault else {}
        body = _body(path, f"call number {number} of this drill", stream=bool(stream))
        status: int = post(f"{provider}_{kind}", path, json=body, headers=headers).status_code
        return status

    with ThreadPoolExecutor(_THREADS) as pool:
        return Counter(pool.map(ask, range(calls)))


def _body(path: str, text: str, *, stream: bool) -> dict[str, Any]:
    if path == "/v1/embeddings":
        return {"model": "drill", "input": text}
    if path == "/v1/responses":
        return {"model": "drill", "input": text, "max_output_tokens": 32, "stream": stream}
    return chat(text, tokens=32, stream=stream)


def _compared(rows: list[CallRow], plain: Sandbox, caching: Sandbox) -> Iterator[Check]:
    booked = (plain.stats(), caching.stats())
    pairs = {
        "calls": (len(rows), sum(book.received for book in booked)),
        "input tokens": (sum(row.input_tokens for row in rows), sum(book.input_tokens for book in booked)),
        "output tokens": (sum(row.output_tokens for row in rows), sum(book.output_tokens for book in booked)),
    }
    for what, (ledger, provider) in pairs.items():
        yield Check(
            what=f"{what} in the ledger, beside the provider's own count",
            measured=ledger,
            bound="exactly",
            wanted=provider,
            unit=what.rpartition(" ")[2],
        )
    # Embeddings have no cache.
    by_path = caching.stats().by_path
    from_cache = _FROM_CACHE * (sum(by_path.values()) - by_path.get("/v1/embeddings", 0))
    tokens_in, tokens_out = (sum(getattr(book, name) for book in booked) for name in ("input_tokens", "output_tokens"))
    owed = (tokens_in - from_cache) * _INPUT + from_cache * _CACHED + tokens_out * _OUTPUT
    yield Check(
        what="dollars in the ledger, beside the provider's tokens at its prices",
        measured=sum(row.cost or 0 for row in rows) / 1e9,
        bound="exactly",
        wanted=owed / 1e9,
        unit="USD",
    )
