from __future__ import annotations

import json
from pathlib import Path

import pytest

from switchgear.cli import main

POSTING = (
    "Engineer at Acme. You will own the payment services of our team and keep them fast and safe for all of us. " * 2
)
CV = "# Ada\n\n## Experience\n### Engineer, Globex (2019 - present)\n- Built services in Go.\n"
GERMAN = "Wir suchen eine Person, die mit uns die Dienste für unsere Kunden baut und sich um den Betrieb kümmert. " * 3


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder with a posting and a CV, and no configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("SWITCHGEAR_CONFIG", raising=False)
    (tmp_path / "posting.md").write_text(POSTING, encoding="utf-8")
    (tmp_path / "cv.md").write_text(CV, encoding="utf-8")
    return tmp_path


WRONG: dict[str, tuple[list[str], str]] = {
    "no posting": (["nothing.md", "--cv", "cv.md"], "nothing.md: there is no such file"),
    "no CV": (["posting.md", "--cv", "nothing.md"], "nothing.md: can't be read"),
    "empty": (["empty.md", "--cv", "cv.md"], "is empty"),
    "binary": (["binary.md", "--cv", "cv.md"], "looks like a binary file"),
    "another language": (["german.md", "--cv", "cv.md"], "seems to be in German"),
    "CV without dates": (["posting.md", "--cv", "undated.md"], "has no dates"),
    "model without a service": (["posting.md", "--cv", "cv.md", "--model", "gpt-5-mini"], "Say SERVICE:MODEL"),
    "unknown profile": (["posting.md", "--cv", "cv.md", "--profile", "best"], "'best' is not one of"),
    "unknown paper": (["posting.md", "--cv", "cv.md", "--page", "a5"], "'a5' is not one of"),
    "wrong budget": (["posting.md", "--cv", "cv.md", "--budget", "-1"], "budget"),
    "estimate and budget": (["posting.md", "--cv", "cv.md", "--estimate", "--budget", "1"], "spends nothing"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told_before_anything_starts(
    case: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every mistake has its sentence and exit code 2, and neither model, ledger nor run is touched."""
    (here / "empty.md").write_bytes(b"")
    (here / "binary.md").write_bytes(b"\0\1\2" * 100)
    (here / "german.md").write_text(GERMAN, encoding="utf-8")
    (here / "undated.md").write_text(CV.replace(" (2019 - present)", ""), encoding="utf-8")
    arguments, said = WRONG[case]

    code = main(["apply", *arguments])

    assert code == 2
    assert said in capsys.readouterr().err
    assert not (here / "applications").exists()


def test_the_estimate_spends_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It has a line for each layer that asks a model, and is called an estimate."""
    code = main(["apply", "posting.md", "--cv", "cv.md", "--model", "openai:gpt-4o-mini", "--estimate", "--json"])

    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert told["estimate"] is True
    assert [one["layer"] for one in told["layers"]] == ["posting", "needs", "fit", "draft"]
    assert 0 < float(told["usd"]) < 0.1
    assert not (here / "applications" / "posting" / "runs.db").exists()


def test_a_url_to_this_machine_is_not_fetched(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A private address is told, whatever serves there."""
    code = main(["apply", "http://127.0.0.1:9/job", "--cv", "cv.md", "--model", "openai:gpt-4o-mini"])

    assert code == 2
    assert "not on the public internet" in capsys.readouterr().err


def test_without_the_extra_it_is_told_how_to_get_it(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lean installation says what to install."""
    monkeypatch.setattr("switchgear.cli.apply._PACKAGES", ("typst", "nothing_of_that_name"))

    code = main(["apply", "posting.md", "--cv", "cv.md"])

    assert code == 2
    assert 'pip install "switchgear[jobs]"' in capsys.readouterr().err
