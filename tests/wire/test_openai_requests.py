from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.calls import Usage
from switchgear.wire.base import RequestFacts
from switchgear.wire.bounds import LEAST_CONVERSATION, TOOL_TOKENS
from switchgear.wire.openai import OpenAIDialect, image_tokens

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
KNOWN = (
    "model", "stream", "stream_options", "n", "best_of", "max_tokens", "max_completion_tokens", "max_output_tokens",
    "modalities", "service_tier", "tools", "prompt", "previous_response_id", "conversation", "messages",
)  # fmt: skip


def facts(path: str = "/v1/chat/completions", method: str = "POST", **request: object) -> RequestFacts:
    """Return what is read from *request*."""
    return read(json.dumps(request).encode(), path, method)


def read(body: bytes, path: str = "/v1/chat/completions", method: str = "POST") -> RequestFacts:
    """Return what is read from *body*."""
    return OpenAIDialect().facts(method=method, path=path, content_type="application/json", body=body)


def test_a_chat_request_says_model_stream_and_bounds() -> None:
    """The gate knows what to reserve before anything is sent."""
    body = b'{"model":"gpt-4o","stream":true,"max_tokens":50,"n":3,"messages":[{"role":"user","content":"Who?"}]}'

    assert read(body, "/v1/chat/completions?api-version=1") == RequestFacts(
        endpoint="/v1/chat/completions",
        surface="chat",
        model="gpt-4o",
        streamed=True,
        bound=Usage(input_tokens=len(body), output_tokens=150),
        max_output_given=True,
        choices=3,
        is_json=True,
        adds_usage=True,
    )


@pytest.mark.parametrize(
    ("path", "surface"),
    [
        ("/v1/chat/completions", "chat"),
        ("/chat/completions/", "chat"),
        ("/api/v1/chat/completions", "chat"),
        ("/openai/deployments/prod/chat/completions", "chat"),
        ("/v1/completions", "completions"),
        ("/v1/responses", "responses"),
        ("/v1/responses/resp_1", "other"),
        ("/v1/embeddings", "embeddings"),
        ("/v1/moderations", "moderations"),
        ("/v1/responses/compact", "responses"),
        ("/v1/audio/speech", "speech"),
        ("/v1/audio/transcriptions", "transcription"),
        ("/v1/images/edits", "images"),
        ("/v1/batches/batch_1", "batches"),
        ("/v1/videos", "other"),
    ],
)
def test_the_end_of_the_path_names_the_surface(path: str, surface: str) -> None:
    """Providers put different prefixes before the same endpoints."""
    assert facts(path).surface == surface


@pytest.mark.parametrize("asked", [None, "gpt-4o"])
def test_azure_names_the_model_in_the_path(asked: str | None) -> None:
    """What the body says of a model Azure does not read."""
    path = "/openai/deployments/my-gpt/chat/completions"

    assert facts(path, model=asked).model == "my-gpt"
    assert read(b"", path).model == "my-gpt"


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_each_name_of_the_output_limit_is_read(limit: str) -> None:
    """Old and new clients name it differently."""
    assert read(json.dumps({limit: 7}).encode()).bound.output_tokens == 7
    assert facts("/v1/responses", max_output_tokens=7).bound.output_tokens == 7


@pytest.mark.parametrize(
    ("request_", "choices"),
    [
        ({"n": 2}, 2),
        ({"n": 2, "best_of": 5}, 5),
        ({"n": 2, "prompt": ["a", "b", "c"]}, 6),
        ({"prompt": [[1, 2], [3]]}, 2),
        ({"prompt": [1, 2, 3]}, 1),
        ({"prompt": "abc"}, 1),
    ],
)
def test_every_choice_and_prompt_multiplies_the_output(request_: dict[str, object], choices: int) -> None:
    """Each of them may use the whole limit."""
    found = read(json.dumps({"max_tokens": 10, **request_}).encode(), "/v1/completions")

    assert (found.choices, found.bound.output_tokens) == (choices, 10 * choices)


def test_a_request_without_a_limit_has_the_models() -> None:
    """What the request leaves open is bounded by the model, each choice for itself; without that there is no bound."""
    found = facts(model="m", n=2)

    assert not found.max_output_given
    assert found.bound_within(max_output=None, window=None) is None
    assert found.bound_within(max_output=100, window=None) == Usage(
        input_tokens=found.bound.input_tokens, output_tokens=200
    )


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/moderations"])
def test_what_has_no_output_needs_no_limit(path: str) -> None:
    """Embeddings and moderations are bounded by their input."""
    found = facts(path, model="m", input="text")

    assert (found.max_output_given, found.bound.output_tokens, found.billable) == (True, 0, True)


@pytest.mark.parametrize(
    ("method", "path", "billable"),
    [
        ("POST", "/v1/chat/completions", True),
        ("GET", "/v1/models", False),
        ("get", "/v1/models", False),
        ("DELETE", "/v1/responses/x", False),
        ("POST", "/v1/files", False),
        ("POST", "/v1/responses/x/cancel", False),
        ("POST", "/v1/responses/input_tokens", False),
        ("POST", "/v1/batches", True),
    ],
)
def test_what_no_provider_bills_is_known(method: str, path: str, billable: bool) -> None:  # noqa: FBT001
    """Listing models must not need a price."""
    found = facts(path, method)

    assert found.billable is billable
    assert billable or found.bound_within(max_output=None, window=None) is not None


