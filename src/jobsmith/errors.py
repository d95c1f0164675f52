"""What goes wrong with a job application, apart from what Switchgear itself raises.

The tree::

    JobsmithError
    ├── InputError        posting or CV can't be used; raised before anything is spent
    ├── OutputError       a model's answer stayed invalid after its repairs
    ├── UngroundedError   a document says what the master CV does not
    └── PdfError          a PDF can't be set
        └── PdfTextError  because of its text: another try can't help
"""

from __future__ import annotations

from switchgear import SwitchgearError

__all__ = ["InputError", "JobsmithError", "OutputError", "PdfError", "PdfTextError", "UngroundedError"]


class JobsmithError(SwitchgearError):
    """The root of the tree."""


class InputError(JobsmithError):
    """Posting or CV can't be used; nothing was spent. *str()* of it says what to do."""


class OutputError(JobsmithError):
    """A model's answer stayed invalid after its repairs. *layer* says whose, *problems* what was wrong."""

    def __init__(self, layer: str, problems: tuple[str, ...]) -> None:
        super().__init__(f"{layer}: the model's answer is not usable: {'; '.join(problems)}")
        self.layer = layer
        self.problems = problems

    def __reduce__(self) -> tuple[type[OutputError], tuple[str, tuple[str, ...]]]:
        return type(self), (self.layer, self.problems)


class UngroundedError(JobsmithError):
    """A document has sentences that the master CV does not support; *sentences* are those."""

    def __init__(self, sentences: tuple[str, ...]) -> None:
        super().__init__(f"{len(sentences)} not supported by the master CV, the first: {sentences[0]!r}")
        self.sentences = sentences

    def __reduce__(self) -> tuple[type[UngroundedError], tuple[tuple[str, ...]]]:
        return type(self), (self.sentences,)


class PdfError(JobsmithError):
    """A PDF can't be set; *str()* of it says why."""


class PdfTextError(PdfError):
    """It is the text that can't be set: there is too much of it, or no font for it."""
