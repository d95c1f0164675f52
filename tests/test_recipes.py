"""The recipes of the documentation are programs, and each of them runs against a gateway here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from switchgear.config import load_text
from switchgear.drills.sandbox import Sandbox
from switchgear.ledger.views import CallFilter
from switchgear.server import Server

pytestmark = pytest.mark.e2e

FOLDER: Final = Path(__file__).parents[1] / "examples" / "recipes"
RECIPES: Final = sorted(FOLDER.glob("*.py"))
LAYERS: Final[dict[str, list[str | None]]] = {
    "anthropic_sdk": ["letter"],
    "celery_worker": ["summarise"],
    "fastapi_app": ["summary"],
    "http_api": [None],
    "langchain_chat": ["chain"],
    "langgraph_layers": ["write", "plan"],
    "openai_sdk": ["research"],
}
INSIDE: Final = {"fastapi_app"}
"""These have a gate, and a ledger, of their own."""

CONFIG: Final = """
[ledger]
url = "sqlite:///{folder}/{name}.db"
[services.openai]
base_url = "{url}"
[services.anthropic]
base_url = "{url}"
[services.firecrawl]
base_url = "{url}"
"""


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LangChain, LangGraph and Celery, in a folder of their own: they are no dependencies of ours."""
    folder = tmp_path_factory.mktemp("libraries")
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    pip = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
    known = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_EXTRA_INDEX_URL": "UV_INDEX", "PIP_CERT": "SSL_CERT_FILE"}
    environ = os.environ | {ours: os.environ[theirs] for theirs, ours in known.items() if theirs in os.environ}
    subprocess.run(
        [*pip, "--quiet", "--target", folder, "-r", FOLDER / "requirements.txt"], check=True, env=environ, timeout=300
    )
    return folder


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """The provider that answers."""
    with Sandbox() as one:
        yield one


def test_every_recipe_is_tried() -> None:
    """None is left out here."""
    assert [path.stem for path in RECIPES] == sorted(LAYERS)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_recipes_run(recipe: Path, libraries: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    """It prints an answer, and its calls are in the ledger as its own."""
    settings = CONFIG.format(folder=tmp_path, name="gateway", url=sandbox.url)
    own = tmp_path / "switchgear.toml"
    own.write_text(CONFIG.format(folder=tmp_path, name="own", url=sandbox.url), encoding="utf-8")
    with Server(load_text(settings, environ={}), port=0) as server:
        environ = os.environ | {
            "ANTHROPIC_API_KEY": "none",
            "ANTHROPIC_BASE_URL": f"{server.url}/anthropic",
            "FIRECRAWL_BASE_URL": f"{server.url}/firecrawl",
            "LANGSMITH_TRACING": "false",
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": f"{server.url}/openai/v1",
            "PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(libraries)]).strip(os.pathsep),
            "SWITCHGEAR_CONFIG": str(own),
        }
        if recipe.stem in INSIDE:
            del environ["OPENAI_BASE_URL"]
        done = subprocess.run(
            [sys.executable, recipe], capture_output=True, text=True, check=False, timeout=60, env=environ
        )
        rows = server.governor.ledger.reader.calls(CallFilter(), limit=10).items
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()
    if recipe.stem not in INSIDE:
        assert [(row.status, row.layer) for row in rows] == [("ok", layer) for layer in LAYERS[recipe.stem]]
