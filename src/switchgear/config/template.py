"""The file that ``switchgear init`` writes: valid as it is, and a first lesson in what can be set."""

from __future__ import annotations

from typing import Final

__all__ = ["TEMPLATE"]

TEMPLATE: Final = """\
# Switchgear's configuration. Every key, with its default: docs/configuration.md.
# A key can also be set from the environment: SWITCHGEAR_SERVER__PORT=8401.
# Durations have a unit ("250ms", "30s", "2m", "1h"); money is a string of USD ("12.50").

[server]
host = "127.0.0.1"
port = 8400
reporting_timezone = "UTC"              # days and months of budgets and reports begin here

[ledger]
url = "sqlite:///switchgear.db"         # the durable record of every call

# A service is an upstream. Its name is the first part of the path on the gateway:
#   OPENAI_BASE_URL=http://127.0.0.1:8400/openai/v1
# openai, anthropic, openrouter, firecrawl and pdf_service are known: what you leave out is filled in.
[services.openai]
# api_key_env = "OPENAI_API_KEY"        # leave it out, and the caller's own key passes through
max_wait = "30s"                        # longest wait for a limit; "0s" refuses at once
limits = { requests_per_minute = 500, tokens_per_minute = 200000, concurrent = 64 }
breaker = { failure_threshold = 5, recovery_timeout = "120s", backoff = 2.0, max_recovery_timeout = "10m" }

[services.anthropic]
# api_key_env = "ANTHROPIC_API_KEY"
limits = { requests_per_minute = 100 }

# Any other HTTP API can be a service too; its calls are priced per request or per unit.
# [services.geocoder]
# base_url = "https://geocoder.example.com"
# prices = { "*" = { request = "0.002", pages = "0.001" } }

# A budget holds: what could be spent is reserved before a call goes out.
[[budgets]]
name = "everything-month"
limit_usd = "50"
period = "month"                        # total, hour, day, week, month; or rolling, such as "24h"
action = "fail"                         # fail, warn, skip, or degrade (with degrade_to = "a cheaper model")
thresholds = [0.75, 0.9, 1.0]

[[budgets]]
name = "each-job"
each = "job"                            # one such budget for every job
limit_usd = "2.50"
"""
