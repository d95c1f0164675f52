"""What ``switchgear doctor`` looks at beside ``insight.checks``: what is around Switchgear on this machine."""

from __future__ import annotations
