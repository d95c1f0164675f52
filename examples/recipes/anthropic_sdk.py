"""Anthropic's SDK through the gateway, streamed: only `ANTHROPIC_BASE_URL` is new."""

from __future__ import annotations

import anthropic

client = anthropic.Anthropic(max_retries=0)

with client.messages.stream(
    model="claude-haiku-4-5",
    max_tokens=50,
    messages=[{"role": "user", "content": "What does Acme make?"}],
    extra_headers={"x-switchgear-job": "acme-42", "x-switchgear-layer": "letter"},
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)
print()
