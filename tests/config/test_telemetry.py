from __future__ import annotations

import pytest

from switchgear.config import load_text
from switchgear.errors import ConfigError


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('redact = ["acme-(", "x"]', r'telemetry.redact\[0\]: "acme-\(" is no regular expression'),
        ('idle = "0s"', "telemetry.idle: must be longer than 0s"),
        ("sample = 1.5", "telemetry.sample"),
        ("queue = 0", "telemetry.queue"),
        ('logs = "xml"', "telemetry.logs"),
        ("content = 1", "telemetry.content"),
        ('trace = "on"', "traces"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(line: str, told: str) -> None:
    """Line and key, and the nearest valid key."""
    with pytest.raises(ConfigError, match=told) as caught:
        load_text(f"[telemetry]\n{line}\n", environ={})
    assert ":2:" in str(caught.value)
