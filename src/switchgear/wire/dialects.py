"""Which dialect a request speaks: the path says so where it can, the service's kind otherwise.

A server can speak several: many OpenAI-compatible ones offer the messages API too, and Anthropic
offers chat completions.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

from switchgear import plugins
from switchgear.wire.anthropic import AnthropicDialect
from switchgear.wire.generic import GenericDialect, endpoint_of
from switchgear.wire.openai import OpenAIDialect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchgear.wire.base import Dialect

__all__ = ["dialect_for"]

_BY_KIND: Final[Mapping[str, Dialect]] = {
    "openai": OpenAIDialect(),
    "anthropic": AnthropicDialect(),
    "http": GenericDialect(),
}
_MODELS: Final = frozenset({"openai", "anthropic"})
_BY_PATH: Final = (
    ("/messages", "anthropic"),
    ("/messages/count_tokens", "anthropic"),
    ("/chat/completions", "openai"),
    ("/responses", "openai"),
    ("/embeddings", "openai"),
)


@functools.lru_cache(maxsize=1024)
def dialect_for(kind: str, path: str) -> Dialect:
    """Return the dialect of a request to *path* at a service of *kind*, built in or of a plugin.

    Raises:
        ConfigError: no package offers the plugin, or it can't be imported.
    """
    if kind in _MODELS:
        trimmed = endpoint_of(path).rstrip("/")
        kind = next((spoken for suffix, spoken in _BY_PATH if trimmed.endswith(suffix)), kind)
    known = _BY_KIND.get(kind)
    if known is not None:
        return known
    made: Dialect = plugins.load("switchgear.dialects", kind)()
    return made
