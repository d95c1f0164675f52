"""A batch through the gate: what it came to is priced at the batch tier, once."""

from __future__ import annotations

from pathlib import Path

import httpx2

from switchgear.clients.governor import Governor
from switchgear.config import load_text
from switchgear.testing import ManualClock, fake_provider, governor

SETTINGS = """
[services.openai]
kind = "openai"
base_url = "https://api.openai.com"
"""
BATCH = {
    "id": "batch_1",
    "object": "batch",
    "model": "gpt-4o-mini",
    "usage": {"input_tokens": 1_000_000, "output_tokens": 1000, "total_tokens": 1_001_000},
}


def test_a_batch_is_priced_at_its_tier_and_counted_once() -> None:
    """Half the list price of 15 and 60 cents per million, on the first poll that tells it alone."""
    with governor(SETTINGS) as gov, fake_provider(gov) as provider, gov.http_client("openai") as client:
        for _ in range(2):
            provider.reply(json=BATCH)
            assert client.get("https://api.openai.com/v1/batches/batch_1").json() == BATCH
        second, first = gov.ledger.reader.calls().items

    assert (first.input_tokens, first.output_tokens, first.cost) == (1_000_000, 1000, 75_300_000)
    assert (second.input_tokens, second.output_tokens, second.cost) == (0, 0, 0)


def test_a_batch_is_counted_once_among_processes(tmp_path: Path) -> None:
    """After a new start, and in a process beside, only what is more than was counted before counts."""
    settings = f'[ledger]\nurl = "sqlite:///{tmp_path}/ledger.db"\n{SETTINGS}'
    more = {**BATCH, "usage": {"input_tokens": 1_000_000, "output_tokens": 1500, "total_tokens": 1_001_500}}
    config = load_text(settings, environ={})
    for body in (BATCH, BATCH, more):
        with Governor(config, clock=ManualClock(1_800_000_000.0)) as gov, fake_provider(gov) as provider:
            provider.reply(json=body)
            with gov.http_client("openai") as client:
                client.get("https://api.openai.com/v1/batches/batch_1")
            rows = gov.ledger.reader.calls().items
            events = gov.ledger.reader.events(kind="batch_counted")
    assert [(row.input_tokens, row.output_tokens) for row in rows] == [(0, 500), (0, 0), (1_000_000, 1000)]
    assert [event.subject for event in events] == ["openai: batch batch_1"] * 2


def test_a_new_batch_is_refused_until_such_calls_are_let_pass() -> None:
    """Nobody knows what it will cost: a budget that holds can't hold for it."""
    url = "https://api.openai.com/v1/batches"
    with governor(SETTINGS) as gov, fake_provider(gov), gov.http_client("openai") as client:
        answer = client.post(url, json={"input_file_id": "file-1"})
        assert (answer.status_code, answer.headers["x-switchgear-refused"]) == (402, "unpriced")
    with governor(SETTINGS + 'unpriced = "allow"\n') as gov, fake_provider(gov) as provider:
        provider.reply(json={"id": "batch_1", "object": "batch"})
        with gov.http_client("openai") as client:
            assert client.post(url, json={"input_file_id": "file-1"}).status_code == httpx2.codes.OK
        (row,) = gov.ledger.reader.calls().items
        assert (row.status, row.cost) == ("ok", None)


def test_the_cost_that_the_provider_states_is_the_cost() -> None:
    """OpenRouter's own bill goes before the list; a price of the configuration goes before both."""
    body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.00014}
    answer = {"model": "gpt-4o-mini", "choices": [{"message": {"content": "x"}}], "usage": usage}
    own = 'prices = { "gpt-4o-mini" = { input = "1", output = "1" } }\n'
    for more, cost, version in (("", 140_000, "billed by the provider"), (own, 15_000, "config/gpt-4o-mini/")):
        with governor(SETTINGS + more) as gov, fake_provider(gov) as provider, gov.http_client("openai") as client:
            provider.reply(json=answer)
            client.post("https://api.openai.com/v1/chat/completions", json=body | {"model": "gpt-4o-mini"})
            (row,) = gov.ledger.reader.calls().items
            assert row.cost == cost
            assert (row.price_version or "").startswith(version)
