from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.wire.openai import OpenAIDialect

PATH = "/v1/chat/completions"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
options = st.none() | st.fixed_dictionaries(
    {}, optional={"include_usage": st.just(False), "include_obfuscation": st.booleans(), "x": json_values}
)


def sent(body: bytes) -> bytes:
    """Return what goes upstream for *body*."""
    dialect = OpenAIDialect()
    facts = dialect.facts(method="POST", path=PATH, content_type="application/json", body=body)
    return dialect.outgoing(facts, body)


@given(
    before=st.dictionaries(st.text(max_size=5), json_values, max_size=3),
    stream_options=options,
    nested=json_values,
    indent=st.sampled_from([None, 2]),
)
def test_usage_is_asked_for_and_nothing_else_changes(
    before: dict[str, object], stream_options: dict[str, object] | None, nested: object, indent: int | None
) -> None:
    """Whatever the request holds, it says the same afterwards, plus that usage is wanted."""
    inner = {"stream_options": {"include_usage": False}, "text": '"stream_options":{', "n": nested}
    request = {**before, "metadata": inner, "stream": True, "stream_options": stream_options, "messages": [inner]}
    result = json.loads(sent(json.dumps(request, indent=indent).encode()))

    assert result == {**request, "stream_options": {**(stream_options or {}), "include_usage": True}}


def test_without_options_the_edit_is_one_insertion() -> None:
    """The user's own bytes stay as they are, spaces and all."""
    body = b' {\n "stream" : true, "model":"m" }\n'

    assert sent(body) == b' {"stream_options":{"include_usage":true},\n "stream" : true, "model":"m" }\n'


def test_other_bytes_stay_when_options_are_replaced() -> None:
    """Only the value of the options is new."""
    body = b'{"stream":true, "stream_options" :\t{ "include_usage" : false } , "model":"m"}'

    assert sent(body) == b'{"stream":true, "stream_options" :\t{"include_usage":true} , "model":"m"}'


def test_an_escaped_key_is_the_same_key() -> None:
    """JSON may spell a key with escapes; a second one beside it would be ambiguous."""
    body = b'{"stream":true,"stream\\u005foptions":null}'

    assert json.loads(sent(body)) == {"stream": True, "stream_options": {"include_usage": True}}
    assert sent(body).count(b"include_usage") == 1


def test_a_key_that_is_no_text_is_not_taken_for_the_option() -> None:
    """Bytes that are no UTF-8 stay where they are."""
    body = b'{"stream":true,"\xff":1,"stream_options":null}'

    assert sent(body) == b'{"stream":true,"\xff":1,"stream_options":{"include_usage":true}}'


@pytest.mark.parametrize(
    "body",
    [
        b'{"stream":true,"stream_options":{"include_usage":true}}',
        b'{"stream":false}',
        b'{"stream":true,"stream_options":"odd"}',
        b'{"stream":true,"stream_options":[]}',
        b'{"stream":true,"stream_options":{"x":"\xff"}}',
        b'["stream"]',
        b"not json",
        b"",
    ],
)
def test_what_needs_no_edit_gets_none(body: bytes) -> None:
    """A request that asks already, is no stream, or is odd goes out byte for byte."""
    assert sent(body) == body


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/embeddings", "/v1/audio/speech"])
def test_only_chat_and_completions_take_the_option(path: str) -> None:
    """Elsewhere the option would be an error."""
    dialect = OpenAIDialect()
    body = b'{"stream":true}'

    assert dialect.outgoing(dialect.facts(method="POST", path=path, content_type=None, body=body), body) == body
