"""Static files, named by their content: a changed file has a new address and may be cached for ever."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

__all__ = ["STATIC_DIR", "Assets", "HashedFiles"]

STATIC_DIR: Final = Path(__file__).parent / "static"


class Assets:
    """Gives each static file an address with its hash. Files are read once, when the app is made."""

    def __init__(self, folder: Path = STATIC_DIR) -> None:
        self._hashes = {
            file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()[:12]
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }

    def url(self, name: str) -> str:
        """Return the address of the file *name*; one that is missing gets an address without hash."""
        found = self._hashes.get(name)
        return f"/static/{name}?v={found}" if found else f"/static/{name}"


class HashedFiles(StaticFiles):
    """Serves the files; one asked for with its hash is immutable, others are revalidated by ETag."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        hashed = scope["query_string"].startswith(b"v=")
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable" if hashed else "no-cache"
        return answer
