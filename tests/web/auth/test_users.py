from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.errors import ConfigError
from switchgear.web.auth.users import ROLES, User, parse_users, users_text
from switchgear.web.auth.users_file import UsersFile, load_users, save_users

DIGEST = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"

names = st.builds(
    str.__add__,
    st.sampled_from(string.ascii_letters + string.digits),
    st.text(string.ascii_letters + string.digits + "._@-", max_size=63),
)
users = st.builds(User, name=names, role=st.sampled_from(ROLES), digest=st.just(DIGEST))


@given(st.lists(users, unique_by=lambda user: user.name))
def test_what_is_written_is_what_is_read(some: list[User]) -> None:
    """Any users, in their order."""
    assert list(parse_users(users_text(some)).values()) == some


@given(st.text())
def test_any_file_is_read_or_refused(text: str) -> None:
    """No text makes anything but users, or an error that says which line."""
    try:
        found = parse_users(text)
    except ConfigError as error:
        complaint, found = str(error), {}
    else:
        complaint = "line "

    assert complaint.startswith("line ")
    assert parse_users(users_text(found.values())) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ada\n", "the role of 'ada' is not one of admin, viewer"),
        (f"ada:root:{DIGEST}", "the role of 'ada' is not one of admin, viewer"),
        ("# us\n\nada:admin:hunter2hunter2", "line 3: 'ada' has no Argon2id hash"),
        (f"a b:admin:{DIGEST}", "line 1: does not begin with the name of a user"),
        (f"ada:admin:{DIGEST}\nada:viewer:{DIGEST}", "line 2: a second user of the name 'ada'"),
    ],
)
def test_a_wrong_line_is_named_without_its_secret(text: str, why: str) -> None:
    """The line and what is wrong with it, never the hash."""
    with pytest.raises(ConfigError) as raised:
        parse_users(text)

    assert why in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """Mode 0600, as it is written; anything wider is an error that says what to do."""
    path = tmp_path / "users"
    save_users(path, {"ada": User(name="ada", role="admin", digest=DIGEST)})
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)

    with pytest.raises(ConfigError, match="chmod 600"):
        load_users(path)


def test_a_changed_file_has_other_users_and_another_key(tmp_path: Path) -> None:
    """It is read again by itself; while it is wrong nobody is known."""
    path = tmp_path / "users"
    ada, bob = (User(name=name, role="admin", digest=DIGEST) for name in ("ada", "bob"))
    save_users(path, {"ada": ada})
    file = UsersFile(path)
    before = file.current()
    assert file.current() is before

    save_users(path, {"ada": ada, "bob": bob})
    after = file.current()
    path.unlink()

    assert list(after.by_name) == ["ada", "bob"]
    assert after.key != before.key
    with pytest.raises(ConfigError, match="No such file"):
        file.current()


def test_nothing_tells_a_digest() -> None:
    """Neither a user nor all of them, where they are printed."""
    assert DIGEST not in repr(User(name="ada", role="admin", digest=DIGEST))
