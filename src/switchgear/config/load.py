"""One TOML file and the environment become one frozen Config, or one error that tells all that is wrong."""

from __future__ import annotations

import ast
import re
import tomllib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import ValidationError

from switchgear.config.checks import problems_in
from switchgear.config.environment import overlay
from switchgear.config.lines import key_lines
from switchgear.config.model import Config
from switchgear.config.presets import PRESETS, filled
from switchgear.config.problems import Source, dotted
from switchgear.config.unavailable import unavailable
from switchgear.config.validation import problems_of
from switchgear.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Sourced", "default", "load", "load_over", "load_sourced", "load_text"]

_POSITION: Final = re.compile(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", re.DOTALL)
_TWICE: Final = re.compile(r"Cannot declare (\(.*\)) twice", re.DOTALL)


class Sourced(NamedTuple):
    """A configuration, and where each of its values comes from."""

    config: Config
    source: Source


def default() -> Config:
    """Return the configuration of a Switchgear that is told nothing: the built-in services, no budget."""
    return load(None, environ={})


def load(path: Path | None, *, environ: Mapping[str, str]) -> Config:
    """Return the configuration of the file at *path* under the ``SWITCHGEAR_...`` variables of *environ*.

    Args:
        path: a TOML file; None: defaults and *environ* alone.
        environ: usually ``os.environ``; wins over the file.

    Raises:
        ConfigError: each line of it is one problem: file and line, or variable; key; what is wrong.
    """
    return load_sourced(path, environ=environ).config


def load_sourced(path: Path | None, *, environ: Mapping[str, str]) -> Sourced:
    """Return the same as *load*, with where each value comes from; raises as *load*."""
    if path is None:
        return _loaded("", "", environ, None)
    return _loaded(_text_of(path), str(path), environ, None)


def load_over(path: Path, under: Path | None, *, environ: Mapping[str, str]) -> Config:
    """Return the configuration of the file at *path* laid over that of *under*, which must be valid.

    Tables are merged key by key; anything else that *path* names, the list of budgets too, takes the
    place of what *under* has.

    Raises:
        ConfigError: as *load*, told of *path*.
    """
    below = "" if under is None else _text_of(under)
    return load_text(_text_of(path), name=str(path), environ=environ, under=below)


def _text_of(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        msg = f"{path}: no such file; `switchgear init` writes one"
        raise ConfigError(msg) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        msg = f"{path}: can't be read: {reason}"
        raise ConfigError(msg) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        msg = f"{path}:{line}: is not UTF-8 text"
        raise ConfigError(msg) from None


def load_text(
    text: str, *, name: str = "switchgear.toml", environ: Mapping[str, str] | None = None, under: str | None = None
) -> Config:
    """Return the configuration in *text* as *load* would; *name* stands for the file in errors.

    *under* is another one, known to be valid, that it is laid over: see *load_over*.

    Raises:
        ConfigError: as *load*.
    """
    return _loaded(text, name, environ or {}, under).config


def _loaded(text: str, name: str, environ: Mapping[str, str], under: str | None) -> Sourced:
    try:
        return _checked(text, name, environ, under)
    except RecursionError:
        msg = f"{name}: is nested too deeply"
        raise ConfigError(msg) from None


def _checked(text: str, name: str, environ: Mapping[str, str], under: str | None) -> Sourced:
    try:
        data = tomllib.loads(text) if under is None else _merged(_filled_in(under), tomllib.loads(text))
    except ValueError as error:
        raise ConfigError(_syntax(str(error), text, name)) from None
    if data.get("services", {}) == {}:
        data["services"] = _built_in()
    laid = overlay(data, environ)
    _flatten_tags(data)
    source = Source(name, data, key_lines(text), laid.variables)
    if isinstance(data["services"], dict):
        data["services"] = filled(data["services"])
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        raise source.error([*laid.problems, *problems_of(error, data)]) from None
    problems = [*laid.problems, *problems_in(config), *unavailable(config)]
    if problems:
        raise source.error(problems)
    return Sourced(config, source)


def _built_in() -> dict[str, Any]:
    return {name: {} for name in PRESETS}


def _filled_in(text: str) -> dict[str, Any]:
    data = tomllib.loads(text)
    return data if data.get("services") else {**data, "services": _built_in()}


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return *above* laid over *below*."""
    found = {**below, **above}
    for key, value in above.items():
        lower = below.get(key)
        if isinstance(value, dict) and isinstance(lower, dict):
            found[key] = _merged(lower, value)
    return found


def _syntax(said: str, text: str, name: str) -> str:
    match = _POSITION.fullmatch(said)
    if match is None:
        return f"{name}: is not TOML: {said.partition(':')[0]}"
    line = match[2] or text.count("\n") + (not text.endswith("\n"))
    if twice := _TWICE.fullmatch(match[1]):
        return f"{name}:{line}: {dotted(ast.literal_eval(twice[1]))}: a second table of this name"
    if match[1] == "Cannot overwrite a value":
        return f"{name}:{line}: a second value for a key that has one"
    return f"{name}:{line}: is not TOML: {match[1]}"


def _flatten_tags(data: dict[str, Any]) -> None:
    """Write what a budget matches as the model has it, in place."""
    budgets = data.get("budgets")
    for budget in budgets if isinstance(budgets, list) else ():
        if isinstance(budget, dict) and isinstance(budget.get("match"), dict):
            budget["match"] = dict(_flat(budget["match"]))


def _flat(match: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield ``tag.team`` for a table ``tag`` that TOML made of the unquoted key ``tag.team``."""
    for key, value in match.items():
        if isinstance(value, dict) and value and (prefix or key == "tag"):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
