from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.wire.edits import with_model

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just("model"), inner, max_size=3),
    max_leaves=8,
)


@given(
    before=st.dictionaries(st.text().filter(lambda key: key != "model"), VALUES, max_size=3),
    after=st.dictionaries(st.text().filter(lambda key: key != "model"), VALUES, max_size=3),
    old=st.text(),
    new=st.text(),
    indent=st.sampled_from([None, 2]),
)
def test_only_the_model_changes(
    before: dict[str, object], after: dict[str, object], old: str, new: str, indent: int | None
) -> None:
    """Whatever stands around it, and however it is written, every other value stays."""
    request = {**before, "model": old, **after}
    changed = with_model(json.dumps(request, indent=indent).encode(), new)
    assert changed is not None
    assert json.loads(changed) == {**request, "model": new}


@pytest.mark.parametrize("body", [b"{}", b'{"messages":[{"model":"m"}]}', b'{"model":null}', b'{"model":["m"]}', b"[]"])
def test_a_request_without_a_model_can_not_be_given_one(body: bytes) -> None:
    """What names no model at its top is left alone."""
    assert with_model(body, "small") is None


def test_of_two_the_last_is_the_one_that_counts() -> None:
    """As for every JSON parser."""
    assert with_model(b'{"model":"a","model":"b"}', "c") == b'{"model":"a","model":"c"}'
