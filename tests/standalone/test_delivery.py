from __future__ import annotations

from switchgear.standalone.delivery import Delivery


def test_a_listener_that_left_hears_nothing_more() -> None:
    """Subscribing returns what ends it; the others go on, and leaving twice is no harm."""
    delivery: Delivery[int] = Delivery()
    first: list[int] = []
    second: list[int] = []
    stop = delivery.subscribe(first.append)
    delivery.subscribe(second.append)
    delivery.put(1)
    delivery.send()
    stop()
    stop()
    delivery.put(2)
    delivery.send()
    delivery.send()
    assert (first, second) == ([1], [1, 2])


def test_what_somebody_else_is_sending_is_left_to_them() -> None:
    """A listener that sends does not overtake the event that it is in."""
    delivery: Delivery[int] = Delivery()
    seen: list[str] = []

    def meddles(event: int) -> None:
        seen.append(f"begin {event}")
        if event == 1:
            delivery.put(2)
            delivery.send()
        seen.append(f"end {event}")

    delivery.subscribe(meddles)
    delivery.put(1)
    delivery.send()
    assert seen == ["begin 1", "end 1", "begin 2", "end 2"]
