"""Recorded traffic: every provider's shapes, each with the usage, cost and outcome that it must come to.

The files in *recordings/* but ``local.json`` are built by hand from the providers' public documentation;
``local.json`` is what the local model really sent (record_local.py).
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.calls import Usage
from switchgear.testing import ManualClock, fake_provider, governor
from switchgear.wire.base import Observation, Reader, RequestFacts
from switchgear.wire.dialects import dialect_for

Case = dict[str, Any]

FOLDER = Path(__file__).parent / "recordings"
CASES: list[Case] = [
    case | {"file": path.stem}
    for path in sorted(FOLDER.glob("*.json"))
    for case in json.loads(path.read_text(encoding="utf-8"))
]
TODAY = 1_795_500_000.0
BOUNDARY = "a-boundary"


def _name(case: Case) -> str:
    return f"{case['file']}: {case['name']}"


every = pytest.mark.parametrize("case", CASES, ids=_name)


def _request(case: Case) -> tuple[str, bytes]:
    """Return content type and body of the request."""
    if "form" not in case:
        return "application/json", b"" if case["request"] is None else json.dumps(case["request"]).encode()
    lines = []
    for name, value in case["form"].items():
        is_file = value.startswith("@")
        more = f'; filename="{value[1:]}"\r\nContent-Type: application/octet-stream' if is_file else ""
        text = "x" * 5000 if is_file else value
        lines.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{text}\r\n')
    return f"multipart/form-data; boundary={BOUNDARY}", "".join([*lines, f"--{BOUNDARY}--\r\n"]).encode()


def _answer(case: Case) -> bytes:
    answer = case["answer"]
    if isinstance(answer, list):
        return "\n".join(answer).encode()
    return (answer if isinstance(answer, str) else json.dumps(answer)).encode()


def _facts(case: Case) -> RequestFacts:
    kind, body = _request(case)
    dialect = dialect_for(case["kind"], case["path"])
    facts = dialect.facts(method=case["method"], path=case["path"], content_type=kind, body=body)
    asks = "mistral" not in case["base_url"] and "ask_usage = false" not in case.get("settings", "")
    return facts if asks else msgspec.structs.replace(facts, adds_usage=False)


def _usage(case: Case) -> Usage | None:
    said = case["expect"]["usage"]
    if said is None or said == "cut":
        return None
    units = tuple(sorted(said["units"].items()))
    return Usage(**{name: count for name, count in said.items() if name != "units"}, units=units)


def _pass_on(reader: Reader, answer: bytes, cuts: list[int]) -> tuple[bytes, Observation]:
    """Pass *answer* on, cut at *cuts*, as a driver does."""
    at = sorted({0, *(cut % (len(answer) + 1) for cut in cuts), len(answer)})
    chunks = [answer[start:stop] for start, stop in itertools.pairwise(at)]
    passed: list[bytes] = []
    seen: Observation | None = None
    for chunk in chunks:
        passed.append(reader.feed(chunk))
        if reader.complete and seen is None:
            seen = reader.observe()
            passed.append(reader.flush())
    if seen is None:
        reader.end()
        seen = reader.observe()
        passed.append(reader.flush())
    return b"".join(passed), seen


def _wanted(case: Case) -> bytes:
    answer = _answer(case)
    dropped = case.get("dropped", "").encode()
    assert dropped in answer
    return answer.replace(dropped, b"", 1) if dropped else answer


@every
@given(cuts=st.lists(st.integers(0, 10_000), max_size=40))
def test_what_is_recorded_passes_and_is_read_however_it_is_cut(case: Case, cuts: list[int]) -> None:
    """Byte for byte, but for a usage chunk that nobody asked for; and with the same reading."""
    facts = _facts(case)
    dialect = dialect_for(case["kind"], case["path"])
    reader = dialect.reader(facts, status=case["status"], headers=[("content-type", case["content_type"])])
    passed, seen = _pass_on(reader, _answer(case), cuts)
    expect = case["expect"]

    assert passed == _wanted(case)
    assert (seen.verdict, seen.error, seen.estimated) == (expect["verdict"], expect["error"], expect["estimated"])
    assert (seen.model, seen.tier) == (expect["model"], expect["tier"])
    if expect["usage"] == "cut":
        assert seen.usage is not None
        assert seen.usage.output_tokens > 0
    elif case["status"] == httpx2.codes.OK:
        assert seen.usage == _usage(case)


def _settings(case: Case) -> str:
    lines = [f"[services.{case['service']}]", f'kind = "{case["kind"]}"', f'base_url = "{case["base_url"]}"']
    lines += [f'provider = "{case["provider"]}"'] if "provider" in case else []
    lines += [case["settings"]] if "settings" in case else []
    for model, prices in case.get("prices", {}).items():
        rates = ", ".join(f'{unit} = "{usd}"' for unit, usd in prices.items())
        lines.append(f'prices."{model}" = {{ {rates} }}')
    return "\n".join(lines) + "\n"


@every
def test_what_is_recorded_costs_what_it_must(case: Case) -> None:
    """Through the whole gate: the row of the ledger, to the nano-dollar."""
    kind, body = _request(case)
    clock = ManualClock(TODAY)
    with governor(_settings(case), clock=clock) as gov, fake_provider(gov) as provider:
        headers = {"content-type": case["content_type"]}
        provider.reply(status=case["status"], content=_answer(case), headers=headers)
        with gov.http_client(case["service"]) as client:
            url = case["base_url"] + case["path"]
            answer = client.request(case["method"], url, content=body, headers={"content-type": kind})
        (row,) = gov.ledger.reader.calls().items
    expect = case["expect"]

    assert answer.content == _wanted(case)
    assert (row.status, row.estimated) == (expect["status"], expect["estimated"])
    if expect["cost"] is not None:
        assert row.cost == expect["cost"]
    if isinstance(expect["usage"], dict) and case["status"] == httpx2.codes.OK:
        counts = {name: getattr(row, name) for name in expect["usage"]}
        assert counts | {"units": dict(counts["units"])} == expect["usage"]
    assert "secret text" not in (row.error or "")
