from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from switchgear.config.model import Config, ServerConfig
from switchgear.errors import ConfigError
from switchgear.server import Server
from switchgear.server.listening import require_guarded, require_guards
from switchgear.web.auth.passwords import hash_password
from switchgear.web.auth.users import User
from switchgear.web.auth.users_file import save_users

if TYPE_CHECKING:
    from pathlib import Path


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


@pytest.mark.parametrize(
    ("server", "gateway", "missing"),
    [
        ({"hosts": ["switchgear.test"]}, True, "keys for the gateway and a password for the dashboard"),
        ({"hosts": ["switchgear.test"], "users_file": "users"}, True, "keys for the gateway"),
        ({"hosts": ["switchgear.test"], "require_keys": True}, False, "a password for the dashboard"),
    ],
)
def test_a_name_for_others_needs_both_too(server: dict[str, object], gateway: bool, missing: str) -> None:  # noqa: FBT001 - the cases
    """Behind a proxy on this machine the address is a loopback one, and others come all the same."""
    with pytest.raises(ConfigError, match=f"^server.hosts switchgear.test: this server has not got {missing}, so"):
        require_guards(ServerConfig.model_validate(server), "127.0.0.1", gateway=gateway)


def test_pages_alone_need_no_keys() -> None:
    """Who serves no gateway has nothing that keys would guard."""
    require_guards(ServerConfig(users_file="users", hosts=("switchgear.test",)), "0.0.0.0", gateway=False)  # noqa: S104 - the point of it
    require_guards(ServerConfig(users_file="users", require_keys=True), "0.0.0.0", gateway=True)  # noqa: S104 - as above


@pytest.mark.e2e
def test_a_server_for_others_answers_to_its_names_and_asks_for_both(tmp_path: Path) -> None:
    """Off loopback: a key for the gateway, a password for the pages, and no other host's name."""
    users = tmp_path / "users"
    save_users(users, {"ada": User(name="ada", role="admin", digest=hash_password("correct horse"))})
    config = Config.model_validate(
        {
            "server": {"users_file": str(users), "require_keys": True, "hosts": ["switchgear.test"]},
            "ledger": {"url": f"sqlite:///{tmp_path}/l.db"},
        }
    )
    with Server(config, host="0.0.0.0", port=0) as server, httpx2.Client(trust_env=False) as client:  # noqa: S104 - the point of it
        url = server.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - is replaced

        def ask(path: str, host: str, **more: Any) -> int:  # noqa: ANN401 - what the client takes
            return client.get(url + path, headers={"host": host}, **more).status_code

        assert ask("/healthz", "switchgear.test:8400") == 200
        assert ask("/healthz", "Switchgear.TEST") == 200
        assert ask("/healthz", "192.0.2.7:8400") == 200
        assert ask("/healthz", "[2001:db8::1]:8400") == 200
        assert ask("/healthz", "evil.test") == 421
        assert ask("/healthz", "switchgear.test.evil.test") == 421
        assert ask("/calls", "switchgear.test") == 303
        assert ask("/api/calls", "switchgear.test") == 401
        assert ask("/api/calls", "switchgear.test", auth=("ada", "correct horse")) == 200
        assert ask("/openai/v1/models", "switchgear.test", auth=("ada", "correct horse")) == 401


@pytest.mark.e2e
def test_on_loopback_only_an_address_of_others_is_not_answered(tmp_path: Path) -> None:
    """Nothing can have reached it under that address."""
    with Server(Config.model_validate({"ledger": {"url": f"sqlite:///{tmp_path}/l.db"}}), port=0) as server:
        answer = httpx2.get(f"{server.url}/healthz", headers={"host": "192.0.2.7"}, trust_env=False)

        assert answer.status_code == 421
