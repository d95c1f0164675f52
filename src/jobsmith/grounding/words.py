"""The words that matter to grounding: which say nothing by themselves, and which change what others say."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ARTICLES",
    "CURRENCIES",
    "IRREGULAR",
    "LIMITING",
    "MAGNITUDES",
    "MONTHS",
    "NEGATIONS",
    "NEUTRAL",
    "NUMBER_WORDS",
    "OPEN_END",
    "OTHERS",
    "PRESENT",
    "ROUNDING",
]


def _list(*lines: str) -> list[str]:
    return [word for line in lines for word in line.split()]


def _set(*lines: str) -> frozenset[str]:
    return frozenset(_list(*lines))


def _map(*lines: str) -> dict[str, str]:
    """Return ``{"led": "lead"}`` for ``led=lead``."""
    return {word: meant for line in lines for word, meant in (pair.split("=") for pair in line.split())}


NEUTRAL: Final = _set(
    # What every sentence is made with.
    "a an the i me my mine myself we our us you your yours it its this that these those he she they them their",
    "is am are was were be been being have has had having do does did and or but as at in on of for with to from into",
    "by then there here where which who whom whose when while if so such also too both each other others another",
    "can could may might will would shall should about through across within during via per after before between",
    "including include includes among toward towards upon onto what how why",
    # What a person's skills and posts are spoken of with.
    "work works worked working experience experiences experienced use used uses using skill skills knowledge",
    "help helps helped helping well like likes matter matters fit fits suit suits relevant similar same",
    # What a letter says of itself and of its reader.
    "apply applying application interest interests interested interesting letter cv resume attached enclosed enclose",
    "find found please thank thanks consider considering consideration opportunity welcome chance discuss discussing",
    "conversation talk talking speak speaking meet meeting hear hearing look looking forward glad happy pleased",
    "position role post job posting vacancy need needs ask asks asked want wants seek seeks seeking offer offers",
    "contribute contributing bring brings join joining further details detail reading read time",
    "reply answer questions question available availability sincerely kind regards dear hope hoping describe describes",
    "described let know say says said write writing wrote",
)
"""Words that claim nothing by themselves of what somebody has done."""

NEGATIONS: Final = _set("no not never none nor neither without cannot lack lacks lacked lacking non except hardly")

LIMITING: Final = _set(
    "assist assisted assisting support supported supporting contribute contributed contributing participate",
    "participated participating involved familiar familiarity basic basics beginner elementary limited exposure",
    "exposed learning learned attended attending shadowed shadowing partly part partial planned planning proposed",
    "tried attempted aimed aiming failed unsuccessful few several once briefly helped help helping co junior reporting",
    "reported candidate unfinished ongoing expected pending would could maybe perhaps largely mostly intern trainee",
    "introductory intermediate conversational",
)
"""What makes a statement smaller; a sentence that leaves one of these out would say more than its source."""

ROUNDING: Final = _set("up nearly almost approximately approx roughly around under about some below")
"""Before a number, what makes it less exact; who repeats the number repeats the word."""

OTHERS: Final = _set("you your yours we us our ours they them their theirs he him his she her hers")
"""Who is not the CV's person: a sentence about one of these says nothing of what the person did."""

ARTICLES: Final = _set("a an the")
PRESENT: Final = _set("am work works currently current now present today")
OPEN_END: Final = _set("present today now current ongoing since currently")

_MONTHS: Final = _list("january february march april may june july august september october november december")
MONTHS: Final = {name[:size]: at for at, name in enumerate(_MONTHS, 1) for size in (3, len(name))} | {"sept": 9}

_ONES: Final = _list(
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen",
    "nineteen",
)
_TENS: Final = _list("twenty thirty forty fifty sixty seventy eighty ninety")
NUMBER_WORDS: Final = {
    **{word: at for at, word in enumerate(_ONES, 2)},
    **{word: 10 * at for at, word in enumerate(_TENS, 2)},
    "hundred": 100,
    "dozen": 12,
}

MAGNITUDES: Final = {
    **dict.fromkeys(("k", "thousand"), 1_000),
    **dict.fromkeys(("m", "mn", "million", "millions"), 1_000_000),
    **dict.fromkeys(("bn", "b", "billion", "billions"), 1_000_000_000),
}

CURRENCIES: Final = _map(
    "$=$ usd=$ dollar=$ dollars=$ €=€ eur=€ euro=€ euros=€ £=£ gbp=£ pound=£ pounds=£ ¥=¥ jpy=¥ yen=¥ chf=chf",
    "francs=chf",
)

IRREGULAR: Final = _map(
    "led=lead leading=lead built=build ran=run running=run wrote=write written=write rewrote=rewrite rewritten=rewrite",
    "grew=grow grown=grow taught=teach made=make kept=keep cutting=cut won=win winning=win took=take taken=take",
    "began=begin brought=bring held=hold set=set setting=set sold=sell drove=drive driven=drive oversaw=oversee",
    "overseen=oversee rebuilt=rebuild spoke=speak spoken=speak chose=choose gave=give given=give children=child",
    "people=person analyses=analysis data=data currently=current today=current present=current now=current",
    "planning=plan planned=plan shipping=ship shipped=ship mapping=map mapped=map dropped=drop dropping=drop",
)
"""Forms of words that a rule would not bring together."""
