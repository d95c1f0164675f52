from __future__ import annotations

from typing import Any

import pytest

from switchgear.config.effective import effective
from switchgear.config.load import load_sourced
from switchgear.drills.against.guard import target_of
from switchgear.errors import ConfigError

GOOD: dict[str, Any] = {
    "services.drill.base_url": "http://127.0.0.1:8499",
    "services.drill.fallback": [],
    "services.drill.gateway": False,
    "services.drill.api_key_env": None,
    "services.drill.breaker.failure_threshold": 3,
    "services.drill.breaker.recovery_timeout": "1500ms",
    "services.openai.base_url": "https://api.openai.com",
}


def settings(**changed: object) -> list[dict[str, Any]]:
    """Return settings as the API has them, with those of the service *changed*."""
    values = GOOD | {f"services.drill.{name}": value for name, value in changed.items()}
    return [{"key": key, "value": value} for key, value in values.items()]


def test_a_service_on_loopback_without_key_and_fallback_is_a_target() -> None:
    """What its breaker is set to comes with it."""
    target = target_of(settings(), "drill")

    assert (target.service, target.port, target.threshold, target.recovery) == ("drill", 8499, 3, 1.5)


@pytest.mark.parametrize(
    "url",
    [
        None,
        "https://api.openai.com",
        "http://api.openai.com:8499",
        "http://10.0.0.7:8499",
        "http://127.0.0.1.example.com:8499",
        "http://127.0.0.1@example.com:8499",
        "https://127.0.0.1:8499",
        "http://127.0.0.1",
        "http://127.0.0.1:8499/v1/real",
        "http://0.0.0.0:8499",
        "not an address",
    ],
)
def test_a_service_that_could_lead_anywhere_else_is_refused(url: str | None) -> None:
    """Only a plain loopback address with a port of its own is let through."""
    with pytest.raises(ConfigError, match="base_url is"):
        target_of(settings(base_url=url), "drill")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("api_key_env", "OPENAI_API_KEY"),
        ("api_key_file", "/run/secrets/openai"),
        ("fallback", ["openai"]),
        ("gateway", True),
    ],
)
def test_a_service_with_something_real_behind_it_is_refused(key: str, value: object) -> None:
    """A key, a fallback or another gateway means that a failed call could reach a real provider."""
    with pytest.raises(ConfigError, match=f"services.drill.{key} is set"):
        target_of(settings(**{key: value}), "drill")


def test_a_service_that_is_not_there_is_refused() -> None:
    """Neither a missing one nor one whose name only begins alike is taken for it."""
    for name in ("dril", "drill2", "*"):
        with pytest.raises(ConfigError, match="has no service"):
            target_of(settings(), name)


def test_no_built_in_service_is_a_target() -> None:
    """Each service that comes with Switchgear is refused as it is configured."""
    sourced = load_sourced(None, environ={})
    shown = effective(sourced)
    items = [{"key": one.key, "value": one.value} for one in shown]
    for name in sourced.config.services:
        with pytest.raises(ConfigError):
            target_of(items, name)
