"""The ledger of the soak: what it must complain of, and what not."""

from __future__ import annotations

from faults import Seen
from tests.soak.ledger import AFTER, BEFORE, Ledger


def message(at: float, number: int) -> Seen:
    return Seen(at, {"event": "message", "peerId": "one", "message": [1, number]})


def sent(ledger: Ledger, *times: float) -> None:
    for number, at in enumerate(times):
        ledger.sent("one", 1, number, at, {"two"}, 2)


def test_what_arrives_in_order_and_once_is_all_right() -> None:
    ledger = Ledger()
    sent(ledger, 1, 2)
    for number in range(2):
        ledger.take("two", message(3, number))
    assert ledger.account(0)["messages"] == {
        "sent": 2,
        "refused": 2,
        "arrived": 2,
        "lost": 0,
        "lost_unexplained": [],
        "duplicates": 0,
        "out_of_order": 0,
    }


def test_duplicates_and_disorder_are_counted() -> None:
    ledger = Ledger()
    for number in (1, 0, 1):
        ledger.take("two", message(3, number))
    found = ledger.account(0)["messages"]
    assert (found["duplicates"], found["out_of_order"]) == (1, 1)


def test_a_loss_is_explained_by_a_break_of_its_own_link_near_it_and_by_nothing_else() -> None:
    ledger = Ledger()
    sent(ledger, 100, 100 + BEFORE + AFTER + 2)
    ledger.take("one", Seen(101 + BEFORE + AFTER, {"event": "peer-disconnected", "peerId": "three", "reason": "timeout"}))
    ledger.take("one", Seen(101 + BEFORE, {"event": "peer-disconnected", "peerId": "two", "reason": "timeout"}))
    assert ledger.account(0)["messages"]["lost"] == 2
    assert ledger.account(100)["messages"]["lost_unexplained"] == [
        "one to two: 0 at 0.0 s",
        f"one to two: 1 at {BEFORE + AFTER + 2:.1f} s",
    ]
    ledger.take("two", Seen(100 + BEFORE, {"event": "peer-disconnected", "peerId": "one", "reason": "timeout"}))
    ledger.ended("two", 100 + 2 * BEFORE)
    assert ledger.account(0)["messages"]["lost_unexplained"] == []
