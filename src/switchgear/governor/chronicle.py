"""What the audit trail has of processes and their configuration: who started and stopped, and what was changed."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

from switchgear.ledger.rows import Entry
from switchgear.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from switchgear.clock import Clock
    from switchgear.config.model import Config
    from switchgear.ledger import Ledger

__all__ = ["note_config", "note_start", "note_stop", "settings_of", "user"]

_HIDDEN: Final = "***"
_SECRET_NAMES: Final = ("secret", "password", "token", "hash", "sha256")


def user() -> str:
    """Return the name of the system's user that this process runs as."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


def note_start(ledger: Ledger, config: Config, clock: Clock) -> None:
    """Record that this process writes to *ledger* from now on, and what *config* has changed since the last one."""
    note_config(ledger, config, clock, actor=user(), reason="the configuration at the start of the process")
    ledger.record(_process("process_started", clock))


def note_stop(ledger: Ledger, clock: Clock) -> None:
    """Record that this process is going to close *ledger*."""
    ledger.record(_process("process_stopped", clock))


def note_config(ledger: Ledger, config: Config, clock: Clock, *, actor: str, reason: str) -> bool:
    """Record what *config* says otherwise than the configuration that is on record; return whether it does.

    Raises:
        LedgerError: the ledger can't be read.
    """
    settings = settings_of(config)
    last = ledger.reader.trail.newest("config_changed")
    before = None if last is None else last.what.get("settings")
    if before == settings:
        return False
    old: Mapping[str, Any] = before if isinstance(before, dict) else {}
    changes = {
        name: {"old": old.get(name), "new": settings.get(name)}
        for name in sorted(old.keys() | settings.keys())
        if old.get(name) != settings.get(name)
    }
    what = {
        "actor": actor,
        "reason": reason if old else "the first configuration on record",
        "changes": changes if old else {},
        "settings": settings,
    }
    ledger.record(Entry(kind="config_changed", subject="configuration", at=clock.moment().wall, what=what)).wait()
    return True


def settings_of(config: Config) -> dict[str, Any]:
    """Return every key of *config* with its value, those of a list by the name of the item; no secret is in it."""
    return dict(_flat("", config.model_dump(mode="json")))


def _flat(path: str, value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _flat(f"{path}.{name}" if path else str(name), each)
    elif isinstance(value, list) and value and all(isinstance(each, dict) and "name" in each for each in value):
        for each in value:
            yield from _flat(f"{path}.{each['name']}", {key: one for key, one in each.items() if key != "name"})
    else:
        yield path, _harmless(path, value)


def _harmless(path: str, value: object) -> object:
    last = path.rpartition(".")[2]
    if value is not None and any(last == word or last.endswith(f"_{word}") for word in _SECRET_NAMES):
        return _HIDDEN
    if isinstance(value, str) and "://" in value:
        # The path of a webhook is its secret, with many.
        return _without_secrets(value) if not path.startswith("alerts.channels.") else _place_of(value)
    return [_harmless(path, each) for each in value] if isinstance(value, list) else value


def _without_secrets(url: str) -> str:
    """Return *url* without user, password, and the values of its query."""
    parts = urlsplit(url)
    place = f"{_HIDDEN}@{parts.netloc.rpartition('@')[2]}" if "@" in parts.netloc else parts.netloc
    return urlunsplit(parts._replace(netloc=place, query=_HIDDEN if parts.query else ""))


def _place_of(url: str) -> str:
    """Return the scheme and the host of *url*."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/{_HIDDEN}"


def _process(kind: str, clock: Clock) -> Entry:
    pid = os.getpid()
    what = {"actor": user(), "pid": pid, "version": __version__}
    return Entry(kind=kind, subject=f"process {pid}", at=clock.moment().wall, what=what)
