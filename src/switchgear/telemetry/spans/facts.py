"""What spans say of a service, from its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchgear.config.model import ServiceConfig

__all__ = ["ServiceFacts", "facts_of", "operation_of"]

_PROVIDERS: Final = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshotai": "moonshot_ai",
    "vertex": "gcp.vertex_ai",
    "x-ai": "x_ai",
}
"""The names that the conventions of OpenTelemetry have for providers, where they are others than the price list's."""

_OPERATIONS: Final = (
    ("/chat/completions", "chat"),
    ("/responses", "chat"),
    ("/messages", "chat"),
    ("/completions", "text_completion"),
    ("/embeddings", "embeddings"),
    (":generateContent", "generate_content"),
    ("/images/generations", "generate_content"),
    ("/audio/speech", "generate_content"),
)

_PORTS: Final = {"http": 80, "https": 443}


class ServiceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A service as spans tell of it; *models*: it is a provider of models."""

    provider: str
    models: bool
    address: str | None = None
    port: int | None = None


def facts_of(services: Mapping[str, ServiceConfig]) -> dict[str, ServiceFacts]:
    """Return the facts of each of *services*."""
    return {name: _facts(name, service) for name, service in services.items()}


def operation_of(endpoint: str) -> str:
    """Return what the conventions call a request to *endpoint* of a provider of models."""
    return next((operation for suffix, operation in _OPERATIONS if endpoint.endswith(suffix)), "chat")


def _facts(name: str, service: ServiceConfig) -> ServiceFacts:
    provider = service.provider or name
    url = urlsplit(service.base_url or "")
    return ServiceFacts(
        provider=_PROVIDERS.get(provider, provider),
        models=service.kind != "http",
        address=url.hostname,
        port=url.port or _PORTS.get(url.scheme),
    )
