"""The durable record: every attempt one row, committed before the request leaves.

Importing it is cheap; SQLAlchemy is loaded when a ledger is opened.
"""

from __future__ import annotations

from switchgear.ledger.ledger import Ledger

__all__ = ["Ledger"]
