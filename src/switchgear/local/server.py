"""llama.cpp's own server, in this process. Its parent is *LocalModel*, or you by ``python -m switchgear.local``."""

from __future__ import annotations

import os
import socket
import threading
from typing import Final

from switchgear.local.model import MODEL, LocalModelError, missing, model_file

__all__ = ["end_with", "start"]

_MOST_THREADS: Final = 4
_SLOTS: Final = 4
_CONTEXT: Final = 2048
_LONGEST_OUTPUT: Final = 512


def start(port: int) -> tuple[object, str]:
    """Load the model and serve it on 127.0.0.1; return the server, to be kept, and its URL.

    Four calls run at a time, each with a context of 2048 tokens; more of them queue. A call that names no
    maximum gets 512 tokens at most.

    Args:
        port: 0: one that is free.

    Raises:
        LocalModelError: something is not installed, or the engine can't start.
    """
    if (what := missing()) is not None:
        raise LocalModelError(what)
    _check(port)
    import xllamacpp  # type: ignore[import-untyped]  # it brings no types

    params = xllamacpp.CommonParams()
    params.model.path = str(model_file())
    params.model_alias = {MODEL}
    params.port = port
    params.n_parallel = _SLOTS
    params.n_ctx = _SLOTS * _CONTEXT  # the engine divides it among the slots
    params.n_predict = _LONGEST_OUTPUT
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = _threads()
    params.cache_ram_mib = 0  # else old prompts are kept in up to 8 GiB
    params.endpoint_slots = params.ui = False
    params.verbosity = 0
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        msg = f"the engine failed: {error}"
        raise LocalModelError(msg) from error
    return server, server.listening_address


def _threads() -> int:
    # The engine's threads wait for each other at every token. With as many as there are cores, one busy
    # neighbour (the gateway, a test) stalls all of them: measured on two cores, 5 tokens/s instead of 55.
    return max(1, min(_MOST_THREADS, (os.cpu_count() or 1) // 2))


def _check(port: int) -> None:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        msg = f"can't listen on 127.0.0.1:{port}: {os.strerror(error.errno or 0)}"
        raise LocalModelError(msg) from error


def end_with(descriptor: int) -> None:
    """End this process at once when what *descriptor* reads ends: its parent, who holds the other end, is gone."""

    def watch() -> None:
        while os.read(descriptor, 1):
            pass
        os._exit(0)

    threading.Thread(target=watch, name="parent", daemon=True).start()
