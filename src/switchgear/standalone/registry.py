"""One object for each name: what the registries of breakers, limiters and trackers have in common."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from switchgear.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Member", "Registry"]

S_co = TypeVar("S_co", covariant=True)


class Member(Protocol[S_co]):
    """What a registry asks of the objects that it keeps."""

    @property
    def settings(self) -> Mapping[str, object]:
        """Every setting that is in force, defaults included, in one notation."""

    def stats(self) -> S_co:
        """Return its numbers."""

    def reset(self) -> None:
        """Make it as it was when it was new."""


M = TypeVar("M", bound=Member[Any])
S = TypeVar("S")


class Registry(ABC, Generic[M, S]):
    """Keeps one member for each name, and never lets a second setting be silently ignored.

    Safe to be used from many threads. A subclass says what its members are called and how one is made.
    """

    noun: str

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._members: dict[str, M] = {}

    @abstractmethod
    def _make(self, name: str, settings: dict[str, Any]) -> M:
        """Return a new member, without any effect outside of it."""

    def get_or_create(self, name: str, **settings: Any) -> M:  # noqa: ANN401 - whatever the member's class takes
        """Return the member called *name*; the first call makes it.

        Without *settings* whatever is there is returned. With some, they must come to the same as
        those in force, what is not said counting as its default: ``30`` and ``"30s"`` are the same.

        Raises:
            ConfigError: the name is taken with other settings; the message has both.
            ValueError: a setting is not usable.
            TypeError: there is no such setting.
        """
        member = self._members.get(name)
        if member is not None and not settings:
            return member
        made = self._make(name, settings)
        with self._lock:
            member = self._members.setdefault(name, made)
        if settings and member is not made:
            self._compare(name, member.settings, made.settings)
        return member

    def get(self, name: str) -> M | None:
        """Return the member called *name*, None if there is none."""
        return self._members.get(name)

    def all(self) -> dict[str, M]:
        """Return every member by name, sorted."""
        with self._lock:
            return dict(sorted(self._members.items()))

    def stats(self) -> dict[str, S]:
        """Return the numbers of every member by name, sorted."""
        return {name: member.stats() for name, member in self.all().items()}

    def reset_all(self) -> None:
        """Reset every member; they stay registered."""
        for member in self.all().values():
            member.reset()

    def _compare(self, name: str, there: Mapping[str, object], asked: Mapping[str, object]) -> None:
        differing = [key for key in asked if asked[key] != there[key]]
        if differing:
            has = ", ".join(f"{key}={there[key]!r}" for key in differing)
            wants = ", ".join(f"{key}={asked[key]!r}" for key in differing)
            msg = f"{self.noun} {name!r} is registered with {has}; it can't be had with {wants} too"
            raise ConfigError(msg)
