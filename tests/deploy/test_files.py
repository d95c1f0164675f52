"""What is in deploy/: checked by the tools that will read it, as far as they are here, and by our own code."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own

from switchgear.cli.root import root
from switchgear.config import Config, load_text

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
FILES: Final = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".json")
PAGE: Final = ROOT / "docs" / "deployment.md"
CONFIGS: Final = sorted((DEPLOY / "config").glob("*.toml"))
UNIT: Final = DEPLOY / "systemd" / "switchgear.service"


def texts() -> dict[str, str]:
    """Return every file that says how to run Switchgear, by its name."""
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in [*FILES, PAGE]}


def documents(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the documents of the YAML files in *kind*."""
    for path in sorted((DEPLOY / kind).iterdir()):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            yield path.name, document


def pods() -> dict[str, dict[str, Any]]:
    """Return the pod of each Kubernetes file."""
    return {name: one["spec"]["template"]["spec"] for name, one in documents("kubernetes") if "template" in one["spec"]}


def config_of(path: Path) -> Config:
    """Return the configuration in *path*."""
    return load_text(path.read_text(encoding="utf-8"), environ={})


def commands() -> list[tuple[str, str]]:
    """Return every ``switchgear ...`` that a file or the page shows, with where."""
    nouns = "serve|users|ledger|db|drill|config|doctor|keys|services"
    pattern = re.compile(rf"(?:^|[`\s/])switchgear ((?:{nouns})\b[^`#&|]*)")
    return [
        (name, match[1].strip())
        for name, text in texts().items()
        for line in text.splitlines()
        for match in pattern.finditer(line)
    ]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_configuration_is_valid_and_guarded(path: Path) -> None:
    """Our own reader takes it, and it asks both programs and people who they are."""
    config = config_of(path)

    assert config.server.require_keys
    assert config.server.users_file is not None
    assert config.budgets


