"""Layer *research*: what is known of the company, where a source is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jobsmith.inputs.firecrawl import has_firecrawl, search
from jobsmith.inputs.text import clean
from jobsmith.nouns import Research

if TYPE_CHECKING:
    from jobsmith.nouns import PostingFacts
    from switchgear import Governor

__all__ = ["research_company", "research_key"]

_LONGEST: Final = 2_000


def research_key(facts: PostingFacts) -> str:
    """Return what research is kept by: the company."""
    return " ".join(facts.company.casefold().split())


async def research_company(facts: PostingFacts, *, governor: Governor) -> Research:
    """Return what Firecrawl finds of the company, or why nothing was looked for."""
    if not facts.company:
        return Research(skipped="the posting does not name the company")
    if not has_firecrawl(governor):
        return Research(skipped="no source is configured: services.firecrawl with a key would be one")
    found = await search(governor, f"{facts.company} company products news")
    sources = tuple((url, clean(text)[:_LONGEST]) for url, text in found if clean(text))
    return Research(sources=sources, skipped="" if sources else "Firecrawl found nothing")
