"""What an application will cost at most, before anything is spent: an estimate, and marked as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jobsmith.profiles import BY_FIT, PROFILES, profile_for

if TYPE_CHECKING:
    from decimal import Decimal

    from jobsmith.nouns import Order
    from jobsmith.profiles import Profile
    from switchgear import Governor

__all__ = ["Estimate", "LayerEstimate", "estimate"]

_CHARACTERS_A_TOKEN = 3
_FRAME = 300  # instructions and schema


class LayerEstimate(NamedTuple):
    """At most so many tokens in and out over *calls* calls; *usd* None: the model has no known price."""

    layer: str
    calls: int
    input_tokens: int
    output_tokens: int
    usd: Decimal | None


class Estimate(NamedTuple):
    """An upper bound by the size of the inputs; repairs of invalid answers, which are rare, are not in it."""

    layers: tuple[LayerEstimate, ...]

    @property
    def usd(self) -> Decimal | None:
        """The sum; None: a price is not known."""
        known = [one.usd for one in self.layers if one.usd is not None]
        return sum(known, start=type(known[0])(0)) if known and len(known) == len(self.layers) else None


def estimate(governor: Governor, order: Order) -> Estimate:
    """Return what *order* could cost. With ``by_fit``, as if the fit were good."""
    start = profile_for(order.profile)
    end = PROFILES["quality"] if order.profile == BY_FIT else start
    posting = min(len(order.posting.text), start.posting_characters)
    needs = [("posting", 1, posting, start)]
    if start.reads_needs:
        needs.append(("needs", 1, posting, start))
    said = sorted((len(one.text) for one in order.cv.statements()), reverse=True)
    if start.judges_fit:
        needs.append(("fit", 1, sum(said[: start.statements]) + posting // 2, start))
    needs.append(("draft", 1 + end.rewrites, sum(said[: end.statements]) + posting, end))
    return Estimate(tuple(_layer(governor, order, *need) for need in needs))


def _layer(governor: Governor, order: Order, name: str, calls: int, characters: int, profile: Profile) -> LayerEstimate:
    tokens = characters // _CHARACTERS_A_TOKEN + _FRAME
    usd = governor.quote(order.service, model=order.model, input_tokens=tokens, max_output_tokens=profile.output_tokens)
    return LayerEstimate(
        name, calls, calls * tokens, calls * profile.output_tokens, None if usd is None else calls * usd
    )
