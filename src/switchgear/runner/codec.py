"""Inputs and outputs of functions as plain JSON, by their annotations: what is stored is portable and readable."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any, Final, get_type_hints

from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

from switchgear.runner.faults import RunnerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Signature", "as_json"]

_LARGEST: Final = 16 * 1024 * 1024
"""Characters of one input or output; larger things belong into artefacts."""

_UNNAMED: Final = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.VAR_KEYWORD,
)


def as_json(value: object, what: str) -> str:
    """Return *value* as JSON text.

    Raises:
        RunnerError: it is too large, or holds something that JSON can't.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        msg = f"{what} can't be stored as JSON: {error}"
        raise RunnerError(msg) from error
    if len(text) > _LARGEST:
        msg = f"{what} has {len(text)} characters as JSON, of at most {_LARGEST}; make it an artefact"
        raise RunnerError(msg)
    return text


class Signature:
    """The parameters and the result of a function, each with what turns it into JSON and back.

    A type that pydantic does not know is taken as it is, and must be plain JSON.
    """

    def __init__(self, function: Callable[..., Any], what: str) -> None:
        self._what: Final = what
        self._signature: Final = inspect.signature(function)
        try:
            hints = get_type_hints(function, include_extras=True)
        except (NameError, TypeError) as error:
            msg = f"{what}: its annotations can't be read ({error}); the types must be importable where it is defined"
            raise RunnerError(msg) from error
        if wrong := [one.name for one in self._signature.parameters.values() if one.kind in _UNNAMED]:
            msg = f"{what}: every parameter needs a name of its own, so that it can be stored: {', '.join(wrong)}"
            raise RunnerError(msg)
        self._parameters: Final = {name: _adapter(hints.get(name, Any)) for name in self._signature.parameters}
        self._result: Final = _adapter(hints.get("return", Any))

    def dump(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments as JSON values by name.

        Raises:
            RunnerError: they do not fit the signature.
        """
        bound = self._bound(args, kwargs)
        return {name: self._json(self._parameters[name], name, value) for name, value in bound.arguments.items()}

    def check(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The same for what comes from outside: each argument is validated first, so plain JSON serves too."""
        bound = self._bound(args, kwargs)
        checked = {name: self._valid(name, value) for name, value in bound.arguments.items()}
        return {name: self._json(self._parameters[name], name, value) for name, value in checked.items()}

    def load(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments as the function takes them."""
        return {name: self._valid(name, value) for name, value in stored.items()}

    def dump_result(self, value: object) -> Any:  # noqa: ANN401 - JSON has no type
        """Return what the function returned as a JSON value."""
        return self._json(self._result, "its result", value)

    def load_result(self, stored: object) -> Any:  # noqa: ANN401 - the function's own type
        """Return what the function returned, from its JSON value."""
        if self._result is None:
            return stored
        return self._result.validate_python(stored, strict=False) if stored is None else self._loaded(stored)

    def schema(self) -> dict[str, object]:
        """Return a JSON schema of the parameters."""
        properties = {name: {} if one is None else one.json_schema() for name, one in self._parameters.items()}
        needed = [one.name for one in self._signature.parameters.values() if one.default is inspect.Parameter.empty]
        return {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}

    def _loaded(self, stored: object) -> Any:  # noqa: ANN401 - the function's own type
        assert self._result is not None  # noqa: S101 - asked before
        return self._result.validate_json(json.dumps(stored))

    def _bound(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
        try:
            return self._signature.bind(*args, **kwargs)
        except TypeError as error:
            msg = f"{self._what}: {error}"
            raise RunnerError(msg) from error

    def _valid(self, name: str, value: object) -> Any:  # noqa: ANN401 - the function's own type
        adapter = self._parameters.get(name)
        if adapter is None:
            return value
        try:
            return adapter.validate_python(value) if not _plain(value) else adapter.validate_json(json.dumps(value))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join([name, *(str(part) for part in first["loc"])])
            msg = f"{self._what}: {place}: {first['msg']}"
            raise RunnerError(msg) from error

    def _json(self, adapter: TypeAdapter[Any] | None, name: str, value: object) -> Any:  # noqa: ANN401 - JSON has no type
        if adapter is None:
            return value
        try:
            return adapter.dump_python(value, mode="json")
        except ValueError as error:
            msg = f"{self._what}: {name} can't be stored as JSON: {error}"
            raise RunnerError(msg) from error


def _plain(value: object) -> bool:
    return isinstance(value, dict | list | str | int | float | bool) or value is None


def _adapter(hint: Any) -> TypeAdapter[Any] | None:  # noqa: ANN401 - an annotation
    if hint is Any or hint is inspect.Parameter.empty:
        return None
    try:
        return TypeAdapter(hint)
    except (PydanticSchemaGenerationError, PydanticUserError):
        return None
