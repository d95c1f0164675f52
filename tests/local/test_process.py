from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from switchgear.local import LocalModel, LocalModelError, process

if TYPE_CHECKING:
    from collections.abc import Sequence


def _python(program: str) -> Sequence[str]:
    return (sys.executable, "-c", program)


def _nobody_listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=20).close()
    except ConnectionError:
        return True
    return False


def test_an_engine_that_ends_is_told_with_its_last_word() -> None:
    """A child that ends before it answers is an error with its exit code and last line."""
    command = _python("import sys; sys.exit('first\\nno memory')")

    with pytest.raises(LocalModelError, match=r"did not start \(exit 1\): no memory"), LocalModel(command=command):
        pass


def test_an_engine_that_says_nothing_runs_into_the_time_out() -> None:
    """A child that never answers is ended when the time is over, and leaves no process."""
    model = LocalModel(command=_python("import sys; sys.stdin.read()"), timeout=0.05)

    with pytest.raises(LocalModelError, match=r"did not start within 0\.05 s"), model:
        pass
    assert model.pid == 0


def test_the_child_ends_with_the_block() -> None:
    """After ``with`` the child is gone; its id was known as long as it lived."""
    command = _python("print('ready http://127.0.0.1:1', flush=True); import sys; sys.stdin.read()")
    with LocalModel(command=command) as model:
        pid, url = model.pid, model.url

    assert (url, pid > 0, model.pid) == ("http://127.0.0.1:1", True, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_child_that_will_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that ignores SIGTERM does not hold up the end of the block."""
    monkeypatch.setattr(process, "_STOP_PATIENCE", 0.05)
    program = (
        "import signal\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
        "print('ready http://127.0.0.1:1', flush=True)\n"
        "signal.pause()\n"
    )
    with LocalModel(command=_python(program)) as model:
        pid = model.pid

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_is_missing_is_said_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the model is not installed, the error is the sentence that says how to get it."""
    monkeypatch.setattr(process, "missing", lambda: "not installed: do this")

    with pytest.raises(LocalModelError, match=r"^not installed: do this$"):
        LocalModel().__enter__()


@pytest.mark.e2e
def test_the_model_dies_with_its_killed_parent() -> None:
    """``kill -9`` of the parent ends the model too: nobody is left to listen on its port."""
    program = (
        "import signal\n"
        "from switchgear.local import LocalModel\n"
        "with LocalModel() as model:\n"
        "    print(model.url, flush=True)\n"
        "    signal.pause()\n"
    )
    with subprocess.Popen(_python(program), stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline().strip().rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
            parent.kill()
            with contextlib.suppress(ConnectionResetError):
                line.recv(1)

    assert any(_nobody_listens(port) for _ in range(10_000))


@pytest.mark.e2e
def test_a_taken_port_is_one_clear_line(model: LocalModel) -> None:
    """A port in use is an error that names it."""
    port = int(model.url.rpartition(":")[2])

    with pytest.raises(LocalModelError, match=f"can't listen on 127.0.0.1:{port}: Address already in use"):
        LocalModel(port=port).__enter__()
