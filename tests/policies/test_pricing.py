from __future__ import annotations

import random
import re
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

import genai_prices
import pytest
from genai_prices.data_snapshot import get_snapshot

from switchgear.calls import Usage
from switchgear.policies.price_list import PriceList
from switchgear.policies.pricing import PriceBook, PriceSource

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

PROVIDERS = ("openai", "anthropic", "google", "mistral", "deepseek", "groq")
MOMENTS = (datetime(2025, 3, 1, 12, tzinfo=UTC), datetime(2026, 11, 20, 3, 30, tzinfo=UTC))
TIERS = ("flex", "priority", "fast", "batch")
NOW = MOMENTS[1]


def name_of(provider: Provider, model: ModelInfo) -> str | None:
    """Return a name by which *provider*'s list finds *model*; some are not found by their own id."""
    texts = [model.id, *re.findall(r"(?:equals|starts_with)='([^']+)'", repr(model.match))]
    return next((text for text in texts if provider.find_model(text) is model), None)


MODELS = [
    (provider.id, name, model)
    for provider in get_snapshot().providers
    if provider.id in PROVIDERS
    for model in provider.models
    if (name := name_of(provider, model)) is not None
]


def micros(at: datetime) -> int:
    """Return *at* in epoch microseconds."""
    return int(at.timestamp()) * 1_000_000


def book(**services: PriceSource) -> PriceBook:
    """Return a book with one service for each provider, and *services*."""
    return PriceBook({name: PriceSource(kind="openai", provider=name) for name in PROVIDERS} | services)


@pytest.fixture(scope="module")
def listed() -> PriceBook:
    """One book for all look-ups: its look-ups are what is tested, also the remembered ones."""
    return book()


