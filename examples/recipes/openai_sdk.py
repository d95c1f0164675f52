"""OpenAI's SDK through the gateway: only `OPENAI_BASE_URL` is new."""

from __future__ import annotations

import openai

client = openai.OpenAI(max_retries=0)  # the gate retries; two that retry are one too many

try:
    answer = client.chat.completions.create(
        model="gpt-4o-mini",
        max_tokens=50,
        messages=[{"role": "user", "content": "What does Acme make?"}],
        extra_headers={"x-switchgear-job": "acme-42", "x-switchgear-layer": "research"},  # on whose behalf
    )
    print(answer.choices[0].message.content)
except openai.APIStatusError as error:  # 429 a limit, 503 an open breaker, 402 a budget
    refusal = error.response.json().get("switchgear")
    print(f"refused by {refusal['rule']}, again at {refusal['retry_at']}" if refusal else error)
