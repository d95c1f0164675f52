"""How much is spent on an application: three profiles, and one that goes by fit."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["BY_FIT", "PROFILES", "Profile", "ProfileName", "profile_for"]

ProfileName = Literal["fast", "balanced", "quality", "by_fit"]

_GOOD: Final = 75
_FAIR: Final = 40


class Profile(BaseModel):
    """What one profile may use.

    Attributes:
        posting_characters: how much of the posting a model reads.
        statements: how many statements of the CV a model chooses from.
        output_tokens: the longest answer of a layer.
        reads_needs: whether a model looks for pain points; else the posting's own sentences serve.
        judges_fit: whether a model looks for what shares no word; else words alone decide.
        rewrites: how often a model may write anew what the CV does not support.
        points: points of the letter.
        budget_usd: what one application may cost.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["fast", "balanced", "quality"]
    posting_characters: Annotated[int, Field(gt=0)]
    statements: Annotated[int, Field(gt=0)]
    output_tokens: Annotated[int, Field(gt=0)]
    reads_needs: bool
    judges_fit: bool
    rewrites: Annotated[int, Field(ge=0)]
    points: Annotated[int, Field(gt=0)]
    budget_usd: str


PROFILES: Final = {
    one.name: one
    for one in (
        Profile(
            name="fast",
            posting_characters=2_000,
            statements=6,
            output_tokens=700,
            reads_needs=False,
            judges_fit=False,
            rewrites=0,
            points=3,
            budget_usd="0.05",
        ),
        Profile(
            name="balanced",
            posting_characters=6_000,
            statements=14,
            output_tokens=900,
            reads_needs=True,
            judges_fit=True,
            rewrites=1,
            points=3,
            budget_usd="0.25",
        ),
        Profile(
            name="quality",
            posting_characters=20_000,
            statements=30,
            output_tokens=2_000,
            reads_needs=True,
            judges_fit=True,
            rewrites=2,
            points=4,
            budget_usd="1.00",
        ),
    )
}

BY_FIT: Final = "by_fit"


def profile_for(name: ProfileName, *, score: int | None = None) -> Profile:
    """Return the profile called *name*.

    With ``by_fit`` all is done fast until the score is known; a poor fit stays so, a fair one is written with
    the balanced profile and a good one with the best.
    """
    if name != BY_FIT:
        return PROFILES[name]
    if score is None or score < _FAIR:
        return PROFILES["fast"]
    return PROFILES["quality" if score >= _GOOD else "balanced"]
