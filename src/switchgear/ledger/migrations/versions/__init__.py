"""One file a revision. Revisions are numbers, so that older and newer can be told."""

from __future__ import annotations