def test_every_command_that_is_shown_exists() -> None:
    """Its words are commands, and its options are theirs."""
    shown = commands()
    assert len(shown) > 8
    for name, command in shown:
        words = shlex.split(command)
        at: click.Command = root
        while isinstance(at, click.Group) and words:
            child = at.get_command(click.Context(root), words[0])
            assert child is not None, f"{name}: no command {words[0]!r} in {command!r}"
            at, words = child, words[1:]
        options = {option for parameter in at.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, f"{name}: {command}"


def test_every_variable_that_is_set_is_one_of_ours() -> None:
    """A SWITCHGEAR_SECTION__KEY that a file sets is a key, with a value that it can have."""
    found = [
        (name, match[1], match[2])
        for name, text in texts().items()
        for match in re.finditer(r"(SWITCHGEAR_\w+__\w+)[\"']?(?:=|,? value: |: )[\"']?([^\s\"'},]+)", text)
    ]
    assert found
    for name, variable, value in found:
        load_text("", environ={variable: value})
        assert name


def test_the_arguments_of_containers_are_ours() -> None:
    """What a Kubernetes file or the image starts is a command with options that exist."""
    started = [container["args"] for pod in pods().values() for container in pod["containers"]]
    image = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    started.append(re.findall(r'"([^"]+)"', re.findall(r"^CMD (\[.*\])$", image, re.MULTILINE)[0]))
    for arguments in started:
        serve = root.get_command(click.Context(root), arguments[0])
        assert serve is not None
        assert serve.make_context(arguments[0], [*arguments[1:]], resilient_parsing=True) is not None
        assert arguments == ["serve", "--config", "/etc/switchgear/switchgear.toml"]


@pytest.mark.parametrize("name", pods())
def test_no_probe_restarts_on_an_outage_of_somebody_else(name: str) -> None:
    """What restarts asks /healthz alone, which knows the process and nothing else; what routes asks /readyz."""
    for container in pods()[name]["containers"]:
        for probe, path in (("livenessProbe", "/healthz"), ("startupProbe", "/healthz"), ("readinessProbe", "/readyz")):
            assert container[probe]["httpGet"]["path"] == path
    image = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    assert image.count("/healthz") == 1
    assert "/readyz" not in image
    assert "/api/health" not in image


@pytest.mark.parametrize("name", pods())
def test_a_pod_has_no_rights_that_it_does_not_need(name: str) -> None:
    """Not root, a root file system that can't be written, no capability, no token of the cluster."""
    pod = pods()[name]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["automountServiceAccountToken"] is False
    for container in [*pod["containers"], *pod["initContainers"]]:
        allowed = container["securityContext"]
        assert allowed["readOnlyRootFilesystem"] is True
        assert allowed["allowPrivilegeEscalation"] is False
        assert allowed["capabilities"] == {"drop": ["ALL"]}


def test_every_mount_has_its_volume() -> None:
    """No pod mounts what it does not have."""
    for name, document in documents("kubernetes"):
        if "template" not in document["spec"]:
            continue
        pod = document["spec"]["template"]["spec"]
        claims = {claim["metadata"]["name"] for claim in document["spec"].get("volumeClaimTemplates", ())}
        volumes = {volume["name"] for volume in pod["volumes"]} | claims
        mounted = {
            mount["name"] for one in [*pod["containers"], *pod["initContainers"]] for mount in one["volumeMounts"]
        }
        assert mounted <= volumes, name


def test_whoever_ends_it_waits_longer_than_calls_in_flight_may_take() -> None:
    """Containers, pods and the unit have more patience than server.shutdown_timeout."""
    longest = max(config_of(path).server.shutdown_timeout for path in CONFIGS) / 1e6
    patience = [pod["terminationGracePeriodSeconds"] for pod in pods().values()]
    patience += [
        int(document["services"]["switchgear"]["stop_grace_period"][:-1]) for _, document in documents("compose")
    ]
    patience.append(int(re.findall(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)[0]))

    assert len(patience) == 5
    assert min(patience) > longest


def test_compose_files_name_files_that_are_there_and_publish_to_this_machine_alone() -> None:
    """Each file they mount is in deploy/, each published port is on loopback, each service restarts by itself."""
    for name, document in documents("compose"):
        for service in document["services"].values():
            sources = [volume.split(":")[0] for volume in service.get("volumes", ())]
            for source in sources:
                there = source in document["volumes"] or (DEPLOY / "compose" / source).exists()
                assert there or source == "../grafana", f"{name}: {source}"
            assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
            assert service["restart"] == "unless-stopped"
            assert set(service.get("secrets", ())) <= set(document["secrets"])
        assert document["services"]["switchgear"]["read_only"] is True
        assert document["services"]["switchgear"]["cap_drop"] == ["ALL"]


def test_the_image_runs_as_nobody_special_and_keeps_its_root_as_it_is() -> None:
    """The user is a number, so that Kubernetes can see that it is not root; all that is written is in the volume."""
    image = (DEPLOY / "Containerfile").read_text(encoding="utf-8")

    assert re.search(r"^USER 10001$", image, re.MULTILINE)
    assert re.search(r"^VOLUME /var/lib/switchgear$", image, re.MULTILINE)
    extras = re.findall(r"\$\{wheel\}\[([\w,]+)\]", image)[0].split(",")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert all(re.search(rf"^{extra} = \[", project, re.MULTILINE) for extra in extras)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_unit_and_finds_it_hardened(tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say, and the exposure is below 2 of 10."""
    text = UNIT.read_text(encoding="utf-8").replace(
        "/opt/switchgear/bin/switchgear", shutil.which("true") or "/bin/true"
    )
    unit = tmp_path / "switchgear.service"
    unit.write_text(text, encoding="utf-8")
    verified = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    security = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", str(unit)]
    assert subprocess.run(security, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_nginx_takes_its_configuration(tmp_path: Path) -> None:
    """`nginx -t` accepts it with a certificate in place."""
    key, certificate = tmp_path / "privkey.pem", tmp_path / "fullchain.pem"
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=switchgear.example.com",
        "-days",
        "1",
    ]
    subprocess.run([*make, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    server = (DEPLOY / "proxy" / "nginx.conf").read_text(encoding="utf-8").replace("/etc/ssl/switchgear", str(tmp_path))
    if nginx_version() < (1, 25, 1):
        server = server.replace("    listen 443 ssl;\n    http2 on;\n", "    listen 443 ssl http2;\n")
    whole = tmp_path / "nginx.conf"
    whole.write_text(f"pid {tmp_path}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{server}}}\n")
    done = subprocess.run(
        ["nginx", "-t", "-c", str(whole), "-p", str(tmp_path)], capture_output=True, text=True, check=False
    )

    assert "syntax is ok" in done.stderr, done.stderr
    assert "[warn]" not in done.stderr


def nginx_version() -> tuple[int, ...]:
    """Return the version of the nginx on this machine."""
    said = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
    return tuple(map(int, re.findall(r"\d+", said)[:3]))


def test_both_proxies_let_streams_through_and_send_nothing_twice() -> None:
    """No buffer holds an event back, no call is tried again behind the gateway's back, and Host passes on."""
    nginx = (DEPLOY / "proxy" / "nginx.conf").read_text(encoding="utf-8")
    caddy = (DEPLOY / "proxy" / "Caddyfile").read_text(encoding="utf-8")

    for line in ("proxy_buffering off;", "proxy_request_buffering off;", "proxy_next_upstream off;", "gzip off;"):
        assert line in nginx
    assert "proxy_set_header Host $host;" in nginx
    assert "proxy_set_header X-Forwarded-Proto https;" in nginx
    assert "flush_interval -1" in caddy
    assert "lb_retries 0" in caddy
