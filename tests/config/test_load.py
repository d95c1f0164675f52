from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.config import Config, default, load, load_text
from switchgear.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400_000_000
BUDGET = '[[budgets]]\nname = "b"\nlimit_usd = "1"\n'
SERVICE = '[services.x]\nbase_url = "https://api.example.com"\n'
PERIODS = 'a period is one of total, hour, day, week, month, or a rolling duration such as "24h"'
DURATIONS = 'a duration needs a unit: "250ms", "30s", "2m", "1h" or "7d"'
ATTRIBUTES = "known are service, model, job, run, layer, key, tag.<name>"

BAD = {
    "no TOML": ("[server]\nport = \n", "2: is not TOML: Invalid value"),
    "cut off": ("[server]\nport = [1,", "2: is not TOML: Invalid value"),
    "too long a number": (
        f"a = {'9' * 5000}",
        " is not TOML: Exceeds the limit (4300 digits) for integer string conversion",
    ),
    "too deep": (f"a = {'[' * 5000}", " is nested too deeply"),
    "two services of one name": (f"{SERVICE}[services.x]\n", "3: services.x: a second table of this name"),
    "two values of one key": ("[server]\nport = 1\nport = 2\n", "3: a second value for a key that has one"),
    "unknown section": ("[servr]\n", '1: servr: unknown key; did you mean "server"?'),
    "unknown key": (f"{SERVICE}limts = {{}}\n", '3: services.x.limts: unknown key; did you mean "limits"?'),
    "unknown key unlike any": ("[server]\nzzz = 1\n", "2: server.zzz: unknown key"),
    "unknown key inline": (
        f"{SERVICE}limits = {{ requests_per_minut = 5 }}\n",
        '3: services.x.limits.requests_per_minut: unknown key; did you mean "requests_per_minute"?',
    ),
    "a number for text": ("[server]\nhost = 5\n", "2: server.host: must be text in quotes, not a number"),
    "text for a number": ('[server]\nport = "8400"\n', "2: server.port: must be a whole number, not text"),
    "bool for a number": ("[server]\nport = true\n", "2: server.port: must be a whole number, not true or false"),
    "float for a number": ("[server]\nport = 1.5\n", "2: server.port: must be a whole number, not a number"),
    "date for a number": (
        "[server]\nport = 2026-01-01\n",
        "2: server.port: must be a whole number, not a date or time",
    ),
    "text for a bool": (f'{SERVICE}critical = "yes"\n', "3: services.x.critical: must be true or false, not text"),
    "bool for a share": (
        f"{SERVICE}breaker = {{ failure_rate = true }}\n",
        "3: services.x.breaker.failure_rate: must be a number, not true or false",
    ),
    "a value for a table": ("server = 5\n", "1: server: must be a table, not a number"),
    "a list for services": ("services = []\n", "1: services: must be a table, not a list"),
    "a value for a service": ("[services]\nx = 1\n", "2: services.x: must be a table, not a number"),
    "a table for a list": ("[budgets]\n", "1: budgets: must be a list, not a table"),
    "a port too high": ("[server]\nport = 65536\n", "2: server.port: must be at most 65535, not 65536"),
    "a negative port": ("[server]\nport = -1\n", "2: server.port: must be at least 0, not -1"),
    "a limit of zero": (
        f"{SERVICE}limits.concurrent = 0\n",
        "3: services.x.limits.concurrent: must be greater than 0, not 0",
    ),
    "unknown time zone": (
        '[server]\nreporting_timezone = "Europe/Berln"\n',
        '2: server.reporting_timezone: unknown time zone "Europe/Berln"; did you mean "Europe/Berlin"?',
    ),
    "time zone that is a folder": (
        '[server]\nreporting_timezone = "Europe"\n',
        '2: server.reporting_timezone: unknown time zone "Europe"; did you mean "Europe/Rome"?',
    ),
    "time zone outside": (
        '[server]\nreporting_timezone = "../etc"\n',
        '2: server.reporting_timezone: unknown time zone "../etc"',
    ),
    "duration without unit": (f'{SERVICE}max_wait = "30"\n', f"3: services.x.max_wait: {DURATIONS}, not '30'"),
    "number for a duration": (f"{SERVICE}timeout = 30\n", f"3: services.x.timeout: {DURATIONS}, not 30"),
    "no time at all": (f'{SERVICE}timeout = "0s"\n', "3: services.x.timeout: must be longer than 0s"),
    "no window": (f'{SERVICE}breaker.window = "0s"\n', "3: services.x.breaker.window: must be longer than 0s"),
    "unknown kind": (
        f'{SERVICE}kind = "opnai"\n',
        '3: services.x.kind: must be one of openai, anthropic, http, not "opnai"; did you mean "openai"?',
    ),
    "reserved name": (
        '[services.api]\nbase_url = "https://a.example"\n',
        "1: services.api: this name belongs to a page of the dashboard or to the API; choose another",
    ),
    "bad name": (
        '[services."A B"]\nbase_url = "https://a.example"\n',
        '1: services."A B": a service\'s name is made of a-z, 0-9, _ and -, and begins with a letter or digit',
    ),
    "no address": (
        "[services.opnai]\n",
        '1: services.opnai: base_url is missing, and no built-in service has this name; did you mean "openai"?',
    ),
    "address of another kind": (
        '[services.x]\nbase_url = "ftp://a.example"\n',
        '2: services.x.base_url: must be an address such as "https://api.example.com"',
    ),
    "address with a port that is none": (
        '[services.x]\nbase_url = "http://a.example:99999"\n',
        '2: services.x.base_url: must be an address such as "https://api.example.com"',
    ),
    "address with a query": (
        '[services.x]\nbase_url = "http://a.example/?a=1"\n',
        "2: services.x.base_url: must end before any ? or #, since the path of a request is appended",
    ),
    "two keys": (
        f'{SERVICE}api_key_env = "KEY"\napi_key_file = "key.txt"\n',
        "4: services.x.api_key_file: api_key_env is set too; keep one of the two",
    ),
    "money as a float": (
        f'{SERVICE}prices = {{ "m" = {{ input = 0.1 }} }}\n',
        '3: services.x.prices.m.input: money is a string of USD such as "12.50", not 0.1',
    ),
    "price that is no number": (
        f'{SERVICE}prices."gpt-4.1".input = "cheap"\n',
        "3: services.x.prices.\"gpt-4.1\".input: not an amount of USD: 'cheap'",
    ),
    "price below zero": (
        f'{SERVICE}prices."*".pages = "-1"\n',
        "3: services.x.prices.\"*\".pages: money can't be negative: '-1'",
    ),
    "price near a token key": (
        f'{SERVICE}prices.m.inputs = "1"\n',
        '3: services.x.prices.m.inputs: unknown price key; did you mean "input"?',
    ),
    "price with the name of a usage": (
        f'{SERVICE}prices.m.output_tokens = "1"\n',
        '3: services.x.prices.m.output_tokens: unknown price key; did you mean "output"?',
    ),
    "price of an unnamed unit": (
        f'{SERVICE}prices.m."GB out" = "1"\n',
        '3: services.x.prices.m."GB out": the name of a unit is made of a-z, 0-9 and _, and begins with a letter',
    ),
    "model without a price": (
        f"{SERVICE}prices.m = {{}}\n",
        '3: services.x.prices.m: names no price, such as input = "0.10"',
    ),
    "budget without a name": ('[[budgets]]\nlimit_usd = "1"\n', "1: budgets[0].name: is missing"),
    "budget with an empty name": ('[[budgets]]\nname = ""\nlimit_usd = "1"\n', "2: budgets[0].name: must not be empty"),
    "budget of two lines": (
        '[[budgets]]\nname = "a\\nb"\nlimit_usd = "1"\n',
        '2: budgets."a\\nb".name: must be one line of text',
    ),
    "two budgets of one name": (f"{BUDGET}{BUDGET}", '5: budgets.b.name: a second budget of the name "b"'),
    "budget without a limit": (
        '[[budgets]]\nname = "b"\n',
        "1: budgets.b: a limit is missing: limit_usd or limit_tokens",
    ),
    "budget with both limits": (
        f"{BUDGET}limit_tokens = 5\n",
        "4: budgets.b.limit_tokens: limit_usd is set too; keep one of the two, or make two budgets",
    ),
    "budget of nothing": (
        '[[budgets]]\nname = "b"\nlimit_usd = "0"\n',
        "3: budgets.b.limit_usd: must be greater than 0",
    ),
    "budget as a float": (
        '[[budgets]]\nname = "b"\nlimit_usd = 1.5\n',
        '3: budgets.b.limit_usd: money is a string of USD such as "12.50", not 1.5',
    ),
    "budget without end": (
        '[[budgets]]\nname = "b"\nlimit_usd = "1e999999999"\n',
        "3: budgets.b.limit_usd: more money than there is",
    ),
    "unknown period": (f'{BUDGET}period = "daily"\n', f"4: budgets.b.period: {PERIODS}, not 'daily'"),
    "rolling period of nothing": (f'{BUDGET}period = "0s"\n', "4: budgets.b.period: must be longer than 0s"),
    "unknown service in a budget": (
        f'{BUDGET}match = {{ service = "opnai" }}\n',
        '4: budgets.b.match.service: unknown service "opnai"; did you mean "openai"?',
    ),
    "unknown attribute": (
        f'{BUDGET}match.servce = "openai"\n',
        f'4: budgets.b.match.servce: unknown attribute "servce"; {ATTRIBUTES}; did you mean "service"?',
    ),
    "unknown attribute in each": (
        f'{BUDGET}each = "zzz"\n',
        f'4: budgets.b.each: unknown attribute "zzz"; {ATTRIBUTES}',
    ),
    "threshold above 1": (
        f"{BUDGET}thresholds = [\n 0.5,\n 75 ]\n",
        "6: budgets.b.thresholds[1]: must be at most 1, not 75",
    ),
    "unknown fallback": (
        f'{SERVICE}fallback = ["y"]\n',
        '3: services.x.fallback: unknown service "y"',
    ),
    "fallback on itself": (
        f'{SERVICE}fallback = ["x"]\n',
        "3: services.x.fallback: a service can't fall back on itself; see retry.attempts",
    ),
    "fallback of another kind": (
        f'{SERVICE}fallback = ["anthropic"]\n[services.anthropic]\n',
        '3: services.x.fallback: "anthropic" speaks "anthropic", not "http", so it can\'t answer the same request',
    ),
    "fallback without an address": (
        f'{SERVICE}fallback = ["pdf_service"]\n[services.pdf_service]\n',
        '3: services.x.fallback: "pdf_service" has no base_url, so no request can be sent to it',
    ),
    "degrade to nothing": (
        f'{BUDGET}action = "degrade"\n',
        '4: budgets.b.action: degrade_to is missing: the cheaper model, such as "gpt-5-mini"',
    ),
    "degrade_to of another action": (
        f'{BUDGET}degrade_to = "m"\n',
        '4: budgets.b.degrade_to: of no effect with the action "fail"; use "degrade"',
    ),
    "degrade to itself": (
        f'{BUDGET}action = "degrade"\ndegrade_to = "m"\nmatch = {{ model = "m" }}\n',
        "5: budgets.b.degrade_to: is the model that the budget is for; name a cheaper one",
    ),
    "degrade for tokens": (
        '[[budgets]]\nname = "b"\nlimit_tokens = 5\naction = "degrade"\ndegrade_to = "m"\n',
        (
            "5: budgets.b.degrade_to: another model takes as many tokens, so a call would still not fit; "
            "match a model, or use limit_usd"
        ),
    ),
    "redis": (
        '[state]\nurl = "memcached://:secret@127.0.0.1"\n',
        '2: state.url: must be "memory://", or an address such as "redis://127.0.0.1:6379/0"',
    ),
    "calendar days on redis": (
        f'[state]\nurl = "redis://:secret@127.0.0.1"\n{SERVICE}limits = {{ requests_per_day = 5, day = "calendar" }}\n',
        "5: services.x.limits.day: a limit by the calendar day with a shared state is not available in this version",
    ),
    "too much for redis": (
        f'[state]\nurl = "redis://:secret@127.0.0.1"\n{BUDGET.replace("1", "9007200")}',
        (
            "5: budgets.b.limit_usd: a limit above 9007199254740992 (9,007,199 USD) with a shared state "
            "is not available in this version"
        ),
    ),
    "no time for redis": (
        '[state]\nurl = "redis://127.0.0.1"\ntimeout = "0s"\n',
        "3: state.timeout: must be longer than 0s",
    ),
    "a short lease": (
        '[state]\nurl = "redis://127.0.0.1"\nlease = "500ms"\n',
        "3: state.lease: must be at least four times as long as state.timeout",
    ),
    "another database": (
        '[ledger]\nurl = "mysql://user:secret@host/db"\n',
        '2: ledger.url: must be such as "sqlite:///FILE" or "postgresql+psycopg://USER@HOST/DATABASE"',
    ),
}


