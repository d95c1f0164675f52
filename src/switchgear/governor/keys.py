"""Provider keys: from the environment or a file, and never written anywhere."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from switchgear.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.config.model import Config

__all__ = ["ProviderKeys", "provider_keys"]

_log = logging.getLogger("switchgear.keys")

_Seen = tuple[int, int, int]


class _KeyFile:
    """The key in a file, read again when the file has changed. While it can't be read, the last one holds."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._lock: Final = threading.Lock()
        self._seen = self._look()
        self._key = path.read_text(encoding="utf-8").strip()

    def key(self) -> str:
        try:
            seen = self._look()
            if seen != self._seen:
                with self._lock:
                    key = self._path.read_text(encoding="utf-8").strip()
                    self._key, self._seen = key or self._key, seen
        except (OSError, UnicodeDecodeError) as error:
            _log.warning("a key file can't be read (%s); the key read before holds", type(error).__name__)
        return self._key

    def _look(self) -> _Seen:
        found = self._path.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino


class ProviderKeys(Mapping[str, str]):
    """The key of each service that names one and has it; the callers of the others bring their own.

    Args:
        fixed: keys that stay as they are.
        files: those that are read again when their file changes.
    """

    def __init__(self, fixed: Mapping[str, str], files: Mapping[str, _KeyFile]) -> None:
        self._fixed: Final = fixed
        self._files: Final = files

    def __getitem__(self, service: str) -> str:
        file = self._files.get(service)
        key = self._fixed.get(service) if file is None else file.key()
        if not key:
            raise KeyError(service)
        return key

    def __iter__(self) -> Iterator[str]:
        return (name for name in (*self._fixed, *self._files) if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, service: object) -> bool:
        return isinstance(service, str) and self.get(service) is not None

    def __repr__(self) -> str:
        return f"<keys of {', '.join(self) or 'no service'}>"


def provider_keys(config: Config, environ: Mapping[str, str]) -> ProviderKeys:
    """Return the key of each service that names one and has it.

    Raises:
        ConfigError: a key file can't be read.
    """
    fixed: dict[str, str] = {}
    files: dict[str, _KeyFile] = {}
    for name, service in config.services.items():
        if service.api_key_env is not None:
            fixed[name] = environ.get(service.api_key_env, "").strip()
        elif service.api_key_file is not None:
            try:
                files[name] = _KeyFile(Path(service.api_key_file))
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "is no text"
                msg = f"services.{name}.api_key_file: {service.api_key_file}: {reason}"
                raise ConfigError(msg) from None
    return ProviderKeys(fixed, files)
