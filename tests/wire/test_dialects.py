from __future__ import annotations

import pytest

from switchgear.wire.dialects import dialect_for


@pytest.mark.parametrize(
    ("kind", "path", "name"),
    [
        ("openai", "/v1/chat/completions", "openai"),
        ("openai", "/v1/messages", "anthropic"),
        ("openai", "/v1/messages/count_tokens?beta=true", "anthropic"),
        ("openai", "/v1/models", "openai"),
        ("anthropic", "/v1/messages/", "anthropic"),
        ("anthropic", "/v1/chat/completions", "openai"),
        ("anthropic", "/v1/models", "anthropic"),
        ("http", "/v1/chat/completions", "http"),
        ("http", "/api/messages", "http"),
    ],
)
def test_the_path_decides_and_the_kind_is_the_rest(kind: str, path: str, name: str) -> None:
    """A server that speaks both formats is read in the one that the client uses; plain HTTP stays plain."""
    assert dialect_for(kind, path).name == name
