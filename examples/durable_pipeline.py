"""A pipeline that outlives a dead provider: run it with `python examples/durable_pipeline.py`.

Its second layer meets a provider that is down. The run waits, and goes on when the provider is back: the first layer
is neither run nor paid again. It talks to the sandbox provider, so it needs no key.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from pydantic import BaseModel

import switchgear as sg
from switchgear.drills.sandbox import Sandbox
from switchgear.runner import Runner, governor, layer, log, pipeline

CONFIG = """
[ledger]
url = "sqlite:///{folder}/ledger.db"

[services.openai]
base_url = "{url}"
retry = {{ attempts = 1 }}
breaker = {{ failure_threshold = 1, recovery_timeout = "2s" }}
"""


class Posting(BaseModel):
    """What a layer is given, and what it returns, is kept as JSON by its type."""

    text: str


async def ask(question: str) -> str:
    """Ask the model, on behalf of whichever layer this runs in."""
    async with governor().async_http_client("openai", refusals="raise") as client:
        message = {"role": "user", "content": question}
        body = {"model": "gpt-4o-mini", "messages": [message], "max_tokens": 20}
        answer = await client.post("/v1/chat/completions", json=body)
    answer.raise_for_status()
    return str(answer.json()["choices"][0]["message"]["content"])


@layer(budget_usd="0.01")
async def analyse(posting: Posting) -> str:
    """Say what they look for."""
    log("reading the posting")
    return await ask(f"What do they look for? {posting.text}")


@layer(retries=1, on_refused="pause")
async def write(facts: str) -> str:
    """Write the letter."""
    return await ask(f"Write a letter to them: {facts}")


@pipeline(name="letter", timeout="5m", layers=[analyse, write])
async def letter(posting: Posting) -> str:
    """From a posting to a letter."""
    return await write(await analyse(posting))


def main(folder: Path, sandbox: Sandbox) -> None:
    """Run it once, with an outage in the middle."""
    path = folder / "switchgear.toml"
    path.write_text(CONFIG.format(folder=folder, url=sandbox.url), encoding="utf-8")
    with (
        sg.Governor.from_config(path) as gov,
        Runner(gov, url=f"sqlite:///{folder}/runs.db", pipelines=[letter]) as runner,
    ):
        sandbox.fault("latency=1ms", times=1)  # the first call is answered,
        sandbox.fault("status=503", times=1)  # the second finds the provider down
        run = runner.submit("letter", Posting(text="We make anvils."), job="acme-42", budget_usd="0.05")
        view = runner.wait(run)
        print(f"{view.status}: {view.output}")
        for one in view.layers:
            print(f"{one.layer}: {one.status}, begun {one.executions}x, {one.calls} calls")
        for line in runner.logs(run).items:
            print(f"  {line.text}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name, Sandbox() as provider:
        main(Path(name), provider)