@pytest.mark.parametrize(("text", "told"), BAD.values(), ids=BAD)
def test_a_wrong_setting_is_told_in_one_line(text: str, told: str) -> None:
    """Each mistake is one line: file, line, key, what is wrong, nearest valid word."""
    with pytest.raises(ConfigError) as caught:
        load_text(text, name="s.toml")

    assert str(caught.value) == f"s.toml:{told}"


def test_all_that_is_wrong_is_told_at_once_in_the_order_of_the_file() -> None:
    """Several mistakes are several lines, the first line of the file first."""
    text = f"{BUDGET}match = {{ service = 5 }}\n[server]\nprt = 1\nhost = 2\n"

    with pytest.raises(ConfigError) as caught:
        load_text(text)

    assert str(caught.value).splitlines() == [
        "switchgear.toml:4: budgets.b.match.service: must be text in quotes, not a number",
        'switchgear.toml:6: server.prt: unknown key; did you mean "port"?',
        "switchgear.toml:7: server.host: must be text in quotes, not a number",
    ]


def test_a_key_that_stands_where_its_variable_should_is_not_repeated() -> None:
    """A secret that was put into the file by mistake is not shown in the error."""
    with pytest.raises(ConfigError) as caught:
        load_text(f'{SERVICE}api_key_env = "sk-very-secret"\napi_key = "sk-very-secret"\n')

    assert "sk-very-secret" not in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        load_text(f'{SERVICE}api_key_env = "sk-very-secret"\n')

    assert str(caught.value) == (
        "switchgear.toml:3: services.x.api_key_env: must be the name of an environment variable, not a key"
    )


