"""Provider keys: read once from the environment or a file, and never written anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from switchgear.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchgear.config.model import Config

__all__ = ["provider_keys"]


def provider_keys(config: Config, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the key of each service that names one and has it; the others' callers bring their own.

    Raises:
        ConfigError: a key file can't be read.
    """
    keys: dict[str, str] = {}
    for name, service in config.services.items():
        key: str | None = None
        if service.api_key_env is not None:
            key = environ.get(service.api_key_env)
        elif service.api_key_file is not None:
            try:
                key = Path(service.api_key_file).read_text(encoding="utf-8").strip()
            except OSError as error:
                msg = f"services.{name}.api_key_file: {service.api_key_file}: {error.strerror}"
                raise ConfigError(msg) from None
        if key:
            keys[name] = key
    return keys
