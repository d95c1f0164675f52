from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.drills.sandbox.faults import Fault, FaultQueue

_WHOLE = st.integers(min_value=0, max_value=10_000)


@given(
    status=st.none() | st.integers(min_value=100, max_value=599),
    latency=_WHOLE,
    cut=st.none() | _WHOLE,
    output=_WHOLE,
    reset=st.booleans(),
    usage=st.booleans(),
)
def test_what_is_written_is_what_is_read(
    *, status: int | None, latency: int, cut: int | None, output: int, reset: bool, usage: bool
) -> None:
    """Every setting that is written comes back as it was, and no other is touched."""
    written = [f"latency={latency}ms", f"output={output}"]
    written += [f"status={status}"] if status is not None else []
    written += [f"cut={cut}"] if cut is not None else []
    written += ["reset"] if reset else []
    written += [] if usage else ["usage=none"]
    expected = Fault(status=status, latency=latency * 1000, cut=cut, output=output, reset=reset, usage=usage)

    assert expected == Fault.parse("; ".join(written))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Fault()),
        ("hang", Fault(hang=0)),
        ("hang=3", Fault(hang=3)),
        ("error_event", Fault(error_event=2)),
        ("dated_model", Fault(dated_model="")),
        ("dated_model=gpt-4o-2024-08-06", Fault(dated_model="gpt-4o-2024-08-06")),
        ("retry_after=Wed, 21 Oct 2026 07:28:00 GMT", Fault(retry_after="Wed, 21 Oct 2026 07:28:00 GMT")),
    ],
)
def test_a_bare_name_has_its_documented_meaning(text: str, expected: Fault) -> None:
    """A name alone stands for what *Fault* documents; free text is taken as it is."""
    assert expected == Fault.parse(text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("bogus=1", "unknown fault 'bogus'"),
        ("status=99", "status needs a whole number from 100"),
        ("status", "status needs a whole number from 100"),
        ("cut=-1", "cut needs a whole number from 0"),
        ("latency=5", "needs a unit"),
        ("reset=1", "reset takes no value"),
        ("usage=some", "usage can only be none"),
    ],
)
def test_a_wrong_fault_is_refused_in_words(text: str, complaint: str) -> None:
    """A fault that can't be is an error that names it, never silently no fault."""
    with pytest.raises(ValueError, match=complaint):
        Fault.parse(text)


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["/a", "/b", None])), max_size=6), st.data())
def test_each_waiting_fault_is_used_as_often_as_asked(
    waiting: list[tuple[int, str | None]], data: st.DataObject
) -> None:
    """A queue hands out each fault as many times as was asked, to its path alone, in order."""
    queue = FaultQueue()
    model: list[tuple[int, str | None]] = []
    for number, (times, path) in enumerate(waiting):
        queue.add(f"output={number}", times=times, path=path)
        model += [(number, path)] * times
    for path in data.draw(st.lists(st.sampled_from(["/a", "/b"]), max_size=20)):
        fitting = [entry for entry in model if entry[1] in {None, path}]
        taken = queue.take(path)
        if fitting:
            model.remove(fitting[0])

        assert (fitting[0][0] if fitting else None) == (taken.output if taken else None)


def test_a_fault_without_a_number_of_times_stays_until_cleared() -> None:
    """``times=None`` is for ever, until *clear*."""
    queue = FaultQueue()
    queue.add("status=500")

    assert [queue.take("/x")] * 3 == [Fault(status=500)] * 3

    queue.clear()

    assert queue.take("/x") is None


def test_a_fault_for_no_request_is_refused() -> None:
    """``times=0`` is a mistake, not a fault that never comes."""
    with pytest.raises(ValueError, match="times needs a whole number from 1"):
        FaultQueue().add("reset", times=0)


def test_every_setting_is_documented() -> None:
    """The docstring of *Fault* names every setting."""
    documented = Fault.__doc__ or ""

    assert [field.name for field in dataclasses.fields(Fault) if f" {field.name}: " not in documented] == []
