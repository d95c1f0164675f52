"""Ways to ask the model, each as an ordinary program would, through the providers' own SDKs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Self

import httpx2
import msgspec
from anthropic import Anthropic
from anthropic import APIStatusError as AnthropicStatusError
from openai import APIStatusError as OpenAIStatusError
from openai import OpenAI

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Clients", "Sent", "Way"]

Way = Literal["chat", "chat stream", "responses", "responses stream", "messages", "messages stream", "http"]
"""Which protocol, and whether the answer comes in pieces."""

_MAX_TOKENS: Final = 24
_ERROR: Final = 400
_REFUSED: Final = "x-switchgear-refused"


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one call, as its client saw it: *refused_by* and *failed* are both falsy when it went well."""

    service: str
    job: str
    layer: str
    text: str = ""
    refused_by: str | None = None
    failed: bool = False


class Clients:
    """Clients of a gateway; safe to use from several threads.

    Args:
        gateway: its URL.
        model: the model to ask.
    """

    def __init__(self, gateway: str, model: str) -> None:
        self._gateway: Final = gateway
        self._model: Final = model
        # Variables that name a proxy are for the way out, and this is the way to our own machine.
        self._http: Final = httpx2.Client(trust_env=False, timeout=60)
        self._ways: Final[dict[Way, Callable[[str, str, dict[str, str]], str]]] = {
            "chat": self._chat,
            "chat stream": self._chat_stream,
            "responses": self._responses,
            "responses stream": self._responses_stream,
            "messages": self._messages,
            "messages stream": self._messages_stream,
            "http": self._fetch,
        }

    def send(self, way: Way, prompt: str, *, service: str, job: str, layer: str) -> Sent:
        """Make one call and return what became of it."""
        headers = {"x-switchgear-job": job, "x-switchgear-layer": layer, "x-switchgear-run": f"demo-{job}"}
        refused_by: str | None = None
        failed, text = False, ""
        try:
            text = self._ways[way](service, prompt, headers)
        except (OpenAIStatusError, AnthropicStatusError, httpx2.HTTPStatusError) as error:
            refused_by = error.response.headers.get(_REFUSED)
            failed = refused_by is None
        return Sent(service=service, job=job, layer=layer, text=text, refused_by=refused_by, failed=failed)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After an error other threads may still read from connections, and closing one under a reader
        # leaves it waiting for ever; the end of the server wakes it.
        if kind is None:
            self._http.close()

    def _openai(self, service: str) -> OpenAI:
        # No retries: the demo counts its calls.
        url = f"{self._gateway}/{service}/v1"
        return OpenAI(base_url=url, api_key="none", max_retries=0, http_client=self._http)

    def _anthropic(self, service: str) -> Anthropic:
        return Anthropic(base_url=f"{self._gateway}/{service}", api_key="none", max_retries=0, http_client=self._http)

    def _model_of(self, service: str) -> str:
        return self._model if service.startswith("local") else "sandbox-model"

    def _chat(self, service: str, prompt: str, headers: dict[str, str]) -> str:
        answer = self._openai(service).chat.completions.create(
            model=self._model_of(service),
            messages=[{"role": "user", "content": prompt}],
            max_tokens=_MAX_TOKENS,
            temperature=0,
            extra_headers=headers,
        )
        return answer.choices[0].message.content or ""

    def _chat_stream(self, service: str, prompt: str, headers: dict[str, str]) -> str:
        events = self._openai(service).chat.completions.create(
            model=self._model_of(service),
            messages=[{"role": "user", "content": prompt}],
            max_tokens=_MAX_TOKENS,
            temperature=0,
            stream=True,
            extra_headers=headers,
        )
        return "".join(event.choices[0].delta.content or "" for event in events if event.choices)

    def _responses(self, service: str, prompt: str, headers: dict[str, str]) -> str:
        answer = self._openai(service).responses.create(
            model=self._model_of(service),
            input=prompt,
            max_output_tokens=_MAX_TOKENS,
            temperature=0,
            extra_headers=headers,
        )
        return answer.output_text

    def _responses_stream(self, service: str, prompt: str, headers: dict[str, str]) -> str:
        events = self._openai(service).responses.create(
            model=self._model_of(service),
            input=prompt,
            max_output_tokens=_MAX_TOKENS,
            temperature=0,
            stream=True,
            extra_headers=headers,
        )
        return "".join(event.delta for event in events if event.type == "response.output_text.delta")

    def _messages(self, service: str, prompt: str, headers: dict[str, str]) -> str:
        answer = self._anthropic(service).messages.create(
            model=self._model_of(service),
            messages=[{"role": "user", "content": prompt}],
            max_tokens=_MAX_TOKENS,
            extra_headers=headers,
        )
        return "".join(block.text for block in answer.content if block.type == "text")

    def _messages_stream(self, service: str, prompt: str, headers: dict[str, str]) -> str:
        with self._anthropic(service).messages.stream(
            model=self._model_of(service),
            messages=[{"role": "user", "content": prompt}],
            max_tokens=_MAX_TOKENS,
            extra_headers=headers,
        ) as stream:
            return "".join(stream.text_stream)

    def _fetch(self, service: str, prompt: str, headers: dict[str, str]) -> str:
        url = f"{self._gateway}/{service}/scrape"
        return self._http.get(url, params={"q": prompt}, headers=headers).raise_for_status().text