def random_usage(dice: random.Random, prices: ModelPrice) -> Usage:
    """Return a consistent usage with every kind of token and unit that *prices* has a rate for."""
    scale = dice.choice((10, 1_000, 50_000, 400_000))
    parts = {kind: dice.randrange(scale) for kind in ("plain", "read", "written", "out", "reasoning")}
    hour = dice.randint(0, parts["written"])
    special = {
        "cache_write_1h_mtok": ("cache_write_1h_tokens", hour),
        "input_audio_mtok": ("input_audio_tokens", parts["plain"] // 3),
        "input_image_mtok": ("input_image_tokens", parts["plain"] // 4),
        "output_audio_mtok": ("output_audio_tokens", parts["out"] // 3),
        "output_image_mtok": ("output_image_tokens", parts["out"] // 4),
        "web_searches_kcount": ("web_searches", dice.randrange(9)),
        "storage_searches_kcount": ("storage_searches", dice.randrange(9)),
        "input_document_kpages": ("input_document_pages", dice.randrange(99)),
        "input_mchars": ("input_characters", dice.randrange(10**6)),
    }
    units = [unit for key, unit in special.items() if getattr(prices, key) is not None]
    if prices.audio_hours is not None:
        seconds = dice.choice((0, 1, 9, 10, 9_999))  # Groq bills every request for ten at least
        units += [("audio_seconds", seconds), ("input_audio_seconds", seconds)]
    return Usage(
        input_tokens=parts["plain"] + parts["read"] + parts["written"],
        output_tokens=parts["out"] + parts["reasoning"],
        cache_read_tokens=parts["read"],
        cache_write_tokens=parts["written"],
        reasoning_tokens=parts["reasoning"],
        units=tuple(sorted(units)),
    )


def theirs(usage: Usage, provider: str, model: str, at: datetime, tier: str | None = None) -> int:
    """Return what genai-prices says *usage* costs, in nano-USD."""
    joins = {f"cache_{kind}_read_tokens": 0 for kind in ("audio", "image")}
    counts = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
        **joins,
        **dict(usage.units),
    )
    context = None if tier is None else {"service_tier": tier, "processing": tier, "speed": tier}
    priced = genai_prices.calc_price(
        counts, model, provider_id=provider, genai_request_timestamp=at, price_context=context
    )
    return int((priced.total_price * 10**9).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda name: f"budget-15-{name}")
def test_budget_15_cost_equals_the_price_list_to_the_nano_dollar(listed: PriceBook, provider: str) -> None:
    """For every model of the list, at two dates and for each service tier, our cost is the list's own."""
    dice = random.Random(provider)
    compared = 0
    for name, model in ((name, model) for owner, name, model in MODELS if owner == provider):
        for at in MOMENTS:
            for tier in (None, *TIERS) if model.price_variants else (None,):
                price = listed.price(provider, name, micros(at), tier=tier)
                prices = model.get_prices(at)
                if price is None:
                    assert not any(value is not None for value in vars(prices).values()), name
                    continue
                for _ in range(2):
                    usage = random_usage(dice, prices)
                    assert listed.cost(price, usage) == theirs(usage, provider, name, at, tier), (name, usage)
                    assert listed.cost(price, usage) <= listed.worst_case(price, usage), (name, usage)
                    compared += 1

    assert compared >= 8


@pytest.mark.parametrize("at", MOMENTS, ids=["budget-15-before", "budget-15-after"])
def test_a_price_is_that_of_its_day_and_hour(listed: PriceBook, at: datetime) -> None:
    """Look-ups of one model at several times, through one book, each get the price of their time."""
    usage = Usage(input_tokens=1_000, output_tokens=1_000)
    for hour in (0, 2, 5, 8, 23):
        moment = at.replace(hour=hour)
        price = listed.price("deepseek", "deepseek-chat", micros(moment))

        assert price is not None
        assert listed.cost(price, usage) == theirs(usage, "deepseek", "deepseek-chat", moment)


@pytest.mark.parametrize(
    ("service", "asked", "base"),
    [
        pytest.param("openai", "gpt-4o-mini-2024-07-18", "gpt-4o-mini", id="budget-16-dated"),
        pytest.param("openai", "gpt-4o-mini-20240718", "gpt-4o-mini", id="budget-16-compact-date"),
        pytest.param("openai", "openai/gpt-4o-mini", "gpt-4o-mini", id="budget-16-own-prefix"),
        pytest.param("anthropic", "anthropic/claude-sonnet-4-5", "claude-sonnet-4-5", id="budget-16-router-prefix"),
        pytest.param("anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5", id="budget-16-dated-claude"),
    ],
)
def test_budget_16_dated_and_prefixed_names_have_the_price_of_the_base_model(
    listed: PriceBook, service: str, asked: str, base: str
) -> None:
    """A model costs the same by whichever of its names it is asked for."""
    found = listed.price(service, asked, micros(NOW))

    assert found is not None
    assert found == listed.price(service, base, micros(NOW))


def test_budget_16_a_router_prefix_leads_to_the_list_of_its_provider(listed: PriceBook) -> None:
    """Budget 16: a gateway that speaks OpenAI and serves Claude is priced as Claude."""
    found = listed.price("openai", "anthropic/claude-sonnet-4-5", micros(NOW))

    assert found is not None
    assert found == listed.price("anthropic", "claude-sonnet-4-5", micros(NOW))


@pytest.mark.parametrize(
    "model",
    [
        pytest.param("gpt-9-nonesuch", id="budget-16-unknown"),
        pytest.param("gpt-4o-mini-nonesuch", id="budget-16-unknown-variant"),
        pytest.param("nobody/gpt-4o-mini", id="budget-16-unknown-prefix"),
        pytest.param("/gpt-4o-mini", id="budget-16-empty-prefix"),
        pytest.param("", id="budget-16-empty"),
    ],
)
def test_budget_16_an_unknown_model_has_no_price_and_never_a_default(listed: PriceBook, model: str) -> None:
    """What the list does not know is unpriced."""
    assert listed.price("openai", model, micros(NOW)) is None


def test_an_entry_without_rates_is_unpriced_unless_it_is_known_to_be_free(listed: PriceBook) -> None:
    """The list's empty entries mean unknown; only what the provider says is free costs nothing."""
    free = listed.price("openai", "omni-moderation-latest", micros(NOW))

    assert listed.price("google", "gemma-3", micros(NOW)) is None
    assert free is not None
    assert listed.cost(free, Usage(input_tokens=1_000_000)) == 0


def test_own_prices_come_first_and_the_star_entry_last() -> None:
    """Own entry for the model, then the list, then the own ``*`` entry."""
    own = {"gpt-4o": {"input": 1_000_000_000}, "*": {"request": 2_000_000, "pages": 1_000_000}}
    prices = book(mine=PriceSource(kind="openai", own=own))
    usage = Usage(input_tokens=1_000_000)

    def cost(model: str | None) -> int:
        price = prices.price("mine", model, micros(NOW))
        assert price is not None
        return prices.cost(price, usage)

    assert cost("gpt-4o") == 1_000_000_000
    assert cost("gpt-4o-mini") == 150_000_000
    assert cost("house-model") == 2_000_000
    assert cost(None) == 2_000_000


def test_the_star_entry_serves_a_listed_model_without_rates() -> None:
    """A model that the list names but can't price falls to the own ``*`` entry."""
    prices = book(gemini=PriceSource(kind="openai", provider="google", own={"*": {"input": 5}}))
    found = prices.price("gemini", "gemma-3", micros(NOW))

    assert found is not None
    assert found.version.startswith("config/*/")


def test_own_prices_count_tokens_requests_and_units() -> None:
    """Numbers are per million tokens, per request and per unit; kinds of tokens without one cost the plain rate."""
    own = {"m": {"input": 10_000_000, "output": 40_000_000, "cache_read": 1_000_000, "request": 5, "pages": 7}}
    prices = PriceBook({"house": PriceSource(kind="http", own=own)})
    price = prices.price("house", "m", 0)
    usage = Usage(
        input_tokens=100,
        cache_read_tokens=10,
        cache_write_tokens=20,
        output_tokens=30,
        reasoning_tokens=5,
        units=(("pages", 3),),
    )

    assert price is not None
    assert prices.cost(price, usage) == 90 * 10 + 10 * 1 + 30 * 40 + 5 + 3 * 7


@pytest.mark.parametrize(
    ("name", "source", "model", "expected"),
    [
        ("openai", PriceSource(kind="openai"), "gpt-4o-mini", "genai-prices"),
        ("groq", PriceSource(kind="openai"), "llama-3.3-70b-versatile", "/groq/"),
        ("local", PriceSource(kind="openai"), "gpt-4o-mini", "/openai/"),
        ("local", PriceSource(kind="openai", provider="mistral"), "mistral-large-latest", "/mistral/"),
        ("local", PriceSource(kind="openai", provider="nobody"), "gpt-4o-mini", None),
        ("openai", PriceSource(kind="http"), "gpt-4o-mini", None),
        ("openai", PriceSource(kind="http", provider="openai"), "gpt-4o-mini", "/openai/"),
    ],
)
def test_the_list_is_that_of_the_provider_else_the_service_else_its_kind(
    name: str, source: PriceSource, model: str, expected: str | None
) -> None:
    """A named provider decides; a service called like a provider is it; the kind is the last resort of LLM services."""
    price = PriceBook({name: source}).price(name, model, micros(NOW))

    assert (price is None) if expected is None else (price is not None and expected in price.version)


def test_a_service_that_is_not_configured_has_no_prices(listed: PriceBook) -> None:
    """An unknown service is unpriced."""
    assert listed.price("nobody", "gpt-4o-mini", micros(NOW)) is None


def test_a_version_tells_list_model_date_and_tier(listed: PriceBook) -> None:
    """A row in the ledger says which price it was counted with."""
    plain = listed.price("openai", "gpt-4o-mini-2024-07-18", micros(NOW))
    dated = listed.price("anthropic", "claude-opus-4-6", micros(NOW))
    tiered = listed.price("openai", "gpt-5", micros(NOW), tier="priority")
    standard = listed.price("openai", "gpt-5", micros(NOW), tier="auto")

    assert [price.version if price else None for price in (plain, dated, tiered)] == [
        f"genai-prices {genai_prices.__version__}/openai/gpt-4o-mini",
        f"genai-prices {genai_prices.__version__}/anthropic/claude-opus-4-6/2026-03-13",
        f"genai-prices {genai_prices.__version__}/openai/gpt-5/priority",
    ]
    assert standard == listed.price("openai", "gpt-5", micros(NOW))


def test_a_changed_own_price_has_another_version() -> None:
    """Two states of the configuration can be told apart in the ledger."""
    versions = {
        price.version
        for nano in (1, 2)
        if (price := PriceBook({"s": PriceSource(own={"m": {"input": nano}})}).price("s", "m", 0))
    }

    assert len(versions) == 2


def test_max_output_is_the_context_window_where_it_is_known(listed: PriceBook) -> None:
    """The list has no output limits, so the window is the bound; without one there is none."""
    assert listed.max_output("openai", "gpt-4o-mini-2024-07-18") == 128_000
    assert listed.max_output("openai", "gpt-9-nonesuch") is None
    assert listed.max_output("openai", None) is None
    assert listed.max_output("nobody", "gpt-4o-mini") is None


def test_invented_model_names_do_not_grow_the_book() -> None:
    """A caller can't fill the memory with names that don't exist."""
    prices = PriceBook({"house": PriceSource(own={"*": {"input": 1}})})
    for number in range(10_000):
        prices.price("house", f"model-{number}", 0)

    assert len(prices._found) <= 4096  # noqa: SLF001 - the bound itself is the promise


def test_the_list_is_not_loaded_for_own_prices() -> None:
    """genai-prices takes a third of a second to import, and a service with own prices never needs it."""
    prices = PriceBook({"house": PriceSource(kind="openai", own={"m": {"input": 1}})})

    assert prices.price("house", "m", 0) is not None
    assert prices.price("house", None, 0) is None
    assert prices._list._units is None  # noqa: SLF001 - nothing was compiled


def models_with(key: str) -> list[ModelInfo]:
    """Return the models of the list that have a rate for *key*."""
    return [model for _, _, model in MODELS if getattr(model.get_prices(NOW), key) is not None]


def test_the_sample_covers_the_odd_prices() -> None:
    """The comparison above is worth something: tiers, variants, hours, audio and searches are among its models."""
    assert len(MODELS) > 270
    assert models_with("audio_hours")
    assert models_with("cache_write_1h_mtok")
    assert models_with("input_audio_mtok")
    assert models_with("web_searches_kcount")
    assert any(model.price_variants for _, _, model in MODELS)
    assert any(not isinstance(rate, Decimal) for _, _, model in MODELS for rate in vars(model.get_prices(NOW)).values())


@pytest.mark.parametrize(
    ("service", "model", "source", "entry"),
    [
        ("mine", "house", "config", "house"),
        ("mine", "gpt-4o-mini-2024-07-18", "genai-prices", "gpt-4o-mini"),
        ("mine", "unheard-of", "config", "*"),
        ("mine", None, "config", "*"),
        ("openai", "gpt-9-nonesuch", None, None),
        ("openai", None, None, None),
        ("google", "gemma-3", None, None),
        ("nobody", "gpt-4o", None, None),
    ],
)
def test_an_explanation_finds_what_the_price_finds(
    service: str, model: str | None, source: str | None, entry: str | None
) -> None:
    """Explained is the price that is counted with, by the same version."""
    own = {"house": {"input": 100_000_000, "request": 5}, "*": {"pages": 1}}
    prices = book(mine=PriceSource(kind="openai", own=own))
    facts = prices.explain(service, model, micros(NOW))
    price = prices.price(service, model, micros(NOW))

    assert (facts.source, facts.entry) == (source, entry)
    assert facts.version == (None if price is None else price.version)


def test_an_explanation_has_every_rate_and_when_it_holds(listed: PriceBook) -> None:
    """Tiers of long input, daily hours, dates and service tiers: in words, with the rates of each."""
    long = listed.explain("google", "gemini-2.5-pro", micros(NOW))
    daily = listed.explain("deepseek", "deepseek-chat", micros(NOW))
    tiered = listed.explain("openai", "gpt-5", micros(NOW))

    assert {rate.above for rate in long.rates if rate.what == "input"} == {None, 200_000}
    assert [period.when for period in daily.periods] == ["otherwise", "daily 00:30-16:30 UTC"]
    assert [tier.when for tier in tiered.tiers if "flex" in tier.when] == ["tier flex, from 2026-10-12"]
    assert all(tier.rates for tier in tiered.tiers)


def test_an_own_price_is_explained_as_it_is_stated() -> None:
    """Tokens by the million, a request and units one by one."""
    prices = PriceBook({"house": PriceSource(own={"m": {"input": 100_000_000, "request": 5, "pages": 7}})})
    rates = prices.explain("house", "m", 0).rates

    assert [(rate.what, rate.usd, rate.per, rate.unit) for rate in rates] == [
        ("input", Decimal("0.1"), 1_000_000, "tokens"),
        ("request", Decimal("0.000000005"), 1, "request"),
        ("pages", Decimal("0.000000007"), 1, "pages"),
    ]


def test_a_rate_for_a_unit_that_nobody_knows_is_no_price() -> None:
    """A newer list may charge for things that can't be counted here: unpriced, not nearly right."""
    prices = PriceList()
    found = prices.find("openai", "gpt-4o-mini")
    prices._units = {}  # noqa: SLF001 - a list that knows of no unit

    assert found is not None
    assert prices.price(found, micros(NOW), None) is None
    assert prices.facts(found, micros(NOW), service="openai", asked="gpt-4o-mini") is None
