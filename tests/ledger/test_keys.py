from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from switchgear.clock import SystemClock
from switchgear.ledger import Ledger
from switchgear.ledger.access import beside
from switchgear.ledger.key_rows import KeyTerms
from switchgear.ledger.keys import KeyBook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A ledger that is not there yet."""
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def book(url: str) -> Iterator[KeyBook]:
    """Its keys."""
    with beside(url, create=True) as engine:
        yield KeyBook(engine)


def test_a_key_is_kept_with_its_terms_and_without_its_secret(book: KeyBook, tmp_path: Path) -> None:
    """What was said of it comes back; the file has only the SHA-256 of what was shown."""
    terms = KeyTerms(job="j", tags={"a": "b"}, services=("llm",), requests_per_minute=3, limit_usd=5, period="day")
    key, secret = book.create("ci", terms, at=10, by="me", expires_at=99)

    assert (book.get("ci"), book.all()) == (key, (key,))
    assert (key.terms, key.created_at, key.expires_at) == (terms, 10, 99)
    assert [key.state(now) for now in (98, 99)] == ["active", "expired"]
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert key.secrets[0].digest.encode() in kept
    assert secret.encode() not in kept
    assert secret[12:].encode() not in kept


@pytest.mark.parametrize("name", ["", "a b", "-a", "a" * 65, "\u00e9", "a\n"])
def test_a_name_is_a_plain_word(book: KeyBook, name: str) -> None:
    """It stands in headers, rules and on pages."""
    with pytest.raises(ValueError, match="the name of a key"):
        book.create(name, KeyTerms(), at=0, by="me")
    assert book.all() == ()


def test_a_name_is_not_used_twice(book: KeyBook) -> None:
    """Not even after it was revoked: rows of old calls tell it."""
    book.create("ci", KeyTerms(), at=0, by="me")
    revoked = book.revoke("ci", at=5, by="me")
    assert book.revoke("ci", at=9, by="me") == revoked
    assert revoked.state(5) == "revoked"
    with pytest.raises(ValueError, match="there is or was a key 'ci'"):
        book.create("ci", KeyTerms(), at=0, by="me")
    with pytest.raises(ValueError, match="revoked"):
        book.rotate("ci", at=9, by="me", grace=0)
    with pytest.raises(KeyError):
        book.revoke("other", at=9, by="me")


def test_after_a_rotation_the_last_secret_holds_for_its_grace(book: KeyBook) -> None:
    """One of the two before is kept at most; without grace none is."""
    first, _ = book.create("ci", KeyTerms(), at=0, by="me")
    second, _ = book.rotate("ci", at=10, by="me", grace=5)
    assert [one.until for one in second.secrets] == [None, 15]
    assert second.secrets[1].digest == first.secrets[0].digest
    third, _ = book.rotate("ci", at=12, by="me", grace=0)
    assert len(third.secrets) == 1
    assert len({one.secrets[0].id for one in (first, second, third)}) == 3


def test_every_change_has_a_revision_of_its_own(book: KeyBook) -> None:
    """Whoever saw the last one knows by one number whether there is news."""
    assert book.revision() == 0
    for at in range(3):
        book.create(f"k{at}", KeyTerms(), at=0, by="me")
    book.revoke("k0", at=1, by="me")
    book.rotate("k1", at=1, by="me", grace=0)
    assert book.revision() == 5


def test_keys_change_while_a_server_has_the_ledger(url: str) -> None:
    """The writer's lock is not needed, nor its leave; what was done is in the audit trail, without secrets."""
    with Ledger.open(url, clock=SystemClock()) as ledger, beside(url) as engine:
        _, secret = KeyBook(engine).create("ci", KeyTerms(), at=7, by="me")
        KeyBook(engine).revoke("ci", at=8, by="you")
        assert ledger.keys.revision() == 2
        assert [key.state(9) for key in ledger.reader.known_keys()] == ["revoked"]
        events = ledger.reader.events()
    assert [(one.kind, one.at) for one in events] == [("key_revoked", 8), ("key_created", 7)]
    assert secret not in str(events)


def test_many_at_once_all_get_theirs(url: str, book: KeyBook) -> None:
    """Nobody's change is lost, and none hides another."""

    def make(at: int) -> None:
        with beside(url) as engine:
            KeyBook(engine).create(f"k{at}", KeyTerms(), at=0, by="me")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(16)))
    assert (len(book.all()), book.revision()) == (16, 16)


@pytest.mark.e2e
def test_gateways_on_postgres_share_their_keys(make_postgres: Callable[[], str]) -> None:
    """What one process makes, ends or turns the others read; of changes at once none is lost."""
    url = make_postgres()

    def make(at: int) -> str:
        with beside(url, create=True) as engine:
            return KeyBook(engine).create(f"k{at}", KeyTerms(tags={"a": "b"}), at=at, by="me")[1]

    made = [make(0)]
    with ThreadPoolExecutor(4) as pool:
        made += pool.map(make, range(1, 8))
    with beside(url) as engine:
        book = KeyBook(engine)
        book.revoke("k1", at=9, by="me")
        book.rotate("k2", at=9, by="me", grace=5)
        assert (len(book.all()), book.revision()) == (8, 10)
        assert [key.name for key in book.all() if key.state(10) == "revoked"] == ["k1"]
        assert len(set(made)) == 8
