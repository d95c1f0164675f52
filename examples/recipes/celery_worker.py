"""Celery tasks through the gateway: a task's id is the run, so costs can be asked for by task."""

from __future__ import annotations

import openai
from celery import Celery, Task

app = Celery("recipes", broker="memory://", backend="cache+memory://")
app.conf.task_always_eager = True  # so that this file shows itself; leave it out where workers run


@app.task(bind=True, autoretry_for=(openai.RateLimitError,), retry_backoff=True, max_retries=3)
def summarise(self: Task, job: str) -> str:
    """Ask one question; a refusal by a limit comes back later, as Celery does it."""
    client = openai.OpenAI(
        max_retries=0,
        default_headers={
            "x-switchgear-job": job,
            "x-switchgear-run": self.request.id,
            "x-switchgear-layer": "summarise",
        },
    )
    answer = client.chat.completions.create(
        model="gpt-4o-mini", max_tokens=50, messages=[{"role": "user", "content": "What does Acme make?"}]
    )
    return answer.choices[0].message.content or ""


if __name__ == "__main__":
    print(summarise.delay("acme-42").get())
