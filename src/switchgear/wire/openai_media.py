"""OpenAI's images and audio: what a request for them can use at most, and what it came to.

Source: https://platform.openai.com/docs/api-reference/images and /audio
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.calls import Usage
from switchgear.wire.bodies import Said
from switchgear.wire.fields import Fields, Number, whole
from switchgear.wire.forms import read_form
from switchgear.wire.openai_counts import Counts
from switchgear.wire.outcomes import blame
from switchgear.wire.sse import Event  # noqa: TC001 - the protocol's signature
from switchgear.wire.streams import Fate, Tally
from switchgear.wire.sums import plus

if TYPE_CHECKING:
    from switchgear.wire.base import RequestFacts, Surface
    from switchgear.wire.forms import Form

__all__ = ["IMAGE_OUTPUT", "MEDIA", "MediaTally", "media_facts", "read_media"]

MEDIA: Final = frozenset({"images", "speech", "transcription"})

IMAGE_OUTPUT: Final = 16_384
"""Output tokens for one image at most: gpt-image-1 takes up to 6,240, and 100 for each of three previews."""

IMAGE_INPUT: Final = 12_000
"""Input tokens for one image at most."""

_AUDIO_BYTES_PER_TOKEN: Final = 48
_AUDIO_BYTES_PER_SECOND: Final = 480
"""Of a file of 6 kbit/s, the least that anyone sends, and a third less; models take about ten tokens a second."""

_SPEECH_TOKENS_PER_CHARACTER: Final = 8
_LEAST_SPEECH: Final = 1000
_USUAL_SPEECH: Final = (7, 5)
"""Tokens of speech for a character: 1,250 a minute at 15 characters a second. At most: six times as slow."""

_BY_TOKENS: Final = ("gpt-", "chatgpt-")


class _Request(msgspec.Struct):
    model: str | None = None
    stream: bool | None = None
    stream_format: str | None = None
    n: Number = None
    input: str | None = None
    instructions: str | None = None


class _Error(msgspec.Struct):
    type: str | None = None
    code: str | int | None = None


class _Answer(msgspec.Struct):
    model: str | None = None
    usage: Counts | None = None
    data: list[msgspec.Raw] | None = None
    duration: Number = None
    error: _Error | str | None = None


class _Event(msgspec.Struct):
    type: str | None = None
    delta: str | None = None
    usage: Counts | None = None
    error: _Error | str | None = None
    code: str | int | None = None


_ONE_IMAGE: Final = Usage(units=(("images", 1),))
_REQUEST: Final = Fields(_Request)
_ANSWER: Final = Fields(_Answer)
_EVENT: Final = Fields(_Event)


def media_facts(facts: RequestFacts, *, surface: Surface, content_type: str | None, body: bytes) -> RequestFacts:
    """Return *facts*, which know the path alone, with what the body of a request for *surface* says."""
    form = read_form(content_type, body)
    asked = _from_form(form) if form is not None else _REQUEST.read(body) if body else None
    if asked is None:
        return msgspec.structs.replace(facts, surface=surface, input_bounded=False)
    model = facts.model or asked.model or None
    text = len(body) if form is None else form.text_bytes
    if surface == "images":
        bound, counted = _images(model, asked, text, files=0 if form is None else len(form.files))
    elif surface == "speech":
        bound, counted = _speech(model, asked, text)
    else:
        bound, counted = _transcription(text, sum(form.files) if form is not None else len(body)), None
    by_tokens = (model or "").startswith(_BY_TOKENS)
    return msgspec.structs.replace(
        facts,
        surface=surface,
        model=model,
        streamed=bool(asked.stream) or asked.stream_format == "sse",
        bound=bound,
        counted=counted,
        counted_exactly=not by_tokens,
        max_output_given=surface != "transcription",
        is_json=form is None,
    )


def _from_form(form: Form) -> _Request:
    said = form.fields
    n = said.get("n", "")
    return _Request(
        model=said.get("model") or None,
        stream=said.get("stream", "").lower() == "true",
        n=int(n) if n.isdecimal() and len(n) < 6 else None,  # noqa: PLR2004 - no number of images is longer
    )


def _images(model: str | None, asked: _Request, text: int, *, files: int) -> tuple[Usage, Usage | None]:
    images = max(1, whole(asked.n))
    seen = files * IMAGE_INPUT
    bound = Usage(
        input_tokens=text + seen,
        output_tokens=images * IMAGE_OUTPUT,
        units=(("images", images), ("input_image_tokens", seen), ("output_image_tokens", images * IMAGE_OUTPUT)),
    )
    by_tokens = (model or "").startswith(_BY_TOKENS)
    return bound, None if by_tokens else Usage(units=(("images", images),))


def _speech(model: str | None, asked: _Request, text: int) -> tuple[Usage, Usage | None]:
    characters = len(asked.input or "")
    if not characters:
        return Usage(input_tokens=text), None
    units = (("input_characters", characters),)
    if not (model or "").startswith(_BY_TOKENS):
        said = Usage(units=units)
        return said, said
    most = max(_LEAST_SPEECH, characters * _SPEECH_TOKENS_PER_CHARACTER)
    bound = Usage(input_tokens=text, output_tokens=most, units=units)
    times, over = _USUAL_SPEECH
    written = characters + len(asked.instructions or "")
    usual = Usage(input_tokens=-(-written // 4), output_tokens=-(-characters * times // over), units=units)
    return bound, usual


def _transcription(text: int, sound: int) -> Usage:
    tokens = 1 + sound // _AUDIO_BYTES_PER_TOKEN
    units = (("audio_seconds", 1 + sound // _AUDIO_BYTES_PER_SECOND), ("input_audio_tokens", tokens))
    return Usage(input_tokens=text + tokens, units=units)


def read_media(facts: RequestFacts, body: bytes) -> Said | None:
    """Read a body that is no stream; None: it is no JSON."""
    said = _ANSWER.read(body)
    if said is None:
        return None
    error, at_fault = (None, False) if said.error is None else _blame(said.error)
    usage = said.usage.usage() if said.usage else None
    if usage is None and said.duration is not None:
        usage = Usage(units=(("audio_seconds", whole(said.duration)),))
    images = Usage(units=(("images", len(said.data)),)) if said.data and facts.surface == "images" else None
    if images is not None and usage is not None:
        usage = plus(usage, images)
    elif images is not None and facts.counted is not None:
        usage = images
    return Said(
        usage=usage,
        model=said.model,
        error=error,
        at_fault=at_fault,
        cost=said.usage.billed if said.usage else None,
    )


class MediaTally(Tally):
    """The events of a streamed image, speech or transcript; each that is done brings its usage."""

    max_event = 8 << 20

    def __init__(self, facts: RequestFacts) -> None:
        super().__init__()
        self._images = facts.surface == "images"
        self._left = max(1, dict(facts.bound.units).get("images", 1)) if self._images else 1
        self._has_text = facts.surface == "transcription"

    def read(self, event: Event) -> Fate:
        said = _EVENT.read(event.data)
        kind = "" if said is None else said.type or ""
        if said is None:
            self.add_text(1)
        elif kind.endswith((".delta", ".partial_image", ".segment")):
            self.add_text(len((said.delta or "").encode("utf-8", "surrogatepass")) if self._has_text else 1)
        elif kind.endswith((".done", ".completed")):
            self.add_text(1)
            return self._done(said)
        elif kind == "error" or said.error is not None:
            label, at_fault = _blame(said.error or _Error(code=said.code))
            self.fail(label, at_fault=at_fault)
            return Fate.LAST
        return Fate.PASS

    def _done(self, said: _Event) -> Fate:
        usage = said.usage.usage() if said.usage else None
        if usage is not None:
            if self._images:
                usage = plus(usage, _ONE_IMAGE)
            self.usage = usage if self.usage is None else plus(self.usage, usage)
            self.final = True
        self._left -= 1
        self.finished = self._left <= 0
        return Fate.LAST if self.finished else Fate.PASS

    def _estimate(self, facts: RequestFacts) -> Usage | None:
        return super()._estimate(facts) if self._has_text else facts.counted


def _blame(error: _Error | str) -> tuple[str, bool]:
    return blame(error) if isinstance(error, str) else blame(error.type, error.code)