@pytest.mark.parametrize(
    "extra",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": {"id": "conv_1"}},
        {"prompt": {"id": "pmpt_1"}},
        {"tools": [{"type": "web_search"}]},
        {"input": [{"type": "message", "content": [{"type": "input_file", "file_id": "f"}]}]},
    ],
    ids=lambda extra: next(iter(extra)),
)
def test_input_that_the_body_does_not_show_is_bounded_by_the_window(extra: dict[str, object]) -> None:
    """An earlier response, a stored prompt, a search or a file may bring any amount of input."""
    found = read(json.dumps({"model": "m", "max_output_tokens": 5, **extra}).encode(), "/v1/responses")

    assert not found.input_bounded
    assert found.bound_within(max_output=None, window=None) is None
    bound = found.bound_within(max_output=None, window=100_000)
    assert bound is not None
    assert (bound.input_tokens, bound.output_tokens) == (100_000, 5)


def test_null_is_the_same_as_absent() -> None:
    """Clients send null for what they leave out."""
    found = facts("/v1/responses", max_output_tokens=5, previous_response_id=None, conversation=None, prompt=None)

    assert found.input_bounded


def test_tools_and_audio_are_bounded() -> None:
    """Tools add the provider's words; audio has its own, dearer rates."""
    audio = {"type": "input_audio", "input_audio": {"data": "A" * 64_000, "format": "wav"}}
    tooled = facts(model="m", tools=[{"type": "function", "function": {"name": "f"}}])
    heard = facts(model="m", modalities=["text", "audio"], messages=[{"role": "user", "content": [audio]}])
    spoken = heard.bound_within(max_output=500, window=None)

    assert tooled.bound.input_tokens > TOOL_TOKENS
    assert dict(heard.bound.units)["input_audio_tokens"] >= 1_000
    assert spoken is not None
    assert dict(spoken.units)["output_audio_tokens"] == 500


def test_only_conversations_have_a_least_bound() -> None:
    """A chat template's own words come with chats and responses, not with completions and embeddings."""
    sizes = {path: facts(path, model="m").bound.input_tokens for path in ("/responses", "/completions", "/embeddings")}

    assert sizes == {"/responses": LEAST_CONVERSATION, "/completions": 14, "/embeddings": 14}


def test_images_have_the_bound_of_their_model() -> None:
    """gpt-4o-mini counts an image at many times the tokens of other models."""
    part = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    found = facts(model="gpt-4o-mini", messages=[{"role": "user", "content": [part]}])

    assert found.bound.units == (("input_image_tokens", image_tokens("gpt-4o-mini")),)
    assert found.bound.input_tokens > image_tokens("gpt-4o-mini") > image_tokens("gpt-5") == image_tokens(None)


@given(request=st.dictionaries(st.sampled_from(KNOWN), json_values, max_size=6))
def test_json_of_any_shape_is_read_without_raising(request: dict[str, object]) -> None:
    """A field of the wrong type is as good as absent, and the others still count."""
    body = json.dumps({**request, "user": "u"}).encode()
    found = read(body)

    assert found.is_json
    model = request.get("model")
    assert found.model == (model if isinstance(model, str) and model else None)
    assert found.bound.output_tokens >= 0


@given(body=st.binary(max_size=200))
def test_any_bytes_are_read_without_raising(body: bytes) -> None:
    """What is no JSON goes through and is called so."""
    found = read(body)

    assert OpenAIDialect().outgoing(found, body) == body or found.adds_usage


@pytest.mark.parametrize("body", [b'{"model":"\xff","max_tokens":5}', b'{"model":5,"max_tokens":5}'])
def test_one_bad_field_does_not_hide_the_others(body: bytes) -> None:
    """The limit still holds when the model can't be read."""
    found = read(body)

    assert (found.is_json, found.model, found.bound.output_tokens) == (True, None, 5)


@pytest.mark.parametrize("body", [b"", b"hello", b'{"model":', b"--boundary\r\n", b"\x1f\x8b"])
def test_what_is_no_json_is_called_so(body: bytes) -> None:
    """Nothing is known of it, and nothing is invented."""
    found = read(body)

    assert (found.is_json, found.model, found.max_output_given, found.adds_usage) == (False, None, False, False)


@pytest.mark.parametrize("number", [-5, -1.5, 1e400, "12"])
def test_nonsense_for_a_limit_is_no_limit(number: object) -> None:
    """A negative or infinite limit can't make a call look cheap."""
    assert not facts(max_tokens=number).max_output_given


def test_a_huge_limit_stays_a_number_that_databases_take() -> None:
    """A limit beyond 64 bits is cut to one that still refuses."""
    assert 2**40 < facts(max_tokens=10**30).bound.output_tokens < 2**63
