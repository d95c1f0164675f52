"""From HTML to the text that a reader would see."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

from jobsmith.inputs.text import clean

__all__ = ["looks_like_html", "text_of_html"]

_HIDDEN: Final = frozenset(
    {"script", "style", "noscript", "template", "svg", "head", "nav", "iframe", "object", "form"}
)
_VOID: Final = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_BLOCKS: Final = frozenset(
    {"address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "fieldset", "figure", "footer", "h1"}
    | {
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "td",
        "th",
        "tr",
        "ul",
    }
)
_BEGIN: Final = re.compile(r"\s*(?:<!doctype html|<html|<head|<body|<\?xml[^>]*>\s*<html)", re.IGNORECASE)


def looks_like_html(text: str) -> bool:
    """Return whether *text* begins as a page does."""
    return _BEGIN.match(text) is not None


def text_of_html(page: str) -> str:
    """Return the visible text of *page*, a block a line, items of lists with a dash."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.pieces).split("\n"))
    return clean("\n".join(line for line in lines if line and line != "-"))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag not in _VOID and (
            self._hidden or tag in _HIDDEN or "hidden" in said or said.get("aria-hidden") == "true"
        ):
            self._hidden.append(tag)
        elif tag in _BLOCKS:
            self.pieces.append("\n- " if tag == "li" else "\n")

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag in self._hidden:  # what is left open inside ends with it
                while self._hidden.pop() != tag:
                    pass
        elif tag in _BLOCKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(re.sub(r"\s+", " ", data))
