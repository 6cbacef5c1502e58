from __future__ import annotations

import pytest

from hallway.cli.narration import REASONS, sentence
from hallway.events import Delivered, PeerDisconnected, Undelivered
from hallway.protocol.effects import DownReason


@pytest.mark.parametrize("reason", list(DownReason))
def test_every_reason_of_a_link_that_went_down_has_words(reason):
    assert sentence(PeerDisconnected("desk", reason.value)) == f"the link to desk is down: {REASONS[reason.value]}"


def test_what_becomes_of_messages_has_words():
    assert sentence(Delivered("desk", "0a")) == "desk has the message 0a"
    assert sentence(Undelivered("desk", "0a", "expired")) == "the message 0a to desk is a dead letter: expired"
