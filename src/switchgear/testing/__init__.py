"""For your tests: time that stands still, a provider without a network, and breakers on command.

::

    from switchgear.testing import FakeProvider, ManualClock, governor, open_breaker

See docs/testing.md.
"""

from __future__ import annotations

from switchgear.testing.breakers import open_breaker
from switchgear.testing.clock import ManualClock
from switchgear.testing.governors import governor
from switchgear.testing.provider import FakeProvider, fake_provider

__all__ = ["FakeProvider", "ManualClock", "fake_provider", "governor", "open_breaker"]
