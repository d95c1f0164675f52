from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
from click.testing import CliRunner

import switchgear as sg
from switchgear.calls import Attribution, Call, Usage, new_call_id
from switchgear.cli.root import root
from switchgear.ledger.ledger import Ledger
from switchgear.ledger.rows import AttemptReserved, AttemptSettled
from switchgear.testing import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

START = 1_790_000_000_000_000
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_a_trace_is_drawn_and_told(tmp_path: Path) -> None:
    """Two calls, one after the other, with the wait of the second; the same as JSON; 1 for one that is not there."""
    file = tmp_path / "switchgear.toml"
    file.write_text(f'[ledger]\nurl = "sqlite:///{tmp_path}/l.db"\n')
    with Ledger.open(f"sqlite:///{tmp_path}/l.db", clock=ManualClock(start=START / 1e6)) as ledger:
        for at, waited in ((0, 0), (6_000_000, 2_000_000)):
            call = Call(
                id=new_call_id(START + at),
                service="openai",
                endpoint="/v1",
                model="gpt-5-mini",
                attribution=Attribution(layer=f"layer{at}"),
                trace_id=TRACE,
            )
            ledger.reserve(
                AttemptReserved(call=call, cost=9_000_000, price_version="p", started_at=START + at, waited_us=waited)
            )
            settled = {
                "call_id": call.id,
                "attempt": 1,
                "status": "ok",
                "usage": Usage(input_tokens=10, output_tokens=2),
                "cost": 2_000_000,
                "price_version": "p",
                "estimated": False,
                "http_status": 200,
                "error": None,
                "model": None,
                "ttft_us": None,
                "duration_us": 4_000_000,
            }
            ledger.settle(msgspec.convert(settled, AttemptSettled)).wait(10)
    text = CliRunner().invoke(root, ["traces", "show", TRACE, "--config", str(file)]).output
    told = json.loads(CliRunner().invoke(root, ["traces", "show", TRACE, "--json", "--config", str(file)]).output)

    assert "2 calls" in text
    assert f"|{'#' * 9:24}|" in text
    assert f"|{' ' * 9}{'.' * 5}{'#' * 10}|" in text
    assert "(waited 2.0 s)" in text
    assert (told["calls"], told["cost_usd"], told["duration_ms"]) == (2, "0.004", 10_000)
    assert CliRunner().invoke(root, ["traces", "show", "nothing", "--config", str(file)]).exit_code == 1


def test_the_profile_of_a_run_is_a_line_a_layer(tmp_path: Path) -> None:
    """With its sums below, the same as JSON, and a word where there is nothing."""
    file = tmp_path / "switchgear.toml"
    file.write_text(
        f'[ledger]\nurl = "sqlite:///{tmp_path}/l.db"\n[services.t]\nprices = {{ "*" = {{ request = "0.5" }} }}\n'
    )
    with sg.Governor.from_config(file) as gov, sg.attribution(run="r1", layer="research"), gov.call("t"):
        pass
    run = CliRunner().invoke(root, ["runs", "profile", "r1", "--config", str(file)]).output
    told = json.loads(CliRunner().invoke(root, ["runs", "profile", "r1", "--json", "--config", str(file)]).output)
    other = CliRunner().invoke(root, ["runs", "profile", "r2", "--config", str(file)])

    assert "research" in run
    assert run.splitlines()[-1].startswith("all")
    assert told["items"][0]["layer"] == "research"
    assert "no call of a run 'r2'" in other.output
