from __future__ import annotations

import pytest

from switchgear.errors import ConfigError
from switchgear.server.listening import require_guarded


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_guard(host: str) -> None:
    """Who is on this machine is trusted."""
    require_guarded(host, keys=False, password=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "example.com"])  # noqa: S104 - to be turned down
@pytest.mark.parametrize(
    ("keys", "password", "missing"),
    [
        (False, False, "keys for the gateway and a password for the dashboard"),
        (True, False, "a password for the dashboard"),
        (False, True, "keys for the gateway"),
    ],
)
def test_beyond_it_both_ways_in_are_guarded(host: str, keys: bool, password: bool, missing: str) -> None:  # noqa: FBT001 - the cases
    """The address and what is missing are named."""
    with pytest.raises(ConfigError, match=f"^server.host {host}: this server has not got {missing}, so it listens"):
        require_guarded(host, keys=keys, password=password)


def test_with_both_any_address_will_do() -> None:
    """Keys and a password: the network may come."""
    require_guarded("0.0.0.0", keys=True, password=True)  # noqa: S104 - the point of it
