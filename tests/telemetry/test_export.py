from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

import switchgear as sg
from switchgear.config import Config
from switchgear.errors import ConfigError
from switchgear.telemetry import export as module
from switchgear.telemetry.export import export

SOMEWHERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


def test_without_an_address_nothing_is_started(make_config: Callable[[str], Config]) -> None:
    """No process, no thread, no import."""
    with sg.Governor(make_config("")) as governor:
        assert export(governor, environ={}) is None


def test_without_the_extra_only_who_insists_is_stopped(
    make_config: Callable[[str], Config], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A variable that is set for other programs is a warning; ``on`` is an error that says what to install."""
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with sg.Governor(make_config("")) as governor:
        assert export(governor, environ=SOMEWHERE) is None
    assert [(one.levelno, "switchgear[otel]" in one.getMessage()) for one in caplog.records] == [
        (logging.WARNING, True)
    ]
    with (
        sg.Governor(make_config('[telemetry]\ntraces = "on"\n')) as governor,
        pytest.raises(ConfigError, match=r"switchgear\[otel\]"),
    ):
        export(governor, environ=SOMEWHERE)
