from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from switchgear.config import PRESETS, BudgetConfig, Config, ServiceConfig, load_text
from switchgear.config.alerting import AlertChannelConfig, AlertRuleConfig
from switchgear.config.model import RouteConfig
from switchgear.config.shape import all_keys

pytestmark = pytest.mark.docs

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
DEFAULTS: dict[str, dict[str, Any]] = {
    "services.NAME.routes.NAME.": RouteConfig().model_dump(mode="json"),
    "services.NAME.": ServiceConfig().model_dump(mode="json"),
    "budgets.NAME.": BudgetConfig(name="needed").model_dump(mode="json"),
    "alerts.rules.NAME.": AlertRuleConfig(name="needed").model_dump(mode="json"),
    "alerts.channels.NAME.": AlertChannelConfig(name="needed").model_dump(mode="json"),
    "": Config().model_dump(mode="json"),
}


def default_of(key: str) -> str:
    """Return the default of *key* as the page writes it."""
    start = next(start for start in DEFAULTS if key.startswith(start))
    value: Any = DEFAULTS[start]
    for part in key.removeprefix(start).split("."):
        value = value[part]
    if value is None:
        return "none"
    return "needed" if value == "needed" else f"`{json.dumps(value)}`"


def test_the_page_has_every_key_with_its_default() -> None:
    """docs/configuration.md has one row for every key of the model, in its order, with the default that is in force."""
    rows = re.findall(r"^\| `([^`]*)` \| (.+?) \| .+ \|$", PAGE.partition("## `[server]`")[2], re.MULTILINE)

    assert rows == [(key, default_of(key)) for key in all_keys()]


def test_the_page_has_every_built_in_service() -> None:
    """The table of built-in services has each of them with its limit."""
    rows = dict(re.findall(r"^\| `(\w+)` \| \w+[^|]* \| (\d+) requests a minute", PAGE, re.MULTILINE))

    assert rows == {name: str(preset["limits"]["requests_per_minute"]) for name, preset in PRESETS.items()}


def test_the_examples_of_the_readme_are_valid() -> None:
    """Every TOML block of the README loads as it stands there."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```toml\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)

    assert [bool(load_text(block).services) for block in blocks] == [True]
