from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from switchgear.config import PRESETS, load, load_over
from switchgear.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

BASE = """\
[server]
reporting_timezone = "Europe/Vienna"
[services.openai]
limits = { requests_per_minute = 7, tokens_per_minute = 1000 }
critical = true
[services.pdf]
limits = { requests_per_minute = 3 }
[[budgets]]
name = "old"
limit_usd = "1"
"""


def files(folder: Path, base: str, above: str) -> tuple[Path, Path]:
    """Write both; return the one above first."""
    (folder / "base.toml").write_text(base)
    (folder / "new.toml").write_text(above)
    return folder / "new.toml", folder / "base.toml"


def test_tables_are_merged_and_lists_replaced(tmp_path: Path) -> None:
    """What the upper file names wins, key by key; what it does not name stays; budgets are one thing."""
    above = '[services.openai.limits]\nrequests_per_minute = 9\n[[budgets]]\nname = "new"\nlimit_usd = "2"\n'

    config = load_over(*files(tmp_path, BASE, above), environ={})

    limits = config.services["openai"].limits
    assert (limits.requests_per_minute, limits.tokens_per_minute) == (9, 1000)
    assert config.services["openai"].critical
    assert config.services["pdf"].limits.requests_per_minute == 3
    assert config.server.reporting_timezone == "Europe/Vienna"
    assert [budget.name for budget in config.budgets] == ["new"]


def test_nothing_above_is_what_is_below(tmp_path: Path) -> None:
    """An empty file changes nothing."""
    new, base = files(tmp_path, BASE, "")

    assert load_over(new, base, environ={}) == load(base, environ={})


@pytest.mark.parametrize("base", ["", None])
def test_the_built_in_services_are_below(base: str | None, tmp_path: Path) -> None:
    """Under a file that names one service there are still the built-in ones, if the lower file names none."""
    new, below = files(tmp_path, base or "", "[services.openai]\ncritical = false\n")

    config = load_over(new, None if base is None else below, environ={})

    assert set(config.services) == set(PRESETS)
    assert not config.services["openai"].critical


def test_errors_are_those_of_the_upper_file(tmp_path: Path) -> None:
    """A mistake is told with the file and line it stands in."""
    new, base = files(tmp_path, BASE, "[services.openai]\nlimts = {}\n")

    with pytest.raises(ConfigError, match=r'new\.toml:2: services\.openai\.limts: unknown key; did you mean "limits"'):
        load_over(new, base, environ={})
    with pytest.raises(ConfigError, match="no such file"):
        load_over(tmp_path / "none.toml", base, environ={})
