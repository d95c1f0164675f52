"""Whose call it is, as request bodies say it: OpenAI's ``metadata`` and Anthropic's ``metadata.user_id``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from switchgear.wire.fields import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["said_in"]


class _Body(msgspec.Struct, gc=False):
    metadata: Any = None


_BODY: Final = msgspec.json.Decoder(_Body)


def said_in(body: bytes, sources: Collection[str]) -> dict[str, object]:
    """Return what the metadata in *body* say, as far as *sources* tell to listen.

    Args:
        body: a request's.
        sources: ``openai_metadata``: the members ``job``, ``run``, ``layer`` and ``tags``;
            ``anthropic_user_id``: the ``user_id``, as the member ``user``.
    """
    if b'"metadata"' not in body:
        return {}
    try:
        metadata = _BODY.decode(body).metadata
    except UNREADABLE:
        return {}
    if not isinstance(metadata, dict):
        return {}
    said: dict[str, object] = {}
    if "openai_metadata" in sources:
        said = {name: metadata.get(name) for name in ("job", "run", "layer", "tags")}
    if "anthropic_user_id" in sources:
        said["user"] = metadata.get("user_id")
    return said
