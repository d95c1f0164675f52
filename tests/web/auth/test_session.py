from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from switchgear.web.auth.session import make_session, read_session, session_key

names = st.text(min_size=1, max_size=64)
instants = st.integers(0, 2**40)
files = st.binary(max_size=200)


@given(names, instants, instants, files)
def test_a_session_holds_until_its_end(name: str, until: int, now: int, file: bytes) -> None:
    """It says whose it is before its end, and nothing from then on."""
    key = session_key(file)
    assume(len(make_session(name, until, key)) <= 512)

    assert read_session(make_session(name, until, key), now, key) == (name if now < until else None)


@given(names, instants, files, files)
def test_another_users_file_ends_a_session(name: str, until: int, file: bytes, other: bytes) -> None:
    """Whatever has changed in it."""
    assume(file != other)

    assert read_session(make_session(name, until, session_key(file)), 0, session_key(other)) is None


@given(names, st.integers(1, 2**40), st.data())
def test_a_changed_token_is_nobodys(name: str, until: int, data: st.DataObject) -> None:
    """No sign of it can be another one."""
    key = session_key(b"file")
    token = make_session(name, until, key)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(min_codepoint=33, max_codepoint=126))
    assume(other != token[at])

    assert read_session(token[:at] + other + token[at + 1 :], 0, key) is None


@given(st.text(max_size=600))
def test_any_text_is_taken_for_what_it_is(token: str) -> None:
    """Nothing that was not signed is a session, and nothing raises."""
    assert read_session(token, 0, b"key") is None
