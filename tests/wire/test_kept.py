from __future__ import annotations

import gzip
import json

from hypothesis import given
from hypothesis import strategies as st

from switchgear.wire.base import Dialect
from switchgear.wire.dialects import dialect_for
from switchgear.wire.kept import KeptDialect

PATH = "/v1/chat/completions"
ASKED = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}).encode()
EVENTS = [
    b'data: {"choices":[{"index":0,"delta":{"content":"hel"}}]}\n\n',
    b": comment\n\n",
    b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n',
    b"data: [DONE]\n\n",
]


def passed(dialect: Dialect, pieces: list[bytes], kind: str) -> tuple[list[bytes], object, bytes | None]:
    """Return what goes on of an answer in *pieces*, what is observed but for the content, and the answer kept."""
    facts = dialect.facts(method="POST", path=PATH, content_type="application/json", body=ASKED)
    reader = dialect.reader(facts, status=200, headers=[("content-type", kind)])
    out: list[bytes] = []
    for piece in pieces:
        out.append(reader.feed(piece))
        if reader.complete:
            break
    else:
        reader.end()
    seen = reader.observe()
    out.append(reader.flush())
    facts_seen = (seen.usage, seen.verdict, seen.error, seen.complete, reader.started, reader.heard, reader.produced)
    return out, facts_seen, None if seen.content is None else seen.content.answered


@given(st.lists(st.sampled_from(EVENTS) | st.binary(max_size=20), max_size=8), st.integers(1, 40), st.booleans())
def test_whoever_keeps_content_changes_nothing(events: list[bytes], size: int, streamed: bool) -> None:  # noqa: FBT001 - hypothesis passes it by place
    """The same bytes go on at the same moments, and the same is observed; kept is what came."""
    whole = b"".join(events)
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    kind = "text/event-stream" if streamed else "application/json"
    plain = dialect_for("openai", PATH)

    out, seen, _ = passed(plain, pieces, kind)
    kept_out, kept_seen, kept = passed(KeptDialect(plain), pieces, kind)

    assert (kept_out, kept_seen) == (out, seen)
    assert kept is not None
    assert whole.startswith(kept)


def test_a_compressed_answer_is_kept_plain() -> None:
    """What goes on stays compressed."""
    dialect = KeptDialect(dialect_for("openai", PATH))
    facts = dialect.facts(method="POST", path=PATH, content_type="application/json", body=ASKED)
    reader = dialect.reader(facts, status=200, headers=[("content-encoding", "gzip")])
    body = gzip.compress(b'{"choices":[]}')

    assert reader.feed(body) + reader.flush() == body
    content = reader.observe().content
    assert content is not None
    assert (content.asked, content.answered) == (ASKED, b'{"choices":[]}')
