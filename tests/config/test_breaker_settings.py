from __future__ import annotations

import pytest

from switchgear.config import load_text
from switchgear.errors import ConfigError
from switchgear.governor.rules import service_rules
from switchgear.policies.breaker import BreakerRule

SERVICE = '[services.svc]\nkind = "http"\nbase_url = "http://127.0.0.1:1"\n'


def rule(breaker: str, **environ: str) -> BreakerRule:
    """Return the rule that the text of a *breaker* comes to."""
    config = load_text(f"{SERVICE}breaker = {{ {breaker} }}\n", environ=environ)
    return service_rules(config)["svc"].breaker


def test_every_key_reaches_the_rule() -> None:
    """Durations, shares and factors come to the rule in its units."""
    found = rule(
        'slow_call = "2s", slow_rate = 0.7, backoff = 2, max_recovery_timeout = "10m", jitter = 0.1, window = "30s"'
    )
    assert (found.slow_us, found.slow_rate) == (2_000_000, 0.7)
    assert (found.backoff, found.max_recovery_us, found.jitter) == (2, 600_000_000, 0.1)
    assert (found.window_us, found.window_calls) == (30_000_000, None)


def test_a_window_may_be_a_number_of_calls() -> None:
    """A whole number is calls, in the file and in the environment."""
    assert rule("window = 100").window_calls == 100
    assert rule("", SWITCHGEAR_SERVICES__SVC__BREAKER__WINDOW="50").window_calls == 50
    assert rule("", SWITCHGEAR_SERVICES__SVC__BREAKER__WINDOW="5s").window_us == 5_000_000


def test_what_is_left_out_has_its_default() -> None:
    """No slow calls, no backoff, no jitter, an hour at most."""
    assert rule("") == BreakerRule()


@pytest.mark.parametrize(
    ("breaker", "says"),
    [
        ("window = 0", 'breaker.window: a window is a duration such as "60s", or a whole number of calls from 1 on'),
        ("window = true", "breaker.window: a window is a duration"),
        ("window = 2.5", "breaker.window: a window is a duration"),
        ('window = "0s"', "breaker.window: must be longer than 0s"),
        ('slow_call = "0s"', "breaker.slow_call: must be longer than 0s"),
        ("backoff = 0.5", "breaker.backoff: must be at least 1"),
        ("backoff = nan", "breaker.backoff"),
        ("jitter = 1.5", "breaker.jitter: must be at most 1"),
        ("slow_rate = 0", "breaker.slow_rate: must be greater than 0"),
        ('recovery_timeout = "2h"', "breaker.max_recovery_timeout: must not be shorter than recovery_timeout"),
    ],
)
def test_bad_values_are_told(breaker: str, says: str) -> None:
    """Each with its key and what is wanted."""
    with pytest.raises(ConfigError, match=says):
        rule(breaker)
