"""Alerts to a file: a channel of `kind = "file"`, whose url (or the variable of url_env) is the file's path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from switchgear.alerts.alert import Alert
from switchgear.alerts.channels import DeliveryError
from switchgear.alerts.message import Writing


class FileChannel:
    """Appends a line for each alert. It is called off the calls' way, one message at a time."""

    def __init__(self, name: str, url: str) -> None:
        self._name = name
        self._file = Path(url)

    def send(self, alerts: Sequence[Alert], writing: Writing, *, now: int) -> None:
        """Write one line an alert; `DeliveryError` means: try again later, it is bounded and backed off."""
        try:
            with self._file.open("a", encoding="utf-8") as file:
                file.writelines(f"{now} {alert.state} {alert.rule} {alert.labels}\n" for alert in alerts)
        except OSError as error:
            msg = f"{self._file.name} can't be written: {error.strerror}"
            raise DeliveryError(msg) from error

    def close(self) -> None:
        """Nothing is kept open."""
