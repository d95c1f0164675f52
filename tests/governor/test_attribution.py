from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.calls import NO_ATTRIBUTION, Attribution
from switchgear.context import attribution
from switchgear.governor.asked import Asked
from switchgear.governor.attribution import (
    LONGEST,
    MOST_TAGS,
    attribution_for,
    attribution_of,
    baggage_of,
    cleaned,
    described,
    with_baggage,
)
from switchgear.governor.callers import Caller

LABEL = st.text(min_size=1, max_size=40).map(lambda text: "".join(c for c in text if c.isprintable()).strip() or "x")


def test_headers_say_job_run_layer_and_tags() -> None:
    """Names of headers in any case; what is empty says nothing, nor does a tag without a name."""
    tags = ("x-switchgear-tags", "b=1, c = 2 ,=3,d")
    said = attribution_of([("X-Switchgear-Job", "a"), ("x-switchgear-run", ""), tags])
    assert said == Attribution(job="a", tags=(("b", "1"), ("c", "2")))
    assert attribution_of([("x-switchgear-call-id", "z")]) is NO_ATTRIBUTION


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("switchgear.job=a%20b%2C;p=1 , other=x", Attribution(job="a b,")),
        ("switchgear.tag.k%3D=v%3D", Attribution(tags=(("k=", "v="),))),
        ("switchgear.job=a%0d%0aX-Evil:%201", Attribution(job="aX-Evil: 1")),
        ("switchgear.job=%ff", Attribution(job="\ufffd")),
        ("switchgear.job,switchgear.key=stolen,switchgear.=1", NO_ATTRIBUTION),
        ("other=1", NO_ATTRIBUTION),
        ("x" * 9000 + ",switchgear.job=late", NO_ATTRIBUTION),
    ],
)
def test_baggage_says_the_same(text: str, said: Attribution) -> None:
    """Percent-decoded and bounded; never the key, and no control character comes out."""
    assert baggage_of([("Baggage", text)]) == said


def test_values_are_cut_never_refused() -> None:
    """256 characters, 64 of a tag's name, 32 tags, nothing that is not printable."""
    tags = ("n" * 99, "v"), *((f"t{at:03}", "v") for at in range(40))
    said = cleaned(Attribution(job="j" * 300, run="\x00\x1b[31m\u2028", layer=" a\tb ", tags=tags))
    assert (said.job, said.run, said.layer) == ("j" * LONGEST, "[31m", "ab")
    assert len(said.tags) == MOST_TAGS
    assert said.tags[0] == ("n" * 64, "v")


@given(job=st.text(max_size=400), tags=st.dictionaries(st.text(max_size=90), st.text(max_size=400), max_size=50))
def test_what_is_cleaned_stays_so(job: str, tags: dict[str, str]) -> None:
    """Cleaning twice is cleaning once, and what is clean holds the bounds."""
    once = cleaned(Attribution(job=job, tags=tuple(sorted(tags.items()))))
    assert cleaned(once) == once
    assert all(text.isprintable() and len(text) <= LONGEST for pair in once.tags for text in pair)


@given(job=LABEL, tags=st.dictionaries(LABEL, LABEL, max_size=5))
def test_what_is_sent_as_baggage_is_read_again(job: str, tags: dict[str, str]) -> None:
    """The next gateway reads what this one says, and the header holds nothing but what a header may."""
    said = cleaned(Attribution(job=job, layer="l", tags=tuple(sorted(tags.items()))))
    (header,) = with_baggage([], said)
    assert set(header[1]) <= set(string.ascii_letters + string.digits + "-._~%=,")
    assert baggage_of([header]) == said


def test_other_baggage_stays() -> None:
    """Members of others go on as they are, ours are replaced; nothing to say adds no header."""
    there = [("a", "b"), ("baggage", "a=1;p, switchgear.run=x")]
    assert with_baggage(there, Attribution(job="j")) == [("a", "b"), ("baggage", "a=1;p,switchgear.job=j")]
    assert with_baggage([("a", "b")], NO_ATTRIBUTION) == [("a", "b")]


def test_bodies_say_what_they_are_asked_for() -> None:
    """Only text counts, and a user id is a tag."""
    assert described({"job": 1, "run": "r", "tags": ["a=b"], "user": "u"}) == Attribution(
        run="r", tags=(("user", "u"),)
    )


def test_the_order_of_who_is_believed() -> None:
    """Headers, baggage, body, what is in force in Python, the key; a fixed key alone if it is one."""
    headers = [("x-switchgear-job", "header"), ("baggage", "switchgear.job=b,switchgear.run=baggage")]
    body = b'{"metadata": {"job": "m", "run": "m", "layer": "body", "tags": "t=body", "user_id": "u"}}'
    key = Caller(key="ci", attribution=Attribution(job="k", layer="k", tags=(("t", "k"), ("u", "key"))))
    asked = Asked(method="POST", path="/", headers=headers, body=body, caller=key)

    with attribution(tags={"p": "python", "t": "python"}, key="other"):
        said = attribution_for(asked, ("openai_metadata",))
        user = attribution_for(asked, ("anthropic_user_id",))
    assert (said.job, said.run, said.layer, said.key) == ("header", "baggage", "body", "ci")
    assert said.tags == (("p", "python"), ("t", "body"), ("u", "key"))
    assert (user.layer, user.value("tag.user")) == ("k", "u")
    fixed = Asked(
        method="POST",
        path="/",
        headers=headers,
        caller=Caller(key="ci", fixed=True, attribution=Attribution(run="k")),
    )
    assert attribution_for(fixed, ()) == Attribution(run="k", key="ci")


def test_callers_cannot_push_a_keys_tags_out() -> None:
    """However many tags a call says, those of its key are there."""
    key = Caller(key="ci", attribution=Attribution(tags=(("zz", "key"),)))
    tags = ",".join(f"a{at:02}=1" for at in range(50))
    asked = Asked(method="GET", path="/", headers=[("x-switchgear-tags", tags)], caller=key)
    said = attribution_for(asked, ())
    assert (len(said.tags), said.value("tag.zz")) == (MOST_TAGS + 1, "key")
