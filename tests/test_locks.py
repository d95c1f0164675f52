from __future__ import annotations

import threading

import pytest

from switchgear import locks


def test_whoever_is_patient_gets_the_lock() -> None:
    """As soon as the holder has let go, the lock is taken."""
    lock = threading.Lock()
    lock.acquire()
    thread = threading.Thread(target=locks.patiently, args=(lock,))
    thread.start()
    lock.release()
    thread.join(10)
    assert lock.locked()


def test_after_many_tries_it_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A holder that takes its time is waited for without trying again and again."""
    monkeypatch.setattr(locks, "_YIELDS", 1)
    lock = threading.Lock()
    lock.acquire()
    thread = threading.Thread(target=locks.patiently, args=(lock,))
    thread.start()
    thread.join(0.01)
    assert thread.is_alive()
    lock.release()
    thread.join(10)
    assert not thread.is_alive()
    assert lock.locked()
