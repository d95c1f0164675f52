"""Record what the local model sends into tests/wire/recordings/local.json: ``python tests/wire/record_local.py``.

What each recording must come to is worked out here from the provider's own usage object, not by the code under test.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2

from switchgear.local import LocalModel

FILE = Path(__file__).parent / "recordings" / "local.json"
MODEL = "smollm2"
IN, CACHED, OUT = 1000, 100, 2000
MESSAGES = [{"role": "user", "content": "Name one colour."}]
CHAT = {"model": MODEL, "max_tokens": 8, "temperature": 0, "messages": MESSAGES}
RESPONSES = {"model": MODEL, "max_output_tokens": 8, "input": "Name one colour."}
STREAM = {"stream": True, "stream_options": {"include_usage": True}}
REQUESTS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("chat", "openai", "/v1/chat/completions", CHAT),
    ("chat, streamed, usage asked for", "openai", "/v1/chat/completions", {**CHAT, **STREAM}),
    ("responses", "openai", "/v1/responses", RESPONSES),
    ("responses, streamed", "openai", "/v1/responses", {**RESPONSES, "stream": True}),
    ("completions", "openai", "/v1/completions", {"model": MODEL, "max_tokens": 4, "prompt": "One, two,"}),
    ("a message", "anthropic", "/v1/messages", CHAT),
    ("a message, streamed", "anthropic", "/v1/messages", {**CHAT, "stream": True}),
    ("counting tokens", "anthropic", "/v1/messages/count_tokens", {"model": MODEL, "messages": MESSAGES}),
]


def _objects(text: str, *, streamed: bool) -> list[dict[str, Any]]:
    if not streamed:
        return [json.loads(text)]
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


def _merged(objects: list[dict[str, Any]]) -> tuple[dict[str, Any], str | None]:
    """Return the last word on each count, and the model that answered."""
    usage: dict[str, Any] = {}
    model = None
    for one in objects:
        inner = one.get("response") or one.get("message") or {}
        model = one.get("model") or inner.get("model") or model
        usage |= {
            key: value
            for key, value in {**(inner.get("usage") or {}), **(one.get("usage") or {})}.items()
            if value is not None
        }
    return usage, model


def _expected(kind: str, path: str, objects: list[dict[str, Any]]) -> dict[str, Any]:
    usage, model = _merged(objects)
    free = path.endswith("count_tokens")
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    cached = details.get("cached_tokens", 0) if kind == "openai" else usage.get("cache_read_input_tokens", 0)
    read = usage.get("prompt_tokens", usage.get("input_tokens", 0)) + (cached if kind == "anthropic" else 0)
    wrote = usage.get("completion_tokens", usage.get("output_tokens", 0))
    counts = {
        "input_tokens": read,
        "output_tokens": wrote,
        "cache_read_tokens": cached,
        "cache_write_tokens": 0,
        "reasoning_tokens": 0,
        "units": {},
    }
    return {
        "usage": counts,
        "cost": 0 if free else (read - cached) * IN + cached * CACHED + wrote * OUT,
        "status": "ok",
        "verdict": "success",
        "error": None,
        "estimated": False,
        "model": None if free else model,
        "tier": None,
        "complete": True,
    }


def main() -> None:
    """Ask the model, and write down what it says."""
    cases = []
    prices = {"input": "1", "output": "2", "cache_read": "0.1"}
    plain = {"accept-encoding": "identity", "connection": "close"}
    with LocalModel() as model, httpx2.Client(timeout=120, headers=plain) as client:
        for name, kind, path, request in REQUESTS:
            answer = client.post(model.url + path, json=request)
            answer.raise_for_status()
            streamed = bool(request.get("stream"))
            expect = _expected(kind, path, _objects(answer.text, streamed=streamed))
            names = {MODEL, expect["model"]} - {None}
            cases.append(
                {
                    "name": name,
                    "service": "local",
                    "kind": kind,
                    "base_url": "http://127.0.0.1:8401",
                    "method": "POST",
                    "path": path,
                    "prices": dict.fromkeys(sorted(names), prices),
                    "request": request,
                    "status": answer.status_code,
                    "content_type": answer.headers["content-type"],
                    "answer": answer.text.split("\n"),
                    "expect": expect,
                }
            )
    FILE.write_text(json.dumps(cases, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
