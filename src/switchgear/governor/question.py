"""A call described in words, for *explain*: checked, and turned into the call that the gate is asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from switchgear.calls import Attribution, Call, Usage, new_call_id
from switchgear.clock import MICROS
from switchgear.durations import parse_duration
from switchgear.governor.planning import Cheaper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from switchgear.config.model import Config, ServiceConfig
    from switchgear.policies.pricing import PriceBook

__all__ = ["KEYS", "Question", "QuestionError", "read_question"]

_TEXTS: Final = ("service", "model", "endpoint", "job", "run", "layer", "key")
_COUNTS: Final = ("tokens", "input_tokens", "max_output_tokens")

KEYS: Final = (*_TEXTS, *_COUNTS, "units", "tags", "max_wait")
"""Everything that can be said of the call; only the service must be."""

_ENDPOINTS: Final = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages", "http": "call"}
_MOST: Final = 2**53
_LONGEST: Final = 1000


class QuestionError(ValueError):
    """A question that can't be answered.

    Attributes:
        key: which part of it is wrong.
        detail: why, as a clause.
        valid: what may stand there.
    """

    def __init__(self, detail: str, *, key: str, valid: Sequence[str] = ()) -> None:
        super().__init__(f"{key}: {detail}")
        self.key = key
        self.detail = detail
        self.valid = tuple(valid)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A call that somebody may make. *cheaper*: the same of another model, where a budget asks for that."""

    call: Call
    max_wait_us: int | None
    cheaper: Cheaper | None


def read_question(said: Mapping[str, Any], config: Config, book: PriceBook, at_us: int) -> Question:
    """Return the call that *said* describes, as it would be asked for at epoch microsecond *at_us*.

    ``tokens`` are tokens of the kind, input or output, that costs more.

    Raises:
        QuestionError: an unknown key or service, a number that is none, or negative.
    """
    unknown = next((key for key in said if key not in KEYS), None)
    if unknown is not None:
        detail = f"no such key; valid are {', '.join(KEYS)}"
        raise QuestionError(detail, key=str(unknown), valid=KEYS)
    texts = {key: _text(key, said.get(key)) for key in _TEXTS}
    service = _service(texts["service"], config)
    call = Call(
        id=new_call_id(at_us),
        service=texts["service"] or "",
        endpoint=texts["endpoint"] or _ENDPOINTS.get(service.kind, "/"),
        model=texts["model"],
        attribution=Attribution(
            job=texts["job"], run=texts["run"], layer=texts["layer"], key=texts["key"], tags=_tags(said.get("tags"))
        ),
    )
    call = msgspec.structs.replace(call, bound=_bound(said, call, book, at_us))

    def cheaper(model: str) -> Call:
        return msgspec.structs.replace(call, model=model)

    return Question(
        call=call,
        max_wait_us=_wait(said.get("max_wait")),
        cheaper=None if call.model is None else cheaper,
    )


def _service(name: str | None, config: Config) -> ServiceConfig:
    known = sorted(config.services)
    if name is None:
        detail = f"is missing; the configured ones are {', '.join(known) or 'none'}"
        raise QuestionError(detail, key="service", valid=known)
    if name not in config.services:
        detail = f"there is no service {name!r}; the configured ones are {', '.join(known) or 'none'}"
        raise QuestionError(detail, key="service", valid=known)
    return config.services[name]


def _bound(said: Mapping[str, Any], call: Call, book: PriceBook, at_us: int) -> Usage:
    counts = {key: _count(key, said[key]) for key in _COUNTS if said.get(key) is not None}
    units = _units(said.get("units"))
    if "tokens" not in counts:
        return Usage(
            input_tokens=counts.get("input_tokens", 0), output_tokens=counts.get("max_output_tokens", 0), units=units
        )
    if len(counts) > 1:
        detail = "stands for all tokens; leave it out beside input_tokens or max_output_tokens"
        raise QuestionError(detail, key="tokens")
    into = Usage(input_tokens=counts["tokens"], units=units)
    out = Usage(output_tokens=counts["tokens"], units=units)
    price = book.price(call.service, call.model, at_us)
    return into if price is not None and book.worst_case(price, into) > book.worst_case(price, out) else out


def _text(key: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
        detail = f"is a text of 1 to {_LONGEST} characters, not {_shown(value)}"
        raise QuestionError(detail, key=key)
    return value


def _count(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        detail = f"is a whole number from 0 on, not {_shown(value)}"
        raise QuestionError(detail, key=key)
    return value


def _units(value: object) -> tuple[tuple[str, int], ...]:
    pairs = _pairs("units", value, 'names and whole numbers, such as {"pages": 3}')
    return tuple((name, _count(f"units.{name}", count)) for name, count in pairs)


def _tags(value: object) -> tuple[tuple[str, str], ...]:
    pairs = _pairs("tags", value, 'names and texts, such as {"team": "search"}')
    return tuple((name, _text(f"tags.{name}", text) or "") for name, text in pairs)


def _pairs(key: str, value: object, what: str) -> list[tuple[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, dict) or not all(isinstance(name, str) and name for name in value):
        detail = f"are {what}, not {_shown(value)}"
        raise QuestionError(detail, key=key)
    return sorted(value.items())


def _wait(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MOST / MICROS:
        return round(value * MICROS)
    try:
        return parse_duration(value)
    except ValueError:
        detail = f'is a duration such as "30s" or a number of seconds from 0 on, not {_shown(value)}'
        raise QuestionError(detail, key="max_wait") from None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - a line of an error