def test_a_full_file_becomes_a_config() -> None:
    """Durations are microseconds and money is nano-USD once loaded."""
    config = load_text(
        """
        [server]
        port = 9000
        reporting_timezone = "Europe/Berlin"
        [services.house]
        kind = "openai"
        base_url = "http://127.0.0.1:8500"
        max_wait = "250ms"
        limits = { tokens_per_minute = 1000 }
        prices = { "house-model" = { input = "0.10", output = "0.40" }, "*" = { request = "0.002", pages = "0.001" } }
        [[budgets]]
        name = "rolling"
        limit_tokens = 5
        period = "24h"
        match = { tag.team = "red", service = "house" }
        each = "tag.customer"
        thresholds = [0.5, 1]
        """
    )

    house, budget = config.services["house"], config.budgets[0]
    assert config.server.port == 9000
    assert house.max_wait == 250_000
    assert house.limits.tokens_per_minute == 1000
    assert house.limits.requests_per_minute is None
    assert house.prices["house-model"] == {"input": 100_000_000, "output": 400_000_000}
    assert house.prices["*"] == {"request": 2_000_000, "pages": 1_000_000}
    assert budget.period == "1d"
    assert budget.match == {"tag.team": "red", "service": "house"}
    assert budget.thresholds == (0.5, 1)


