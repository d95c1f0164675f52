"""A budget for every job, kept across threads: run it with `python examples/budget_per_job.py`.

It talks to the sandbox provider, so it needs no key; take the service's `base_url` away and give it
`OPENAI_API_KEY` to talk to the real one.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai

import switchgear as sg
from switchgear.drills.sandbox import Sandbox

CONFIG = """
[ledger]
url = "sqlite:///{folder}/ledger.db"

[services.openai]
base_url = "{url}"

[[budgets]]
name = "each-job"
each = "job"
limit_usd = "0.0001"
"""


def ask(client: openai.OpenAI, job: str) -> str:
    """Ask one question on behalf of *job*; say how it went."""
    with sg.attribution(job=job, layer="research"):
        try:
            answer = client.chat.completions.create(
                model="gpt-4o-mini",
                messages=[{"role": "user", "content": "What does Acme make?"}],
                max_tokens=50,
            )
        except openai.APIStatusError as error:
            return f"{job}: refused, {error.response.json()['switchgear']['rule']}"
    return f"{job}: {answer.choices[0].message.content}"


def main(folder: Path, url: str) -> None:
    """Send eight questions for two jobs, side by side."""
    path = folder / "switchgear.toml"
    path.write_text(CONFIG.format(folder=folder, url=url), encoding="utf-8")
    with sg.Governor.from_config(path) as gov:
        client = openai.OpenAI(api_key="none", http_client=gov.http_client("openai"))
        with ThreadPoolExecutor(8) as pool:
            for line in pool.map(lambda number: ask(client, f"job-{number % 2}"), range(8)):
                print(line)
        for view in gov.state.budgets(gov.clock.moment()):
            print(f"budget {view.budget} of {view.value}: {view.used_share:.0%} used, {view.refused} refused")
        client.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, Sandbox() as sandbox:
        main(Path(folder), sandbox.url)
