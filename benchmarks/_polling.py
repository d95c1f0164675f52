"""A gateway under 1,000 requests a second, with and without browsers that look at its dashboard."""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["measure_polling"]

PORT, UPSTREAM = 9533, 9532
RATE = 1_000
SECONDS = 6.0
CONNECTIONS = 64
BROWSERS = 20
REPLY = (
    b'{"id":"x","object":"chat.completion","model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}'
)
BODY = b'{"model":"gpt-4o-mini","max_tokens":4,"messages":[{"role":"user","content":"hello"}]}'
TABS = (
    (("/partials/service-health", 30.0), ("/partials/metrics-dashboard", 15.0)),
    (("/partials/budget-monitor", 15.0),),
    (("/partials/usage-graphs", 60.0),),
    (("/partials/calls/live?place=0", 0.0),),
    (("/partials/service-health", 30.0), ("/partials/metrics-dashboard", 15.0)),
)
PROVIDER = """
import asyncio, sys
REPLY = {reply!r}
HEAD = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(REPLY)
class One(asyncio.Protocol):
    def connection_made(self, transport): self.transport, self.rest = transport, b""
    def data_received(self, data):
        self.rest += data
        while (end := self.rest.find(b"\\r\\n\\r\\n")) >= 0:
            head = self.rest[:end].lower()
            at = head.find(b"content-length:")
            size = int(head[at + 15:].split(b"\\r\\n", 1)[0]) if at >= 0 else 0
            if len(self.rest) < end + 4 + size: return
            self.rest = self.rest[end + 4 + size:]
            self.transport.write(HEAD + REPLY)
async def main():
    server = await asyncio.get_running_loop().create_server(One, "127.0.0.1", {port})
    await server.serve_forever()
asyncio.run(main())
"""


def measure_polling(config: Path, *, rounds: int) -> dict[str, Any]:
    """Return the latencies of both kinds of rounds, and how much the browsers change p99."""
    text = config.read_text(encoding="utf-8").replace(
        'base_url = "http://127.0.0.1:9"', f'base_url = "http://127.0.0.1:{UPSTREAM}"'
    )
    prices = 'prices = { "gpt-4o-mini" = { input = "0.15", output = "0.6" } }\n'
    text = text.replace("[services.anthropic]", prices + "[services.anthropic]")
    config.write_text(text.replace("[server]", f"[server]\nport = {PORT}"), encoding="utf-8")
    with (
        _process(["-c", PROVIDER.format(reply=REPLY, port=UPSTREAM)]),
        _process(["-m", "switchgear", "serve", "--config", str(config)]),
    ):
        _wait(f"http://127.0.0.1:{PORT}/readyz")
        _wait(f"http://127.0.0.1:{PORT}/openai/v1/chat/completions", BODY)
        return asyncio.run(_rounds(rounds))


async def _rounds(rounds: int) -> dict[str, Any]:
    await _load(2.0)
    found: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    for number in range(rounds):
        for polled in (False, True) if number % 2 == 0 else (True, False):
            browsers = [asyncio.create_task(_browse(each)) for each in range(BROWSERS)] if polled else []
            await asyncio.sleep(0.5)
            found[polled].append(await _load(SECONDS))
            for browser in browsers:
                browser.cancel()
            await asyncio.gather(*browsers, return_exceptions=True)
        sys.stderr.write(f"round {number + 1}: {found[False][-1]} / {found[True][-1]}\n")
    result: dict[str, Any] = {"rate": RATE, "browsers": BROWSERS, "rounds": rounds}
    for polled, name in ((False, "without"), (True, "with")):
        result[name] = {key: round(statistics.median(one[key] for one in found[polled]), 2) for key in found[polled][0]}
    pairs = zip(found[False], found[True], strict=True)
    ratios = sorted(on["p99_ms"] / off["p99_ms"] for off, on in pairs)
    result["p99_with_over_without"] = round(statistics.median(ratios), 3)
    result["p99_ratios"] = [round(ratio, 2) for ratio in ratios]
    return result


async def _load(seconds: float) -> dict[str, float]:
    """Send at the rate whatever comes back; a latency counts from when the request was due."""
    request = (
        b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer x\r\ncontent-length: %d\r\n\r\n%s" % (PORT, len(BODY), BODY)
    )
    waiting: asyncio.Queue[float] = asyncio.Queue()
    taken: list[float] = []

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
        try:
            while True:
                due = await waiting.get()
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200"), head
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
                await reader.readexactly(length)
                taken.append(time.perf_counter() - due)
        finally:
            writer.close()

    workers = [asyncio.create_task(one()) for _ in range(CONNECTIONS)]
    began = time.perf_counter()
    sent = 0
    while (now := time.perf_counter()) < began + seconds:
        while began + sent / RATE <= now:
            waiting.put_nowait(began + sent / RATE)
            sent += 1
        await asyncio.sleep(0.001)
        broken = [worker for worker in workers if worker.done()]
        if broken:
            broken[0].result()
    await asyncio.sleep(0.3)
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    ms = sorted(one * 1e3 for one in taken)
    return {
        "rps": round(len(taken) / seconds, 1),
        "p50_ms": round(ms[len(ms) // 2], 2),
        "p99_ms": round(ms[int(len(ms) * 0.99)], 2),
    }


async def _browse(number: int) -> None:
    """Poll what the open tab of browser *number* polls, each at its own time."""
    await asyncio.gather(*(_poll(path, every) for path, every in TABS[number % len(TABS)]))


async def _poll(path: str, every: float) -> None:
    request = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{PORT}\r\nconnection: close\r\n\r\n".encode()
    await asyncio.sleep(random.uniform(0, every))
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
        try:
            writer.write(request)
            while await reader.read(65536):
                pass
        finally:
            writer.close()
        await asyncio.sleep(every)


@contextmanager
def _process(arguments: list[str]) -> Iterator[None]:
    source = str(Path(__file__).resolve().parents[1] / "src")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}
    process = subprocess.Popen([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def _wait(url: str, body: bytes | None = None) -> None:
    headers = {"content-type": "application/json", "authorization": "Bearer x"}
    request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 - our own server
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with suppress(OSError), urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - our own server
            if answer.status == 200:
                return
        time.sleep(0.2)
    msg = f"{url} does not answer"
    raise RuntimeError(msg)
