from __future__ import annotations

import pytest

from switchgear.telemetry.masking import Masking

SECRETS = [
    ("key sk-proj-abcDEF123456_-x is", "key *** is"),
    ("sgk_0123456789abcdef", "***"),
    ("lsv2_pt_0123456789", "***"),
    ("AKIAIOSFODNN7EXAMPLE", "***"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "***"),
    ("Authorization: Bearer abc.def-123456", "Authorization: Bearer ***"),
    ('{"api_key": "topsecret1"}', '{"api_key": "***"}'),
    ("postgresql+psycopg://me:hunter2@db/x", "postgresql+psycopg://me:***@db/x"),
    ("a\n-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nb", "a\n***\nb"),
]


@pytest.mark.parametrize(("text", "left"), SECRETS)
def test_what_looks_like_a_secret_is_taken_out(text: str, left: str) -> None:
    """Keys, tokens, passwords in addresses; what stands around them stays."""
    assert Masking()(text) == left


@pytest.mark.parametrize(
    "text",
    ["task-management-system", "the ledger can be written again: a.db", "gpt-4o-mini-2024-07-18", "http://h:80/p"],
)
def test_plain_words_stay(text: str) -> None:
    """Model names, addresses without a password and hyphens are no secrets."""
    assert Masking()(text) == text


def test_patterns_of_ones_own_are_taken_out_too() -> None:
    """For names and numbers that only the user knows."""
    assert Masking([r"acme-\d+"])("job acme-42, sk-0123456789") == "job ***, ***"
