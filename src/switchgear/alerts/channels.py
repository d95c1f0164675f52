"""Carries a message out: a signed webhook, an Alertmanager, or whatever apprise knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from switchgear import plugins
from switchgear.alerts.message import delivery_id, signature
from switchgear.config.kinds import CHANNELS
from switchgear.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from switchgear.alerts.alert import Alert
    from switchgear.alerts.message import Writing
    from switchgear.config.alerting import AlertChannelConfig

__all__ = ["Carrier", "DeliveryError", "carrier_of", "place_of"]

_PATIENCE: Final = 10.0
"""Seconds that a receiver gets."""

_LATER: Final = frozenset({408, 425, 429})


class DeliveryError(Exception):
    """The message did not arrive; the text says why and holds no secret. *final*: to try again is of no use."""

    def __init__(self, text: str, *, final: bool = False) -> None:
        super().__init__(text)
        self.final: Final = final


class Carrier(Protocol):
    """One channel's way out."""

    def send(self, alerts: Sequence[Alert], writing: Writing, *, now: int) -> None:
        """Send one message about *alerts*; raise DeliveryError."""

    def close(self) -> None:
        """Let go of connections."""


def carrier_of(channel: AlertChannelConfig, *, environ: Mapping[str, str], repeat_us: int) -> Carrier:
    """Return what sends the messages of *channel*.

    Raises:
        ConfigError: a variable that it names is not set, or apprise is not installed or does not know the address.
    """
    url = channel.url if channel.url is not None else _variable(channel, channel.url_env or "", environ)
    if channel.kind == "apprise":
        return _Apprise(channel.name, url)
    if channel.kind not in CHANNELS:
        made: Carrier = plugins.load("switchgear.channels", channel.kind)(channel.name, url)
        return made
    _require_address(channel, url)
    if channel.kind == "alertmanager":
        return _Alertmanager(url, hold_us=2 * repeat_us)
    secret = None if channel.secret_env is None else _variable(channel, channel.secret_env, environ)
    return _Webhook(url, secret)


def place_of(channel: AlertChannelConfig) -> str:
    """Return where *channel* leads to without what may be secret in it: the host, or the name of the variable."""
    if channel.url is None:
        return f"${channel.url_env}"
    parts = urlsplit(channel.url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/..."


class _Post:
    """Posts JSON. These are not calls to a provider, so they do not go through the gate."""

    def __init__(self, url: str) -> None:
        import httpx2

        self._url: Final = url
        self._client: Final = httpx2.Client(timeout=_PATIENCE, follow_redirects=False)

    def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        import httpx2

        try:
            answer = self._client.post(self._url, content=body, headers={"content-type": "application/json", **headers})
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            # The text of such an error may hold the address, and that a secret.
            msg = f"no answer ({type(error).__name__})"
            raise DeliveryError(msg) from None
        if not answer.is_success:
            msg = f"HTTP {answer.status_code}"
            client_error = 300 <= answer.status_code < 500  # noqa: PLR2004 - redirects and the caller's mistakes
            raise DeliveryError(msg, final=client_error and answer.status_code not in _LATER)

    def close(self) -> None:
        self._client.close()


class _Webhook:
    def __init__(self, url: str, secret: str | None) -> None:
        self._post: Final = _Post(url)
        self._secret: Final = secret

    def send(self, alerts: Sequence[Alert], writing: Writing, *, now: int) -> None:
        body = writing.webhook(alerts, now=now)
        headers = {"x-switchgear-delivery": delivery_id(alerts)}
        if self._secret is not None:
            headers["x-switchgear-signature"] = signature(self._secret, body, now=now)
        self._post.post(body, headers)

    def close(self) -> None:
        self._post.close()


class _Alertmanager:
    def __init__(self, url: str, *, hold_us: int) -> None:
        root = url.rstrip("/")
        self._post: Final = _Post(root if root.endswith("/api/v2/alerts") else f"{root}/api/v2/alerts")
        self._hold: Final = hold_us

    def send(self, alerts: Sequence[Alert], writing: Writing, *, now: int) -> None:
        self._post.post(writing.alertmanager(alerts, now=now, hold_us=self._hold), {})

    def close(self) -> None:
        self._post.close()


class _Apprise:
    def __init__(self, name: str, url: str) -> None:
        try:
            import apprise
        except ImportError:
            msg = f'alerts.channels.{name}: needs the package apprise: pip install "switchgear[alerts]"'
            raise ConfigError(msg) from None
        self._sender: Final = apprise.Apprise()
        if not self._sender.add(url):
            msg = f"alerts.channels.{name}: apprise does not know the address in the variable of url_env"
            raise ConfigError(msg)

    def send(self, alerts: Sequence[Alert], writing: Writing, *, now: int) -> None:  # noqa: ARG002 - as every carrier
        if not self._sender.notify(title=writing.title(alerts), body=writing.text(alerts)):
            msg = "apprise could not deliver it"
            raise DeliveryError(msg)

    def close(self) -> None:
        """Nothing is held."""


def _variable(channel: AlertChannelConfig, name: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name, "").strip()
    if not value:
        msg = f"alerts.channels.{channel.name}: the environment variable {name} is not set"
        raise ConfigError(msg)
    return value


def _require_address(channel: AlertChannelConfig, url: str) -> None:
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        is_address = False
    if not is_address:
        msg = f"alerts.channels.{channel.name}: what is in {channel.url_env} is no address of http or https"
        raise ConfigError(msg)
