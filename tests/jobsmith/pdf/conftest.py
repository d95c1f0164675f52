from __future__ import annotations

from collections.abc import Callable, Iterator

import pypdfium2  # type: ignore[import-untyped]  # it brings no types
import pytest

from switchgear import Governor
from switchgear.testing import governor


@pytest.fixture
def gov() -> Iterator[Governor]:
    """A governor with the built-in services."""
    with governor() as one:
        yield one


@pytest.fixture
def text_of() -> Callable[[bytes], str]:
    """What reads the text of a PDF."""

    def read(pdf: bytes) -> str:
        document = pypdfium2.PdfDocument(pdf)
        try:
            return "\n".join(page.get_textpage().get_text_range() for page in document).replace("\r\n", "\n")
        finally:
            document.close()

    return read
