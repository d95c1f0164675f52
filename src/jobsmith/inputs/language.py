"""Which language a text is in, by its commonest words: enough to tell English from what is not."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from jobsmith.errors import InputError

__all__ = ["language_of", "require_english"]

_COMMON: Final = {
    "English": "the of and to in a is for with you we are on as will our your be or this have that an at by from",
    "German": "der die das und in zu den mit von für auf ist im wir sie eine ein als auch sich bei du dein oder nicht",
    "French": "le la les de des et en du un une pour dans nous vous avec sur est au aux par votre ou que qui ce",
    "Spanish": "el la los las de y en un una para con que por del se su al como es más tu o nuestro eres somos",
    "Italian": "il la i gli le di e in un una per con che del della dei si sono al come da nel tua o siamo",
    "Portuguese": "o a os as de e em um uma para com que do da dos das se por no na ao como você nosso ou",
    "Dutch": "de het een en van in je te voor met op is dat zijn we als aan ook bij wij jij onze of niet naar",
    "Polish": "i w na z do się że jest oraz dla o nie jak po od ze przez za to są lub twoje nasz praca",
    "Swedish": "och i att det som en på är av för med till den vi du om ett har kan din vår eller inte",
}
_WORDS: Final = {name: frozenset(words.split()) for name, words in _COMMON.items()}
_LATIN_SHARE: Final = 0.6
_ENOUGH: Final = 0.08


def language_of(text: str) -> str:
    """Return the language that *text* seems to be in, ``a language in another script``, or ``none that we know``."""
    letters = [char for char in text if char.isalpha()]
    latin = sum(1 for char in letters if unicodedata.name(char, "").startswith("LATIN"))
    if not letters or latin < len(letters) * _LATIN_SHARE:
        return "a language in another script"
    words = re.findall(r"[^\W\d_]+", text.lower())
    shares = {name: sum(word in common for word in words) / len(words) for name, common in _WORDS.items()}
    best = max(shares, key=lambda name: shares[name])
    # Lists of technologies have few common words, and are English more often than not.
    return best if shares[best] >= _ENOUGH else "none that we know"


def require_english(text: str, *, what: str) -> None:
    """Raise InputError unless *text* is English, or has too few sentences to tell."""
    found = language_of(text)
    if found not in {"English", "none that we know"}:
        msg = f"{what} seems to be in {found}; applications are written in English, so hand in a translation"
        raise InputError(msg)
