"""The pictures of the documentation, made from a ledger of thirty invented days: `python scripts/screenshots.py`.

Needs Chromium on PATH. Writes docs/images/*.png.
"""

from __future__ import annotations

import math
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwright.sync_api import sync_playwright

from switchgear.calls import Attribution, Call, Refusal, Usage, new_call_id
from switchgear.clock import MICROS, SystemClock
from switchgear.config import load_text
from switchgear.ledger import Ledger
from switchgear.ledger.rows import AttemptRefused, AttemptReserved, AttemptSettled
from switchgear.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

__all__: list[str] = []

IMAGES: Final = Path(__file__).parents[1] / "docs" / "images"
PAGES: Final = {"overview": "/", "budget": "/budgets/openai-month", "usage": "/usage?by=model"}
MODELS: Final = {"openai": ("gpt-5-mini", "gpt-5"), "anthropic": ("claude-sonnet-4", "claude-haiku-4")}
DAY: Final = 86_400 * MICROS
CONFIG: Final = """
[ledger]
url = "sqlite:///{folder}/ledger.db"
[services.openai]
limits = {{ requests_per_minute = 500, tokens_per_minute = 200000 }}
[services.anthropic]
[[budgets]]
name = "openai-month"
match = {{ service = "openai" }}
limit_usd = "20"
period = "month"
[[budgets]]
name = "each-job"
each = "job"
limit_usd = "12"
period = "month"
action = "skip"
"""


def calls(now: int, rng: random.Random) -> Iterator[tuple[Call, int]]:
    """Yield calls of the last thirty days, more of them by day than by night."""
    for number in range(6_000):
        at = now - 30 * DAY + 30 * DAY * number // 6_000
        hour = at // (3_600 * MICROS) % 24
        if rng.random() > 0.35 + 0.65 * math.exp(-(((hour - 13) / 5) ** 2)):
            continue
        service = rng.choices(list(MODELS), [8, 6])[0]
        who = Attribution(
            job=rng.choice(["acme-42", "beta-7", "gamma-1"]),
            layer=rng.choice(["analysis", "fit", "letter", "research"]),
            run=f"run-{number // 200}",
        )
        call = Call(
            id=new_call_id(at),
            service=service,
            endpoint="/v1/messages" if service == "anthropic" else "/v1/chat/completions",
            model=rng.choice(MODELS[service]),
            attribution=who,
            trace_id=f"{number // 6:032x}",
        )
        yield call, at


def fill(url: str, rng: random.Random) -> None:
    """Write the calls: most go well, some fail, a few are refused."""
    ledger = Ledger.open(url, clock=SystemClock())
    now = time.time_ns() // 1000
    for call, at in calls(now, rng):
        cost = int(rng.lognormvariate(15.5, 1))
        if rng.random() < 0.02:  # noqa: PLR2004 - a share
            refusal = Refusal(
                reason="budget",
                rule="each-job",
                service=call.service,
                message="budget each-job of acme-42: $0.01 of $12 left, the call needs up to $0.08",
                unit="usd",
                limit=12 * 10**9,
                used=11_990_000_000,
            )
            ledger.refuse(AttemptRefused(call=call, refusal=refusal, cost=cost * 8, at=at, waited_us=0))
            continue
        waited = rng.choice([0, 0, 0, 800_000])
        ledger.reserve(
            AttemptReserved(call=call, cost=cost * 3, price_version="2026-11-20", started_at=at, waited_us=waited)
        )
        good = rng.random() < 0.97  # noqa: PLR2004 - a share
        last = ledger.settle(
            AttemptSettled(
                call_id=call.id,
                attempt=1,
                status="ok" if good else "failed",
                usage=Usage(input_tokens=rng.randint(100, 9_000), output_tokens=rng.randint(20, 900)),
                cost=cost,
                price_version="2026-11-20",
                estimated=False,
                http_status=200 if good else 500,
                error=None if good else "HTTP 500",
                model=None,
                ttft_us=None,
                duration_us=int(rng.lognormvariate(14.3, 0.6)),
            )
        )
    last.wait(60)
    ledger.close()


def shoot(browser: Browser, base: str) -> Iterator[Path]:
    """Yield each picture once it is there."""
    page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme="light")
    for name, path in PAGES.items():
        page.goto(base + path)
        page.wait_for_load_state("networkidle")
        picture = IMAGES / f"{name}-light.png"
        page.screenshot(path=picture)
        yield picture


def main() -> None:
    """Make all pictures."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        config = load_text(CONFIG.format(folder=folder), environ={})
        fill(config.ledger.url, random.Random(4))  # noqa: S311 - nothing secret
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with Server(config, port=0) as server:
            for picture in shoot(browser, server.url):
                sys.stdout.write(f"{picture.name} {picture.stat().st_size // 1000} kB\n")
        browser.close()


if __name__ == "__main__":
    main()
