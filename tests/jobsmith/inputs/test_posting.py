from __future__ import annotations

from pathlib import Path

import pytest

from jobsmith.errors import InputError
from jobsmith.inputs.html import text_of_html
from jobsmith.inputs.language import language_of
from jobsmith.inputs.posting import MOST_CHARACTERS, posting_from_bytes, posting_from_file, posting_of

ENGLISH = "We are looking for an engineer to own the payment services of our team and to keep them fast and safe. " * 3
GERMAN = (
    "Wir suchen eine Ingenieurin, die mit uns die Zahlungsdienste für unsere Kunden baut "
    "und sich um den Betrieb kümmert. " * 3
)
JAPANESE = "私たちは決済サービスを開発するエンジニアを募集しています。 " * 30

BAD = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\t\n ", "is empty"),
    "short": (b"Engineer wanted", "has 2 words"),
    "PDF": (b"%PDF-1.7 ....", "is a PDF and no text"),
    "Word": (b"PK\x03\x04....", "is a ZIP archive"),
    "zeros": (ENGLISH.encode() + b"\0\0", "looks like a binary file"),
    "no UTF-8": (b"\xff\xfa" + ENGLISH.encode("latin-1") + b"\xe9", "is no UTF-8 text"),
    "control characters": (b"a\x01\x02\x03b " * 50, "looks like a binary file"),
    "too many bytes": (b"a" * 2_000_001, "2,000,001 bytes"),
    "too many characters": ((ENGLISH * (MOST_CHARACTERS // len(ENGLISH) + 1)).encode(), "at most 40,000"),
    "German": (GERMAN.encode(), "seems to be in German"),
    "Japanese": (JAPANESE.encode(), "another script"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_posting_is_told(case: str) -> None:
    """Each input that can't be used has an error that says what is wrong with it."""
    raw, said = BAD[case]

    with pytest.raises(InputError, match=said):
        posting_from_bytes(raw, origin="x.md")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The name of the file is in the error."""
    with pytest.raises(InputError, match=r"nothing\.md: can't be read: No such file"):
        posting_from_file(tmp_path / "nothing.md")


def test_a_posting_keeps_its_text_without_control_characters_and_pictures() -> None:
    """Control and direction characters, emoji and odd blanks go; words, accents and lines stay."""
    posting = posting_of(f"\ufeffCaf\u0065\u0301 \u202e\u0007r\u00e9sum\u00e9 \U0001f389\u00a0now\r\n{ENGLISH}")

    assert posting.text.startswith("Café résumé now\nWe are")


def test_utf_16_is_read() -> None:
    """What Windows calls Unicode is text too."""
    assert posting_from_bytes(ENGLISH.encode("utf-16"), origin="x").text.startswith("We are looking")


def test_a_page_is_read_as_its_reader_sees_it(tmp_path: Path) -> None:
    """Scripts, styles, navigation and what is hidden are no part of a posting; items of lists stay apart."""
    page = (
        "<!doctype html><html><head><title>x</title><style>p{}</style></head><body><nav>Home</nav>"
        "<h1>Engineer</h1><script>alert('owned')</script><p hidden>secret <b>text</b></p>"
        f"<ul><li>Go<li>SQL &amp; more</ul><div aria-hidden='true'>ignore</div><p>{ENGLISH}</p></body></html>"
    )
    file = tmp_path / "posting.html"
    file.write_text(page, encoding="utf-8")

    posting = posting_from_file(file)

    assert posting.text.splitlines()[:3] == ["Engineer", "- Go", "- SQL & more"]
    assert not {"owned", "secret", "ignore", "Home"} & set(posting.text.split())
    assert posting.origin == "posting.html"


@pytest.mark.parametrize(
    "page", ["<p>a", "</p></p>", "<div hidden><p>x", "<![CDATA[x", "<!--", "&#0;&#xfffff;", "<a b='"]
)
def test_a_broken_page_is_no_error(page: str) -> None:
    """Whatever a page is like, there is some text of it."""
    assert isinstance(text_of_html(page), str)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (ENGLISH, "English"),
        (GERMAN, "German"),
        (JAPANESE, "a language in another script"),
        ("Nous cherchons une personne pour développer les services de paiement de nos clients avec nous.", "French"),
        ("Buscamos una persona para desarrollar los servicios de pago de nuestros clientes con el equipo.", "Spanish"),
        ("Python SQL Airflow Kubernetes Terraform", "none that we know"),
    ],
)
def test_the_language_is_told_by_common_words(text: str, language: str) -> None:
    """English is told from its neighbours; a list of names is nobody's."""
    assert language_of(text) == language
