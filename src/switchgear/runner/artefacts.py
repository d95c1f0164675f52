"""The files of runs: each in the folder of its run, each known to its run, or it is not given out."""

from __future__ import annotations

import hashlib
import mimetypes
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from switchgear.runner.faults import RunnerError
from switchgear.runner.views import Artefact

if TYPE_CHECKING:
    from switchgear.runner.store import RunStore

__all__ = ["ArtefactStore", "checked_name"]

_NAME: Final = re.compile(r"[\w][\w .()+,=@-]{0,199}", re.ASCII)
_LARGEST: Final = 256 * 1024 * 1024
_RESERVED: Final = frozenset({"con", "nul", "prn", "aux"})
_PIECE: Final = 1 << 20


def checked_name(name: str) -> str:
    """Return *name*.

    Raises:
        RunnerError: it is no plain file name: letters, digits, and ``. _ - ( ) + , = @`` and spaces inside.
    """
    if not _NAME.fullmatch(name) or name.endswith((".", " ")) or name.split(".", maxsplit=1)[0].lower() in _RESERVED:
        msg = f"{name!r} is no name for an artefact: letters, digits and ._-()+,=@ in it, at most 200 characters"
        raise RunnerError(msg)
    return name


class ArtefactStore:
    """Keeps files below *folder*, one folder a run."""

    def __init__(self, folder: Path, store: RunStore) -> None:
        self.folder: Final = folder
        self._store: Final = store

    def put(
        self, run: str, name: str, content: bytes | str | Path, *, layer: str | None, media_type: str | None, at: int
    ) -> Artefact:
        """Keep *content* (bytes, text, or a file to be copied) as *name* of *run*; one that is there is replaced.

        Raises:
            RunnerError: the name is no plain file name, or the file is too large or can't be written.
        """
        checked_name(name)
        target = self._folder_of(run) / name
        # Written beside and moved: a reader, or a crash, never finds half a file.
        draft = target.with_name(f".{secrets.token_hex(8)}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                shutil.copyfile(content, draft)
            else:
                draft.write_bytes(content.encode() if isinstance(content, str) else content)
            size, digest = _facts(draft)
            draft.replace(target)
        except OSError as error:
            msg = f"artefact {name!r} can't be written: {error.strerror}"
            raise RunnerError(msg) from error
        finally:
            draft.unlink(missing_ok=True)
        kind = media_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
        artefact = Artefact(name=name, layer=layer, at=at, size=size, sha256=digest, media_type=kind)
        self._store.add_artefact(run, artefact)
        return artefact

    def path(self, run: str, name: str) -> tuple[Artefact, Path]:
        """Return what is known of file *name* of *run*, and where it is.

        Raises:
            RunnerError: *run* has no such file, or it is not there any more.
        """
        found = self._store.artefact(run, name) if _NAME.fullmatch(name) else None
        if found is None:
            msg = f"run {run!r} has no artefact {name!r}"
            raise RunnerError(msg)
        path = self._folder_of(run) / found.name
        if path.is_symlink() or not path.is_file():
            msg = f"the file of artefact {name!r} of run {run!r} is not there any more"
            raise RunnerError(msg)
        return found, path

    def _folder_of(self, run: str) -> Path:
        # Names of runs come from people too: what is no plain name can't become another folder.
        safe = "".join(char if char.isalnum() or char in "-_" else "_" for char in run)
        if safe != run:
            safe = f"{safe[:80]}-{hashlib.sha256(run.encode()).hexdigest()[:16]}"
        return self.folder / safe


def _facts(path: Path) -> tuple[int, str]:
    size = path.stat().st_size
    if size > _LARGEST:
        msg = f"an artefact has at most {_LARGEST // (1 << 20)} MB, not {size} bytes"
        raise RunnerError(msg)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
        os.fsync(file.fileno())
    return size, digest.hexdigest()
