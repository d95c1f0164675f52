from __future__ import annotations

import pytest

from switchgear.config import load_text
from switchgear.config.effective import effective
from switchgear.config.load import load_sourced
from switchgear.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('url = "mysql://hush@db/x"', '2: applications.url: must be such as "sqlite:///FILE"'),
        ('periods = "yearly"', "2: applications.periods: must be one of calendar, rolling"),
        ("goals = { day = 0 }", "applications.goals.day: "),
        ("goals = { year = 9 }", "applications.goals.year: unknown key"),
        ('mongo = { url = "http://hush" }', "applications.mongo.url: must be an address such as"),
        ('mongo = { url = "mongodb://me:hush@db" }', "name a variable with the whole address as url_env"),
        ('mongo = { url = "mongodb://db", url_env = "X" }', "url is set too; keep one of the two"),
        ('mongo = { url_env = "mongodb://hush" }', "must be the name of an environment variable"),
        ('mongo = { collection = "jobs" }', "applications.mongo: of no effect without url or url_env"),
        ('mongo = { url = "mongodb://db/x", date_field = "$where" }', "must be the name of a field"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, said: str) -> None:
    """Each mistake names its key, and no secret is repeated."""
    with pytest.raises(ConfigError) as caught:
        load_text(f"[applications]\n{text}\n")

    assert said in str(caught.value)
    assert "hush" not in str(caught.value)


def test_addresses_are_shown_without_their_passwords() -> None:
    """What the page of the configuration shows of a place has no secret."""
    environ = {"SWITCHGEAR_APPLICATIONS__URL": "postgresql://me:hush@db/jobs"}
    shown = {one.key: one.value for one in effective(load_sourced(None, environ=environ))}

    assert shown["applications.url"] == "postgresql://me:***@db/jobs"
