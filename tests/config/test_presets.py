from __future__ import annotations

import pytest

from switchgear.config import TEMPLATE, default, load_text

LIMITS = {"openai": 500, "anthropic": 100, "openrouter": 60, "firecrawl": 10, "pdf_service": 60}
BREAKERS = {"openai": (5, 120), "anthropic": (5, 120), "firecrawl": (3, 300), "pdf_service": (3, 60)}


@pytest.mark.parametrize(("name", "per_minute"), LIMITS.items())
def test_a_built_in_service_has_its_limit(name: str, per_minute: int) -> None:
    """Each built-in service may be asked as often a minute as the documentation says."""
    assert default().services[name].limits.requests_per_minute == per_minute


@pytest.mark.parametrize(("name", "breaker"), BREAKERS.items())
def test_a_built_in_service_has_its_breaker(name: str, breaker: tuple[int, int]) -> None:
    """Each built-in service opens and recovers as the documentation says; the rate counts from 10 calls, at a half."""
    config = default().services[name].breaker

    assert (config.failure_threshold, config.recovery_timeout // 1_000_000) == breaker
    assert (config.failure_rate, config.minimum_calls) == (0.5, 10)


def test_what_a_file_says_of_a_built_in_service_replaces_single_keys() -> None:
    """One key of a limit or a breaker leaves the preset's other keys in force."""
    text = "[services.firecrawl]\nlimits = { tokens_per_minute = 5 }\nbreaker.failure_threshold = 9\n"

    service = load_text(text).services["firecrawl"]

    assert service.limits.tokens_per_minute == 5
    assert service.limits.requests_per_minute == 10
    assert service.limits.requests_per_day == 600
    assert service.breaker.failure_threshold == 9
    assert service.breaker.recovery_timeout == 300_000_000
    assert service.base_url == "https://api.firecrawl.dev"


def test_a_file_that_names_services_gets_no_others() -> None:
    """Only a configuration without any service has the built-in ones."""
    assert list(load_text("[services.openai]").services) == ["openai"]
    assert len(load_text("[services]").services) == 5


def test_a_service_of_another_name_has_a_limit_unless_it_sets_its_own() -> None:
    """60 requests a minute hold for a service that says nothing of limits, and only for it."""
    start = '[services.x]\nbase_url = "http://a.example"\n'

    assert load_text(start).services["x"].limits.requests_per_minute == 60
    assert load_text(f"{start}limits.concurrent = 1\n").services["x"].limits.requests_per_minute is None
    assert load_text(f"{start}limits = {{}}\n").services["x"].limits.requests_per_minute is None


def test_presets_are_never_changed_by_a_file() -> None:
    """One configuration does not leak into the next."""
    before = default()

    load_text("[services.openai]\nlimits = { requests_per_minute = 1 }\n")

    assert default() == before


@pytest.mark.parametrize(
    ("said", "policy"),
    [
        ('kind = "openai"', "refuse"),
        ('kind = "anthropic"', "refuse"),
        ('kind = "http"', "allow"),
        ('kind = "http"\nprices.m.request = "1"', "refuse"),
        ('kind = "openai"\nunpriced = "allow"', "allow"),
        ('kind = "http"\nunpriced = "refuse"', "refuse"),
    ],
)
def test_a_call_without_a_price_is_let_through_only_where_nothing_is_priced(said: str, policy: str) -> None:
    """A service that talks tokens or has prices refuses what it can't price, unless it is told otherwise."""
    config = load_text(f'[services.x]\nbase_url = "http://a.example"\n{said}\n')

    assert config.services["x"].unpriced_policy == policy


def test_the_template_is_a_valid_file() -> None:
    """What `switchgear init` writes loads as it is, and also with its commented settings switched on."""
    commented = TEMPLATE.replace("# [services", "[services").replace("# base_url", "base_url")
    commented = commented.replace("# prices", "prices").replace("# api_key", "api_key")

    assert [budget.name for budget in load_text(TEMPLATE).budgets] == ["everything-month", "each-job"]
    assert set(load_text(commented).services) == {"openai", "anthropic", "geocoder"}
