"""What a doctor looks at, one file a concern: for the command line and the page. A check reads, and changes nothing."""

from __future__ import annotations