def test_no_file_is_a_configuration_too() -> None:
    """Without a file and without variables there are the built-in services and no budget."""
    config = default()

    assert sorted(config.services) == ["anthropic", "firecrawl", "openai", "openrouter", "pdf_service"]
    assert config.budgets == ()
    assert config == load_text("")


def test_a_file_is_read_from_its_path(tmp_path: Path) -> None:
    """The file at the path is what counts, with or without a byte order mark."""
    path = tmp_path / "s.toml"
    path.write_bytes(b"\xef\xbb\xbf[server]\nport = 9001\n")

    assert load(path, environ={}).server.port == 9001


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A missing file is named, and so is the command that writes one."""
    path = tmp_path / "s.toml"

    with pytest.raises(ConfigError) as caught:
        load(path, environ={})

    assert str(caught.value) == f"{path}: no such file; `switchgear init` writes one"


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A folder in the file's place is no traceback."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, environ={})

    assert str(caught.value) == f"{tmp_path}: can't be read: Is a directory"


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    """A byte that is no UTF-8 is told with its line."""
    path = tmp_path / "s.toml"
    path.write_bytes(b"[server]\nhost = '\xff'\n")

    with pytest.raises(ConfigError) as caught:
        load(path, environ={})

    assert str(caught.value) == f"{path}:2: is not UTF-8 text"


WORDS = (
    "server services budgets ledger state openai x url port limits breaker retry match each name period thresholds "
    "prices base_url reporting_timezone fallback tag max_wait limit_usd limit_tokens concurrent - \u00e9"
)
VALUES = (
    '1 0 -1 1.5 nan true "" "x" "1e5" "1e99999" "30s" "NaN" "Infinity" "UTC" "https://[" "Europe" "sqlite://" '
    '2026-01-01 [] {} [1] ["x"] 9999999999999999999999999999999999999999 "a\\u0000b"'
)


def toml(data: object) -> str:
    """Return *data*, whose leaves are TOML already, as an inline value."""
    if isinstance(data, dict):
        return "{" + ", ".join(f'"{key}" = {toml(value)}' for key, value in data.items()) + "}"
    return "[" + ", ".join(map(toml, data)) + "]" if isinstance(data, list) else str(data)


KEYS = st.sampled_from(WORDS.split())
LEAVES = st.sampled_from(VALUES.split())
DEEP = st.recursive(
    LEAVES, lambda inner: st.dictionaries(KEYS, inner, max_size=4) | st.lists(inner, max_size=3), max_leaves=12
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(KEYS, DEEP, max_size=5))
def test_junk_of_the_right_words_is_a_config_or_a_config_error(junk: dict[str, Any]) -> None:
    """However wrong a file is, nothing but a ConfigError of whole lines comes out."""
    text = "\n".join(f'"{key}" = {toml(value)}' for key, value in junk.items())
    try:
        assert isinstance(load_text(text, name="f"), Config)
    except ConfigError as error:
        assert all(line.startswith("f:") for line in str(error).split("\n"))  # noqa: PT017 - either outcome is right


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab[]{}=\"'\n.,# 1\\u\x00\u00e9"), max_size=40))
def test_junk_of_any_characters_is_a_config_or_a_config_error(text: str) -> None:
    """Text that is no TOML at all is a ConfigError as well."""
    try:
        assert isinstance(load_text(text, name="f"), Config)
    except ConfigError as error:
        assert str(error).startswith("f:")  # noqa: PT017 - either outcome is right
