from __future__ import annotations

import pytest

from switchgear.config import load_text
from switchgear.config.alert_rules import BUILT_IN, merged_rules
from switchgear.config.alerting import METRICS
from switchgear.errors import ConfigError

RULE = '[[alerts.rules]]\nname = "mine"\nmetric = "service.failed"\nabove = 3\nwindow = "5m"\n'
CHANNEL = '[[alerts.channels]]\nname = "ops"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (RULE.replace("failed", "faild"), '3: alerts.rules.mine.metric: unknown metric "service.faild"'),
        (RULE.replace("5m", "-5m"), "5: alerts.rules.mine.window: a duration needs a unit"),
        (RULE.replace("5m", "25h"), "5: alerts.rules.mine.window: must be longer than 0s and at most 24h"),
        (RULE + 'fro = "1m"\n', '6: alerts.rules.mine.fro: unknown key; did you mean "for"?'),
        (RULE + "below = 1\n", "6: alerts.rules.mine.below: above is set too"),
        (RULE.replace("above = 3\n", ""), "1: alerts.rules.mine: a threshold is missing"),
        (RULE + "resolve = 5\n", "6: alerts.rules.mine.resolve: must be at most the threshold, 3"),
        (
            RULE + 'match = {servce = "openai"}\n',
            'the metric has no such label; it has service; did you mean "service"?',
        ),
        (RULE + 'severity = "warn"\n', 'must be one of info, warning, critical, not "warn"; did you mean "warning"?'),
        (RULE + 'labels = {service = "x"}\n', "is not the name of a label"),
        (RULE + RULE, '7: alerts.rules.mine.name: a second one of the name "mine"'),
        ('[[alerts.rules]]\nname = "eror-rate"\n', 'no built-in rule has this name; did you mean "error-rate"?'),
        ('[[alerts.rules]]\nname = "breaker-open"\nwindow = "5m"\n', "of no effect on breaker.open"),
        (CHANNEL, "1: alerts.channels.ops: needs one of url and url_env"),
        (CHANNEL + 'url = "ftp://x"\n', "3: alerts.channels.ops.url: must be an address such as"),
        (CHANNEL + 'url = "https://me:hush@x"\n', "must not hold a user or password"),
        (CHANNEL + 'kind = "apprise"\nurl = "tgram://hush"\n', "an address for apprise holds its secrets"),
        (CHANNEL + 'url_env = "https://hush"\n', "must be the name of an environment variable"),
        (CHANNEL + 'kind = "alertmanager"\nurl = "http://x"\nsecret_env = "S"\n', "only a webhook is signed"),
        ('[alerts]\ninterval = "0s"\n', "2: alerts.interval: must be longer than 0s"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, said: str) -> None:
    """Each mistake names file, line and key, and no secret is repeated."""
    with pytest.raises(ConfigError) as caught:
        load_text(text)

    assert said in str(caught.value)
    assert "hush" not in str(caught.value)


def test_every_built_in_rule_is_one_that_a_file_could_say() -> None:
    """The built-in rules watch documented metrics and pass the checks of a user's own."""
    names = [rule.name for rule in BUILT_IN]

    assert len(set(names)) == len(names)
    assert {rule.metric for rule in BUILT_IN} <= METRICS.keys()
    every = "".join(f'[[alerts.rules]]\nname = "{name}"\n' for name in names)
    assert len(load_text(every).alerts.rules) == len(names)


def test_a_built_in_rule_is_changed_by_its_name() -> None:
    """What a file says of a built-in rule is laid over it; another threshold leaves nothing of the old one."""
    text = (
        '[[alerts.rules]]\nname = "error-rate"\nat_least = 25\n[[alerts.rules]]\nname = "unpriced"\nenabled = false\n'
    )
    rules = {rule.name: rule for rule in merged_rules(load_text(text).alerts)}
    errors = rules["error-rate"]

    assert (errors.above, errors.at_least, errors.resolve, errors.minimum_calls) == (None, 25, None, 10)
    assert not rules["unpriced"].enabled


def test_to_give_a_rule_that_is_off_a_threshold_is_to_want_it() -> None:
    """The rule for latency is off until a file says from where on calls are slow."""
    before = {rule.name: rule for rule in merged_rules(load_text("").alerts)}["slow"]
    after = {rule.name: rule for rule in merged_rules(load_text('[[alerts.rules]]\nname="slow"\nabove=5000').alerts)}

    assert not before.enabled
    assert (after["slow"].enabled, after["slow"].above) == (True, 5000)
