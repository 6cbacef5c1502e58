"""The decisions of the delivery layer in thousands of lives: what was stored arrives once and in order, whatever crashes."""

from __future__ import annotations

import os

import pytest
from delivery_life import live

FULL = os.environ.get("SOAK") == "1"
LIVES = 10_000 if FULL else 500


@pytest.mark.timeout(0)
def test_what_was_stored_arrives_once_and_in_order_whatever_crashes_and_breaks():
    arrived = 0
    for seed in range(LIVES):
        life = live(seed)
        expected = [number for number in life.stored if number not in life.withdrawn]
        # What was taken back may have been on its way before.
        assert [number for number in life.there.inbox if number not in life.withdrawn] == expected, f"seed {seed}"
        assert life.there.inbox == sorted(set(life.there.inbox)), f"seed {seed}"
        assert life.here.outbox == {}, f"seed {seed}: the sender still holds {life.here.outbox}"
        arrived += len(expected)
    print(f"{LIVES} lives, {arrived} messages: none lost, none twice, all in order")
    assert arrived > 20 * LIVES
