"""The demo's configuration: a real ``switchgear.toml``, to be read and kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import msgspec

__all__ = ["RECOVERY_SECONDS", "THRESHOLD", "Addresses", "configuration"]

RECOVERY_SECONDS: Final = 2
"""How long the breaker of the service that fails stays open."""

THRESHOLD: Final = 3
"""How many failures in a row open it."""


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are: the server's *port*, the *ledger* file, and the base URLs of the upstreams."""

    port: int
    ledger: Path
    model: str
    sandbox: str


def configuration(at: Addresses, *, model: str) -> str:
    """Return the text of the file; *model* is the name that gets a price."""
    name, local, sandbox = json.dumps(model), json.dumps(at.model), json.dumps(at.sandbox)
    return f"""\
# Written by `switchgear demo`.
[server]
host = "127.0.0.1"
port = {at.port}

[ledger]
url = {json.dumps(f"sqlite:///{at.ledger}")}

# The model on this machine speaks both protocols: one service for each.
# It costs nothing; what it is said to cost here is what a mid-sized hosted model does (USD per 1M tokens).
[services.local]
kind = "openai"
base_url = {local}
critical = true
limits = {{ requests_per_minute = 600, tokens_per_minute = 200000, concurrent = 2 }}
prices = {{ {name} = {{ input = "2.00", output = "8.00", cache_read = "0.50" }} }}

[services.local_messages]
kind = "anthropic"
base_url = {local}
limits = {{ requests_per_minute = 600, concurrent = 2 }}
prices = {{ {name} = {{ input = "2.00", output = "8.00", cache_read = "0.50" }} }}

# A service that fails for a while: three failures in a row open its breaker, two seconds later it is probed.
[services.flaky]
kind = "openai"
base_url = {sandbox}
breaker = {{ failure_threshold = {THRESHOLD}, recovery_timeout = "{RECOVERY_SECONDS}s" }}
prices = {{ "sandbox-model" = {{ input = "0.50", output = "1.50" }} }}

# Any other HTTP API, priced by the request.
[services.scraper]
base_url = {sandbox}
limits = {{ requests_per_minute = 60 }}
prices = {{ "*" = {{ request = "0.0005" }} }}

[[budgets]]
name = "demo-total"
limit_usd = "1.00"

[[budgets]]
name = "small-job"
match = {{ job = "small-job" }}
limit_usd = "0.0011"

[[budgets]]
name = "optional-polish"
match = {{ layer = "polish" }}
limit_tokens = 270
action = "skip"

[[budgets]]
name = "each-job"
each = "job"
limit_usd = "0.05"
period = "day"
"""
