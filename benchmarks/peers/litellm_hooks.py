"""What LiteLLM's proxy loads: a key with a budget, as its database would have it, and a log of what it accounts.

A virtual key with a budget needs LiteLLM's PostgreSQL database. Its hook for own authentication returns the same
object, and with ``custom_auth_run_common_checks`` the same checks and reservations run on it.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy._types import UserAPIKeyAuth


async def user_api_key_auth(request: object, api_key: str) -> UserAPIKeyAuth:  # noqa: ARG001 - LiteLLM's signature
    """Return the key's entry; every key is let in."""
    token = hashlib.sha256(api_key.encode()).hexdigest()
    budget = float(os.environ["DRILL_KEY_BUDGET"]) if os.environ.get("DRILL_KEY_BUDGET") else None
    return UserAPIKeyAuth(api_key=token, token=token, max_budget=budget, spend=0.0)


class Accounts(CustomLogger):
    """Writes a line for each call that LiteLLM accounts."""

    async def async_log_success_event(self, kwargs: dict[str, Any], **_: object) -> None:
        """Note a call as LiteLLM's standard payload has it."""
        payload = kwargs["standard_logging_object"]
        line = {name: payload[name] for name in ("prompt_tokens", "completion_tokens", "response_cost")}
        with Path(os.environ["DRILL_ACCOUNTS"]).open("a", encoding="utf-8") as file:  # noqa: ASYNC230 - one short line
            file.write(json.dumps(line) + "\n")


accounts = Accounts()
