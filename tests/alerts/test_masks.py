from __future__ import annotations

from switchgear.alerts.channels import place_of
from switchgear.config import load_text
from switchgear.config.effective import differences
from switchgear.governor.chronicle import settings_of

CHANNEL = '[[alerts.channels]]\nname = "ops"\nurl = "https://hooks.example.com/services/T0/hush?x=hush"\n'


def test_the_path_of_a_webhook_is_nowhere() -> None:
    """Neither the audit trail, nor what a reload has changed, nor the page shows more than the host."""
    config = load_text(CHANNEL)
    (changed,) = (one for one in differences(load_text(""), config) if one.key == "alerts.channels.ops.url")

    assert changed.new == "https://hooks.example.com/***"
    assert settings_of(config)["alerts.channels.ops.url"] == "https://hooks.example.com/***"
    assert place_of(config.alerts.channels[0]) == "https://hooks.example.com/..."
