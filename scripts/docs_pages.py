"""The pages of the site that are made from the product itself, so that they can't be out of date. A hook of mkdocs."""

from __future__ import annotations

import json
import re
import tempfile
import urllib.request
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

import switchgear
from switchgear.config import load_text
from switchgear.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

__all__ = ["on_files"]

_METHODS = ("get", "post", "put", "patch", "delete")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to those of docs/."""
    pages = {
        "decisions/index.md": decisions_page(Path(config.docs_dir) / "decisions"),
        "reference/cli.md": cli_page(),
        "reference/http.md": http_page(json.loads(_answers()["/openapi.json"])),
        "reference/metrics.md": metrics_page(_answers()["/metrics"]),
        "reference/python.md": python_page(),
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def cli_page() -> str:
    """Return the page of every command, which mkdocs-click reads from the commands themselves."""
    return """# Command line

Every command answers `--help`. It ends with 0 when all is well, 1 when it could not do it, 2 when it was asked wrongly,
3 when a check failed. Commands that show data print it for machines with `--json`.

::: mkdocs-click
    :module: switchgear.cli.root
    :command: root
    :prog_name: switchgear
    :depth: 1
    :style: table
"""


def decisions_page(folder: Path) -> str:
    """Return the list of the decisions in *folder*, oldest first."""
    lines = ["# Decisions", "", "Why it is as it is: what was chosen, against what, and what it costs.", ""]
    for path in sorted(folder.glob("0*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        lines.append(f"- [{title}]({path.name})")
    return "\n".join(lines) + "\n"


def http_page(document: Mapping[str, Any]) -> str:
    """Return the page of every route in the OpenAPI *document*."""
    lines = [
        "# HTTP API",
        "",
        "Of a running server. `/openapi.json` has it for machines. Errors are `application/problem+json`.",
        "",
    ]
    for path, operations in sorted(document["paths"].items()):
        for method in _METHODS:
            if method in operations:
                lines += _operation(method, path, operations[method])
    return "\n".join(lines) + "\n"


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"## `{method.upper()} {path}`"
    yield ""
    yield operation.get("description") or operation.get("summary") or ""
    yield ""
    parameters = operation.get("parameters", [])
    if parameters:
        yield "| parameter | in | meaning |"
        yield "|---|---|---|"
        for one in parameters:
            meaning = _cell(one.get("description") or one.get("schema", {}).get("description") or "")
            yield f"| `{one['name']}` | {one['in']} | {meaning} |"
        yield ""
    answers = sorted(operation.get("responses", {}).items())
    yield (
        "Answers: "
        + ", ".join(f"{status} ({_cell(answer.get('description', ''))})" for status, answer in answers)
        + "."
    )
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def metrics_page(exposition: str) -> str:
    """Return the page of every metric that the server's own *exposition* declares."""
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", exposition, re.MULTILINE))
    rows = [
        f"| `{name}` | {kinds.get(name, '')} | {_cell(text)} |"
        for name, text in re.findall(r"^# HELP (\S+) (.*)$", exposition, re.MULTILINE)
    ]
    head = """# Metrics

At `/metrics`, for Prometheus. Counters come from the ledger: a restart never resets them. Labels are bounded by the
configuration.

| metric | type | meaning |
|---|---|---|
"""
    return head + "\n".join(sorted(rows)) + "\n"


def python_page() -> str:
    """Return the page of every name that the package exports."""
    names = [name for name in switchgear.__all__ if not name.startswith("__")]
    lines = ["# Python", "", "`import switchgear as sg`. What is not here is not public.", ""]
    for name in names:
        lines += [f"::: switchgear.{name}", ""]
    return "\n".join(lines)


@cache
def _answers() -> dict[str, str]:
    """Return what a server without any configuration says at the paths that pages are made from."""
    with tempfile.TemporaryDirectory() as folder:
        config = load_text(f'[ledger]\nurl = "sqlite:///{folder}/ledger.db"\n', environ={})
        with Server(config, port=0) as server:
            return {path: _read(server.url + path) for path in ("/openapi.json", "/metrics")}


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own server on loopback
        return str(answer.read().decode("utf-8"))
