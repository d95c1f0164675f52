from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from switchgear.policies.key_secret import digest_of, is_secret, make_secret, shown, the_id_in

ALPHABET = string.digits + string.ascii_letters


def test_a_secret_has_an_id_256_random_bits_and_a_checksum() -> None:
    """61 characters of one word, no two alike, of which only the id and the SHA-256 are kept."""
    one, other = make_secret(), make_secret()

    assert (len(one.text), one.text[:4], one.text[4:].isalnum()) == (61, "sgk_", True)
    assert 62**43 > 2**256
    assert one.text != other.text
    assert (one.id, one.digest) == (the_id_in(one.text), digest_of(one.text))
    assert len(one.digest) == 64
    assert is_secret(one.text, one.digest)
    assert not is_secret(other.text, one.digest)
    assert shown(one.id) == f"{one.text[:12]}\u2026"


@given(at=st.integers(4, 60), char=st.sampled_from(ALPHABET))
def test_every_typo_is_told(at: int, char: str) -> None:
    """One wrong character anywhere behind the prefix is a typo, not a wrong key."""
    text = make_secret().text
    wrong = text[:at] + char + text[at + 1 :]
    assert (the_id_in(wrong) is None) == (wrong != text)


@given(text=st.text(max_size=80))
def test_whatever_else_is_sent_is_no_key(text: str) -> None:
    """Any text at all is looked at without an error."""
    assert the_id_in(text) is None
    assert the_id_in("sgk_" + text) is None
