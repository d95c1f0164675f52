from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.web.conftest import Place

KILOBYTES = 20


def test_the_scripts_of_a_page_are_small(full: Place) -> None:
    """All JavaScript that a page loads is at most 20 kB as it travels."""
    client = full.client()
    scripts = re.findall(r'<script src="([^"]+)"', client.get("/calls?live=1").text)
    weight = sum(len(gzip.compress(client.get(address).content, 9)) for address in scripts)

    assert len(scripts) == 2
    assert 0 < weight <= KILOBYTES * 1000
