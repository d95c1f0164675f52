"""Asking a model for an answer of a given shape, through the gate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from jobsmith.errors import JobsmithError, OutputError

if TYPE_CHECKING:
    from switchgear import Governor

__all__ = ["Asker", "ProviderError", "schema_of"]

Shape = TypeVar("Shape", bound=BaseModel)

_REPAIRS: Final = 2
_PATIENCE: Final = 5  # further tries, with 1 + 2 + 4 + 8 + 16 s between them: the breaker opens before they are used up
_OK: Final = 200
_LASTING: Final = frozenset({400, 401, 403, 404, 422})  # the same request gets the same answer
_UNSURE: Final = frozenset({"minLength", "maxLength"})  # OpenAI's strict mode does not take these


class ProviderError(JobsmithError):
    """The provider did not answer as it should; another try may help."""


class Asker:
    """Asks one model. OpenAI's protocol gets a JSON schema to keep to, Anthropic's a tool to call.

    Args:
        governor: the gate.
        service: a service of kind ``openai`` or ``anthropic``.
        model: the model's name there.
    """

    def __init__(self, governor: Governor, *, service: str, model: str) -> None:
        governor.service(service)
        self._governor: Final = governor
        self._service: Final = service
        self._model: Final = model
        self._config: Final = governor.config.services[service]
        if self._config.kind == "http":
            msg = f"the service {service!r} is of kind http; a model needs one of kind openai or anthropic"
            raise JobsmithError(msg)

    async def ask(self, layer: str, *, system: str, question: str, shape: type[Shape], max_tokens: int) -> Shape:
        """Return the answer to *question* as *shape*.

        An invalid answer is handed back to the model with what is wrong with it, twice at most.

        Raises:
            Refused: the gate says no.
            ProviderError: the provider fails.
            OutputError: the answer is still invalid.
        """
        turns: list[dict[str, str]] = [{"role": "user", "content": question}]
        problems: tuple[str, ...] = ()
        async with self._governor.async_http_client(self._service, refusals="raise") as client:
            for _ in range(1 + _REPAIRS):
                said = await self._patiently(client, self._body(system, turns, shape, max_tokens))
                try:
                    return shape.model_validate_json(said)
                except ValidationError as error:
                    problems = _told(error)
                told = f"That is not valid: {'; '.join(problems)}. Answer again, with JSON of the given schema alone."
                turns = [
                    turns[0],
                    {"role": "assistant", "content": said or "(nothing)"},
                    {"role": "user", "content": told},
                ]
        raise OutputError(layer, problems)

    async def _patiently(self, client: httpx2.AsyncClient, body: dict[str, object]) -> str:
        """Return what the provider says; one that fails is asked again, until the gate or our patience ends it."""
        for tries in range(_PATIENCE):
            try:
                return await self._said(client, body)
            except ProviderError:
                await self._governor.clock.asleep(2.0**tries)
        return await self._said(client, body)

    async def _said(self, client: httpx2.AsyncClient, body: dict[str, object]) -> str:
        base = (self._config.base_url or "").rstrip("/")
        path = "/v1/messages" if self._config.kind == "anthropic" else "/v1/chat/completions"
        try:
            response = await client.post(base + path, json=body, headers={"anthropic-version": "2023-06-01"})
        except httpx2.TransportError as error:
            msg = f"{self._service} can't be reached: {type(error).__name__}"
            raise ProviderError(msg) from error
        if response.status_code in _LASTING:
            msg = f"{self._service} answers {response.status_code} to {self._model}: {response.text[:200]}"
            raise JobsmithError(msg)
        if response.status_code != _OK:
            msg = f"{self._service} answers {response.status_code}"
            raise ProviderError(msg)
        try:
            return _content(response.json(), self._config.kind)
        except ValueError:
            return ""

    def _body(
        self, system: str, turns: list[dict[str, str]], shape: type[BaseModel], max_tokens: int
    ) -> dict[str, object]:
        make = self._messages if self._config.kind == "anthropic" else self._chat
        return make(system, turns, shape, max_tokens)

    def _chat(
        self, system: str, turns: list[dict[str, str]], shape: type[BaseModel], max_tokens: int
    ) -> dict[str, object]:
        is_openai = (self._config.provider or self._service) == "openai"
        limit = "max_completion_tokens" if is_openai else "max_tokens"
        form = {"name": shape.__name__, "strict": True, "schema": schema_of(shape, bare=is_openai)}
        return {
            "model": self._model,
            "messages": [{"role": "system", "content": system}, *turns],
            "response_format": {"type": "json_schema", "json_schema": form},
            limit: max_tokens,
            **({} if is_openai else {"temperature": 0}),
        }

    def _messages(
        self, system: str, turns: list[dict[str, str]], shape: type[BaseModel], max_tokens: int
    ) -> dict[str, object]:
        tool = {"name": "answer", "description": "Hand in the answer.", "input_schema": schema_of(shape)}
        return {
            "model": self._model,
            "max_tokens": max_tokens,
            "system": system,
            "messages": turns,
            "tools": [tool],
            "tool_choice": {"type": "tool", "name": "answer"},
        }


def schema_of(shape: type[BaseModel], *, bare: bool = False) -> dict[str, Any]:
    """Return the JSON schema of *shape*, closed and whole in itself; *bare*: without what not every provider takes."""
    found = shape.model_json_schema()
    definitions = found.pop("$defs", {})

    def made(node: Any) -> Any:  # noqa: ANN401 - any JSON
        if isinstance(node, list):
            return [made(one) for one in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return made(definitions[node["$ref"].rpartition("/")[2]])
        left_out = {"title", "default", "description"} | (_UNSURE if bare else set())
        kept = {key: made(value) for key, value in node.items() if key not in left_out or key == "properties"}
        if "properties" in node:
            kept["properties"] = {name: made(value) for name, value in node["properties"].items()}
            kept["required"] = list(node["properties"])
            kept["additionalProperties"] = False
        return kept

    schema: dict[str, Any] = made(found)
    return schema


def _content(answer: Any, kind: str) -> str:  # noqa: ANN401 - whatever the provider answers
    """Return the JSON text in *answer*, "" if there is none."""
    try:
        if kind == "anthropic":
            blocks = [block for block in answer["content"] if block.get("type") == "tool_use"]
            return json.dumps(blocks[0]["input"], ensure_ascii=False) if blocks else ""
        said = answer["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError, AttributeError):
        return ""
    return said if isinstance(said, str) else ""


def _told(error: ValidationError) -> tuple[str, ...]:
    found = error.errors(include_input=False, include_url=False)[:5]
    return tuple(": ".join(filter(None, (".".join(map(str, one["loc"])), one["msg"]))) for one in found)
