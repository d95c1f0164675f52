from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.config import Config, load, load_text
from switchgear.errors import ConfigError

FILE = """
[services.my-api]
base_url = "https://api.example.com"
limits = { requests_per_minute = 10, concurrent = 2 }
[[budgets]]
name = "my-month"
limit_usd = "5"
"""


def test_a_variable_wins_over_the_file() -> None:
    """A variable replaces the one key that it names and leaves the keys beside it."""
    environ = {"SWITCHGEAR_SERVICES__MY_API__LIMITS__REQUESTS_PER_MINUTE": "5"}

    limits = load_text(FILE, environ=environ).services["my-api"].limits

    assert limits.requests_per_minute == 5
    assert limits.concurrent == 2


def test_a_variable_may_name_a_built_in_service_without_a_file() -> None:
    """Without a file the built-in services are there, and one of them is changed."""
    config = load(None, environ={"SWITCHGEAR_SERVICES__PDF_SERVICE__BREAKER__FAILURE_THRESHOLD": "7"})

    assert config.services["pdf_service"].breaker.failure_threshold == 7
    assert config.services["pdf_service"].breaker.recovery_timeout == 60_000_000
    assert len(config.services) == 5


def test_a_budget_goes_by_its_name() -> None:
    """Money from a variable is exact, though it looks like a float."""
    config = load_text(FILE, environ={"SWITCHGEAR_BUDGETS__MY_MONTH__LIMIT_USD": "0.10"})

    assert config.budgets[0].limit_usd == 100_000_000


def test_text_needs_no_quotes_and_may_have_them() -> None:
    """Text is taken as it is, also where it looks like a number; quotes of TOML are understood."""
    environ = {
        "SWITCHGEAR_SERVER__HOST": "0.0.0.0",  # noqa: S104 - only read
        "SWITCHGEAR_LEDGER__URL": '"sqlite:///other.db"',
        "SWITCHGEAR_SERVICES__MY_API__API_KEY_FILE": "1",
        "SWITCHGEAR_SERVICES__MY_API__PRICES": '{ "*" = { request = "0.5" } }',
        "SWITCHGEAR_SERVICES__MY_API__CRITICAL": "true",
        "SWITCHGEAR_BUDGETS__MY_MONTH__MATCH__TAG__TEAM": "red",
    }

    config = load_text(FILE, environ=environ)

    service = config.services["my-api"]
    assert config.server.host == "0.0.0.0"  # noqa: S104 - only read
    assert config.ledger.url == "sqlite:///other.db"
    assert service.api_key_file == "1"
    assert service.prices == {"*": {"request": 500_000_000}}
    assert service.critical
    assert config.budgets[0].match == {"tag.team": "red"}


def test_variables_of_others_are_left_alone() -> None:
    """What does not look like a setting is none: other prefixes, the command line's own variables, single words."""
    environ = {
        "SWITCHGEAR_CONFIG": "x.toml",
        "SWITCHGEAR_URL": "x",
        "SWITCHGEAR_HOME": "x",
        "PATH": "x",
        "SERVER__PORT": "x",
    }

    assert load_text(FILE, environ=environ) == load_text(FILE)


BAD = {
    "SWITCHGEAR_SERVER__PRT": ("1", 'unknown key; did you mean "SWITCHGEAR_SERVER__PORT"?'),
    "SWITCHGEAR_SERVER__ZZZ": ("1", "unknown key"),
    "SWITCHGEAR_SERVR__PORT": ("1", 'unknown section; did you mean "SWITCHGEAR_SERVER__PORT"?'),
    "SWITCHGEAR_SERVER_PORT": ("1", 'unknown variable; did you mean "SWITCHGEAR_SERVER__PORT"?'),
    "SWITCHGEAR_SERVER__PORT__X": ("1", "unknown key"),
    "SWITCHGEAR_SERVER__PORT": ("80x", "server.port: must be a whole number, not text"),
    "SWITCHGEAR_SERVER": ("5", "server: must be a table, not a number"),
    "SWITCHGEAR_SERVICES__MY_APY__CRITICAL": ("true", 'unknown service "my_apy"; did you mean "my-api"?'),
    "SWITCHGEAR_BUDGETS__OTHER__LIMIT_USD": ("1", 'unknown budget "other"'),
    "SWITCHGEAR_BUDGETS__MY_MONTH__LIMIT_USD": ("a", "budgets.my-month.limit_usd: not an amount of USD: 'a'"),
    "SWITCHGEAR_SERVICES__MY_API__LIMITS__CONCURRENT": (
        "0",
        "services.my-api.limits.concurrent: must be greater than 0, not 0",
    ),
    "SWITCHGEAR_SERVER__REPORTING_TIMEZONE": (
        "Mars/Base",
        'server.reporting_timezone: unknown time zone "Mars/Base"',
    ),
    "SWITCHGEAR_LEDGER__RETENTION_DAYS": ("1\nx = 2", "ledger.retention_days: must be a whole number, not text"),
}


@pytest.mark.parametrize(("variable", "value", "told"), [(name, *rest) for name, rest in BAD.items()], ids=BAD)
def test_a_wrong_variable_is_told_by_its_name(variable: str, value: str, told: str) -> None:
    """The error names the variable in the place of file and line."""
    with pytest.raises(ConfigError) as caught:
        load_text(FILE, environ={variable: value})

    assert str(caught.value) == f"{variable}: {told}"


def test_a_name_that_may_mean_two_services_is_told() -> None:
    """Two services that a variable can't tell apart are never confused silently."""
    text = '[services.a-b]\nbase_url = "http://a.example"\n[services.a_b]\nbase_url = "http://a.example"\n'

    with pytest.raises(ConfigError) as caught:
        load_text(text, environ={"SWITCHGEAR_SERVICES__A_B__CRITICAL": "true"})

    assert str(caught.value) == 'SWITCHGEAR_SERVICES__A_B__CRITICAL: "a_b" may mean "a-b" and "a_b"'


@pytest.mark.parametrize(
    ("text", "told"), [("server = 5", "must be a table, not a number"), ("server = []", "must be a table, not a list")]
)
def test_a_variable_below_a_value_of_the_wrong_type_leaves_the_blame_with_the_file(text: str, told: str) -> None:
    """The file's own mistake is told, where it stands."""
    with pytest.raises(ConfigError) as caught:
        load_text(text, environ={"SWITCHGEAR_SERVER__PORT": "2"})

    assert str(caught.value) == f"switchgear.toml:1: server: {told}"


PARTS = st.sampled_from(
    [
        "SERVER",
        "PORT",
        "SERVICES",
        "OPENAI",
        "MY_API",
        "BUDGETS",
        "MY_MONTH",
        "MATCH",
        "TAG",
        "LIMITS",
        "PRICES",
        "X",
        "",
        "0",
    ]
)
VALUES = st.sampled_from(["1", "", "true", "{}", "{a=1}", "[]", "[{}]", '"x"', "x", "{", "[" * 2000, "1\nb = 2", "nan"])


@settings(max_examples=250, deadline=None)
@given(
    st.sampled_from([FILE, "", "services = 1", "budgets = [1, {}]", "server = []"]),
    st.dictionaries(
        st.lists(PARTS, min_size=1, max_size=5).map("__".join).map("SWITCHGEAR_{}".format), VALUES, max_size=4
    ),
)
def test_any_variables_make_a_config_or_a_config_error(text: str, environ: dict[str, str]) -> None:
    """However odd the environment is, nothing but a ConfigError comes out."""
    try:
        assert isinstance(load_text(text, environ=environ), Config)
    except ConfigError as error:
        assert str(error)  # noqa: PT017 - either outcome is right
