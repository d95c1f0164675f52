from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("[a-z]*.py"))
SCRIPTS = [path for path in EXAMPLES if not path.name.startswith("test_")]  # pytest runs the others itself


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_examples_run(path: Path) -> None:
    """Every example does what it says, without a key and without a word on stderr."""
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
