"""The services that Switchgear knows by name, and what a service gets where the file says nothing."""

from __future__ import annotations

import copy
from typing import Any, Final

__all__ = ["PRESETS", "filled"]

PRESETS: Final[dict[str, dict[str, Any]]] = {
    "openai": {
        "kind": "openai",
        "base_url": "https://api.openai.com",
        "critical": True,
        "limits": {"requests_per_minute": 500},
        "breaker": {"failure_threshold": 5, "recovery_timeout": "120s"},
    },
    "anthropic": {
        "kind": "anthropic",
        "base_url": "https://api.anthropic.com",
        "critical": True,
        "limits": {"requests_per_minute": 100},
        "breaker": {"failure_threshold": 5, "recovery_timeout": "120s"},
    },
    "openrouter": {
        "kind": "openai",
        "provider": "openrouter",
        "base_url": "https://openrouter.ai/api",
        "limits": {"requests_per_minute": 60},
    },
    "firecrawl": {
        "kind": "http",
        "base_url": "https://api.firecrawl.dev",
        "limits": {"requests_per_minute": 10, "requests_per_day": 600},
        "breaker": {"failure_threshold": 3, "recovery_timeout": "300s"},
    },
    # Reached from Python alone, hence no address.
    "pdf_service": {
        "kind": "http",
        "limits": {"requests_per_minute": 60, "concurrent": 4},
        "breaker": {"failure_threshold": 3, "recovery_timeout": "60s"},
    },
}
_ANY_OTHER: Final[dict[str, Any]] = {"limits": {"requests_per_minute": 60}}


def filled(services: dict[str, Any]) -> dict[str, Any]:
    """Return *services* with each missing key taken from the preset of the service's name.

    A service without a preset that says nothing of limits gets 60 requests a minute.
    """
    return {name: _filled(name, said) for name, said in services.items()}


def _filled(name: str, said: object) -> object:
    if not isinstance(said, dict):
        return said
    if name in PRESETS:
        return _merged(PRESETS[name], said)
    return copy.deepcopy(_ANY_OTHER) | said


def _merged(preset: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(preset)
    for key, value in said.items():
        under = result.get(key)
        result[key] = _merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return result
