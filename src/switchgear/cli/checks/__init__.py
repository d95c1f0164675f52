"""What ``switchgear doctor`` looks at, one file a concern. A check reads, and changes nothing."""

from __future__ import annotations
