"""Configuration: one TOML file and the environment become one frozen Config, or a clear error."""

from __future__ import annotations

from switchgear.config.checks import ATTRIBUTES, RESERVED_NAMES
from switchgear.config.load import default, load, load_over, load_text
from switchgear.config.model import (
    BreakerConfig,
    BudgetConfig,
    Config,
    LedgerConfig,
    LimitsConfig,
    RetryConfig,
    ServerConfig,
    ServiceConfig,
    StateConfig,
)
from switchgear.config.presets import PRESETS
from switchgear.config.template import TEMPLATE

__all__ = [
    "ATTRIBUTES",
    "PRESETS",
    "RESERVED_NAMES",
    "TEMPLATE",
    "BreakerConfig",
    "BudgetConfig",
    "Config",
    "LedgerConfig",
    "LimitsConfig",
    "RetryConfig",
    "ServerConfig",
    "ServiceConfig",
    "StateConfig",
    "default",
    "load",
    "load_over",
    "load_text",
]
