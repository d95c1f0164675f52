from __future__ import annotations

from typing import Literal

import pytest

from switchgear.config.telemetry import TelemetryConfig
from switchgear.errors import ConfigError
from switchgear.telemetry.otlp.destinations import destinations

HERE = "http://127.0.0.1:4318"


def found(environ: dict[str, str], traces: Literal["auto", "on", "off"] = "auto") -> list[tuple[str, str, str]]:
    """Return name, signal and address of each destination."""
    made = destinations(TelemetryConfig(traces=traces), environ)
    return [(one.name, one.signal, one.url) for one in made]


def test_nothing_leaves_unless_somebody_says_where_to() -> None:
    """An empty environment, OTEL_SDK_DISABLED, an exporter of none, or telemetry.traces off."""
    assert found({}) == []
    assert found({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_SDK_DISABLED": "TRUE"}) == []
    assert found({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": HERE, "OTEL_TRACES_EXPORTER": "none"}) == []
    assert found({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": HERE, "LANGSMITH_API_KEY": "k"}, traces="off") == []
    assert found({"LANGSMITH_API_KEY": "k", "LANGSMITH_TRACING": "false"}) == []


def test_the_variables_of_opentelemetry_are_read_as_it_reads_them() -> None:
    """A base gets the path of the signal, an endpoint of a signal is taken as it stands."""
    assert found({"OTEL_EXPORTER_OTLP_ENDPOINT": f"{HERE}/base/"}) == [
        ("otlp", "traces", f"{HERE}/base/v1/traces"),
        ("otlp", "metrics", f"{HERE}/base/v1/metrics"),
    ]
    assert found({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{HERE}/mine"}) == [("otlp", "traces", f"{HERE}/mine")]
    assert found({}, traces="on") == [("otlp", "traces", "http://localhost:4318/v1/traces")]


def test_langsmith_is_an_otlp_endpoint_of_its_own() -> None:
    """Key and project go as the headers that it asks for."""
    environ = {"LANGSMITH_API_KEY": "lsv2_key", "LANGSMITH_PROJECT": "mine", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": HERE}
    collector, langsmith = destinations(TelemetryConfig(), environ)

    assert langsmith.url == "https://api.smith.langchain.com/otel/v1/traces"
    assert langsmith.headers == {"x-api-key": "lsv2_key", "Langsmith-Project": "mine"}
    assert collector.headers == {}
    elsewhere = {"LANGSMITH_API_KEY": "k", "LANGSMITH_ENDPOINT": "https://eu.api.smith.langchain.com/"}
    assert found(elsewhere) == [("langsmith", "traces", "https://eu.api.smith.langchain.com/otel/v1/traces")]


@pytest.mark.parametrize("url", ["collector:4318", "ftp://x", "https://", "http://h:99999", "http://h:0"])
def test_an_address_that_is_none_is_an_error_that_names_the_variable(url: str) -> None:
    """And does not repeat it: it may hold a password."""
    with pytest.raises(ConfigError, match="OTEL_EXPORTER_OTLP_ENDPOINT") as caught:
        destinations(TelemetryConfig(), {"OTEL_EXPORTER_OTLP_ENDPOINT": url})
    assert url not in str(caught.value)
