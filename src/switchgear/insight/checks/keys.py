"""The keys that the configuration names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from switchgear.insight.checks.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from switchgear.config.model import Config

__all__ = ["check_keys"]


def check_keys(config: Config, environ: Mapping[str, str]) -> Iterator[Finding]:
    """A key that is named must be there; where none is named, the caller's own passes through."""
    for name, service in config.services.items():
        if (variable := service.api_key_env) is not None:
            if environ.get(variable):
                yield Finding("ok", name, f"key from {variable}")
            else:
                yield Finding("fail", name, f"{variable} is not set", f"export {variable}=...")
        elif (file := service.api_key_file) is not None:
            yield _file(name, Path(file))
        elif config.server.require_keys and service.base_url is not None:
            what = "it has no provider key, and require_keys keeps callers from bringing theirs"
            yield Finding("warn", name, what, f"set services.{name}.api_key_env, unless it wants none")


def _file(name: str, path: Path) -> Finding:
    try:
        is_empty = not path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is no text"
        return Finding("fail", name, f"its key file {path}: {reason}", f"correct services.{name}.api_key_file")
    if is_empty:
        return Finding("fail", name, f"its key file {path} is empty", f"correct services.{name}.api_key_file")
    return Finding("ok", name, f"key from {path}")
