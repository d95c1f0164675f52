from __future__ import annotations

import re
from pathlib import Path

import pytest

from switchgear.config import load_text
from switchgear.errors import ConfigError

HEAD = '[services.pdf]\nbase_url = "https://pdf.example.com"\n'
PAGE = (Path(__file__).parents[2] / "docs" / "http-apis.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('units = { pages = "jsn:/a" }', ":3: services.pdf.units.pages: must be a whole number"),
        ("units = { pages = true }", ":3: services.pdf.units.pages: must be a whole number"),
        ('units = { Pages = "json:/a" }', ":3: services.pdf.units.Pages: the name of a unit"),
        ('units = { input = "json:/a" }', ":3: services.pdf.units.input: the name of a unit"),
        (
            'units = { pages = "json:/a" }\nunits_max = { page = 1 }',
            ':4: services.pdf.units_max.page: there is no rule for this unit; did you mean "pages"?',
        ),
        (
            'units = { pages = "json:/a" }\nunits_max = { pages = "json:/b" }',
            ":4: services.pdf.units_max.pages: must be known before the call",
        ),
        (
            'units = { pages = "json:/a" }\nunits_max = { pages = "request:/b" }',
            ":4: services.pdf.units_max.pages: must end with a whole number",
        ),
        ('units = { pages = "json:/a" }\nprices = { "*" = { pages = "1" } }', "add units_max.pages"),
        ('routes."crawl" = { units = { pages = 1 } }', "services.pdf.routes.crawl: a route is a method and a path"),
        (
            'kind = "openai"\nunits = { pages = 1 }',
            ':4: services.pdf.units: only a service of kind "http" counts by rule',
        ),
    ],
)
def test_a_slip_is_told_where_it_stands(text: str, told: str) -> None:
    """With file, line and key, before anything is started."""
    with pytest.raises(ConfigError) as caught:
        load_text(HEAD + text)
    assert told in str(caught.value)


def test_a_unit_without_a_price_needs_no_bound() -> None:
    """It is counted all the same."""
    config = load_text(HEAD + 'units = { pages = "json:/a" }\nprices = { "*" = { request = "1" } }')

    assert config.services["pdf"].units["pages"][0].pointer == ("a",)


def test_a_dump_of_the_configuration_can_be_read_again() -> None:
    """Rules are written as they were read."""
    config = load_text(HEAD + 'units = { pages = ["json:/a#count", 2] }\nunits_max = { pages = 9 }')
    written = config.services["pdf"].model_dump(mode="json")

    assert (written["units"], written["units_max"]) == ({"pages": ["json:/a#count", 2]}, {"pages": 9})


@pytest.mark.docs
@pytest.mark.parametrize("block", re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
def test_the_recipes_are_valid(block: str) -> None:
    """Every TOML block of docs/http-apis.md loads as it stands there."""
    assert load_text(block, environ={"FIRECRAWL_API_KEY": "k"}).services
