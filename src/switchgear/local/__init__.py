"""A real language model on this machine, with OpenAI's and Anthropic's endpoints and no keys."""

from __future__ import annotations

from switchgear.local.model import MODEL, LocalModelError, missing
from switchgear.local.process import LocalModel

__all__ = ["MODEL", "LocalModel", "LocalModelError", "missing"]
