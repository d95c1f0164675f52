"""Who is calling, and may they: pure rules over the keys that are known and the headers of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from switchgear import context
from switchgear.calls import NO_ATTRIBUTION, Attribution
from switchgear.errors import SwitchgearError
from switchgear.policies.key_secret import PREFIX, digest_of, is_secret, shown, the_id_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchgear.ledger.key_rows import Key, KeySecret

__all__ = ["ANYBODY", "UNKNOWN_CALLER", "Caller", "Callers", "Denied", "DeniedError", "Why"]

Why = Literal["missing", "mistyped", "unknown", "expired", "revoked", "service", "model"]

UNKNOWN_CALLER: Final[frozenset[Why]] = frozenset({"missing", "mistyped", "unknown", "expired", "revoked"})
"""These mean that nobody is known to be calling; the others, that who calls may not."""

_CARRIERS: Final = frozenset({"authorization", "x-api-key", "api-key"})
"""Headers that SDKs put a key in."""

_NOBODY: Final = digest_of("")
"""Compared with where there is no key to compare with, so that an unknown id takes as long as a wrong secret."""


class Denied(msgspec.Struct, frozen=True, kw_only=True):
    """A no before the gate is asked. *message* is one sentence, and never has a secret in it."""

    why: Why
    message: str

    @property
    def status(self) -> int:
        """401 or 403."""
        return 401 if self.why in UNKNOWN_CALLER else 403


class DeniedError(SwitchgearError):
    """Raised where a caller turns out not to be allowed what it asks for; *denied* says why."""

    def __init__(self, denied: Denied) -> None:
        super().__init__(denied.message)
        self.denied: Final = denied


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who is calling.

    Attributes:
        key: the name of its key; None: it has none of ours, and what it has goes on to the service.
        attribution: what the key says of its calls.
        fixed: calls may not say anything else.
        services: those that may be used; empty: all. Likewise *models*.
        carried: names (lower case) of the headers with one of our keys in them: these never go on.
    """

    key: str | None = None
    attribution: Attribution = NO_ATTRIBUTION
    fixed: bool = False
    services: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    carried: tuple[str, ...] = ()

    def attributed(self, said: Attribution) -> Attribution:
        """Return the attribution of a call that says *said* of itself."""
        if self.key is None:
            return said
        said = self.attribution if self.fixed else context.merged(self.attribution, said)
        return msgspec.structs.replace(said, key=self.key)

    def may_use(self, service: str) -> bool:
        """Return whether it may call *service*."""
        return not self.services or service in self.services

    def denied_service(self, service: str) -> Denied | None:
        """Return the no to a call of *service*; None: it may."""
        if self.may_use(service):
            return None
        return self._no("service", f"service {service!r}", self.services)

    def denied_model(self, model: str | None, *, billable: bool = True) -> Denied | None:
        """Return the no to a call of *model*; None: it may. Without a model only what costs nothing may go."""
        if not self.models or model in self.models or (model is None and not billable):
            return None
        what = "what names no model" if model is None else f"model {model!r}"
        return self._no("model", what, self.models)

    def _no(self, why: Why, what: str, allowed: Iterable[str]) -> Denied:
        known = ", ".join(sorted(allowed))
        return Denied(why=why, message=f"the key {self.key!r} may not use {what}; it may use: {known}")


ANYBODY: Final = Caller()
"""A caller without a key of ours."""


class Callers:
    """The keys that are known, and what is counted of those who are turned away.

    Args:
        required: whether nobody may call without a key of ours.
    """

    def __init__(self, *, required: bool = False) -> None:
        self._required: Final = required
        self._known: dict[str, tuple[Key, KeySecret, Caller]] = {}
        self.denials: Final[dict[str, int]] = {}

    def know(self, keys: Iterable[Key]) -> None:
        """Know *keys* from now on, and no others."""
        self._known = {secret.id: (key, secret, _caller(key)) for key in keys for secret in key.secrets}

    def identify(self, headers: Iterable[tuple[str, str]], now: int) -> Caller | Denied:
        """Return who sends *headers* at epoch microsecond *now*. Costs one hash at most, whatever is sent."""
        carried = [(name.lower(), value) for name, value in headers if PREFIX in value]
        given = [text for name, value in carried if name in _CARRIERS and (text := _bare(value)).startswith(PREFIX)]
        if not given:
            if self._required:
                msg = (
                    "this gateway wants a Switchgear key (sgk_...) as Authorization: Bearer or x-api-key; "
                    "`switchgear keys create NAME` makes one"
                )
                return self._denied("missing", msg)
            return Caller(carried=tuple(name for name, _ in carried)) if carried else ANYBODY
        found = self._of(given[0], now)
        if isinstance(found, Denied):
            return found
        return msgspec.structs.replace(found, carried=tuple({name for name, _ in carried}))

    def count(self, denied: Denied) -> Denied:
        """Count a no that was found later, and return it."""
        self.denials[denied.why] = self.denials.get(denied.why, 0) + 1
        return denied

    def _of(self, text: str, now: int) -> Caller | Denied:
        its_id = the_id_in(text)
        if its_id is None:
            return self._denied("mistyped", "this is no Switchgear key: it is cut short or has a typo in it")
        known = self._known.get(its_id)
        is_right = is_secret(text, _NOBODY if known is None else known[1].digest)
        if known is None or not is_right:
            return self._denied("unknown", f"the Switchgear key {shown(its_id)} is not known here")
        key, secret, caller = known
        if secret.until is not None and now >= secret.until:
            return self._denied("expired", f"{shown(its_id)} was replaced by another secret of the key {key.name!r}")
        state = key.state(now)
        if state != "active":
            return self._denied(state, f"the Switchgear key {shown(its_id)} ({key.name}) is {state}")
        return caller

    def _denied(self, why: Why, message: str) -> Denied:
        return self.count(Denied(why=why, message=message))


def _bare(value: str) -> str:
    """Return the credential in *value*, with or without its scheme."""
    scheme, _, rest = value.strip().partition(" ")
    return rest.strip() if rest and scheme.lower() == "bearer" else value.strip()


def _caller(key: Key) -> Caller:
    terms = key.terms
    return Caller(
        key=key.name,
        attribution=Attribution(
            job=terms.job, run=terms.run, layer=terms.layer, key=key.name, tags=tuple(sorted(terms.tags.items()))
        ),
        fixed=terms.fixed,
        services=frozenset(terms.services),
        models=frozenset(terms.models),
    )
