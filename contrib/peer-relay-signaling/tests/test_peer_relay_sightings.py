"""Whom to report, as a table of events and times."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hallway.model import DeviceInfo, Gone, PeerRecord, Seen
from hallway_peer_relay_signaling._limits import Bounds
from hallway_peer_relay_signaling._messages import Member
from hallway_peer_relay_signaling._sightings import Sightings

B = Member("b", "tablet", "e1")
BOUNDS = Bounds(head_start=0.5, after_loss=1.5, full_pause=10)


def seen(name: str, *relays: str, epoch: str | None = "e1") -> Seen:
    return Seen(PeerRecord(name, "house", "tablet", tuple(f"peer-relay:{relay}/{name}" for relay in relays), epoch))


def sightings(*linked: str, bounds: Bounds = BOUNDS) -> Sightings:
    made = Sightings(DeviceInfo("me", "house"), bounds)
    assert made.linked(linked, 0) == []
    return made


def test_a_peer_is_reported_after_the_head_start():
    table = sightings("a")
    assert table.told("a", [B], 10) == []
    assert table.deadline == 10.5
    assert table.timer(10.4) == []
    assert table.timer(10.5) == [seen("b", "a")]
    assert table.deadline is None


def test_a_peer_that_gets_a_link_meanwhile_is_never_reported():
    table = sightings("a")
    table.told("a", [B], 0)
    table.linked(("a", "B"), 0.4)
    assert table.deadline is None
    assert table.timer(99) == []
    assert table.told("a", [], 100) == []


def test_a_peer_that_is_reported_stays_so_when_it_gets_its_link_and_when_it_loses_it():
    """Else the link that a relay made would make its own peer vanish, and every redial would be a find."""
    table = sightings("a")
    table.told("a", [B], 0)
    assert table.timer(1) == [seen("b", "a")]
    assert table.linked(("a", "b"), 2) == table.linked(("a",), 3) == table.timer(99) == []
    assert table.told("a", [], 100) == [Gone("b")]


def test_a_peer_whose_link_is_lost_is_reported_a_while_later():
    table = sightings("a", "b")
    assert table.told("a", [B], 0) == []
    assert table.linked(("a",), 10) == []
    assert table.timer(11.4) == []
    assert table.timer(11.5) == [seen("b", "a")]


def test_a_peer_that_said_bye_to_all_is_not_reported():
    table = sightings("a", "b")
    table.told("a", [B], 0)
    table.linked(("a",), 10)
    assert table.told("a", [], 11) == []
    assert table.timer(99) == []


def test_a_peer_is_gone_with_the_last_relay():
    table = sightings("a", "d")
    table.told("a", [B], 0)
    table.told("d", [B], 0)
    assert table.timer(1) == [seen("b", "a", "d")]
    assert table.linked(("d",), 2) == [seen("b", "d")]
    assert table.linked((), 3) == [Gone("b")]


def test_at_most_three_relays_are_named_always_the_same():
    table = sightings("r4", "R2", "r3", "r1")
    for relay in ("r3", "r4", "r2", "r1"):
        table.told(relay, [B], 0)
    assert table.timer(1) == [seen("b", "r1", "R2", "r3")]
    assert table.linked(("r4", "r3", "R2"), 2) == [seen("b", "R2", "r3", "r4")]


def test_an_epoch_that_changes_is_reported_and_news_that_are_none_are_not():
    table = sightings("a")
    table.told("a", [B], 0)
    table.timer(1)
    assert table.told("a", [B], 2) == []
    assert table.told("a", [Member("b", "tablet", "e2")], 3) == [seen("b", "a", epoch="e2")]
    assert table.told("a", [Member("b", "tablet", None)], 3) == [seen("b", "a", epoch=None)]


def test_the_name_of_a_reported_peer_keeps_its_case():
    table = sightings("a", "d")
    table.told("d", [B], 0)
    table.timer(1)
    assert table.told("a", [Member("B", "tablet", "e1")], 2) == [seen("b", "a", "d")]
    table.linked(("a",), 3)
    assert table.told("a", [], 4) == [Gone("b")]


def test_nobody_relays_to_itself_or_to_us_and_strangers_tell_nothing():
    table = sightings("a")
    assert table.told("a", [Member("A"), Member("ME")], 0) == []
    assert table.told("stranger", [B], 0) == []
    assert table.deadline is None


def test_one_relay_cannot_fill_the_table():
    table = sightings("liar", "zoe", bounds=Bounds(head_start=0, reported=10, reported_by_one=6))
    lies = [Member(f"ghost-{number}") for number in range(256)]
    assert len(table.told("liar", lies, 0)) == 6
    assert table.told("zoe", [B], 1) == [seen("b", "zoe")]
    assert len(table.told("zoe", [B, *(Member(f"t{number}") for number in range(100))], 2)) == 3
    assert table.deadline == 10
    assert table.timer(11) == []


def test_a_peer_that_was_one_too_many_is_reported_when_there_is_room():
    table = sightings("a", bounds=Bounds(head_start=0, reported=1))
    assert table.told("a", [B, Member("c")], 0) == [seen("b", "a")]
    assert table.told("a", [Member("c", "tablet", "e1")], 1) == [Gone("b")]
    assert table.timer(9) == []
    assert table.timer(10) == [seen("c", "a")]


NAMES = st.sampled_from(["a", "A", "b", "c", "d", "me", "ME"])
MEMBERS = st.lists(st.builds(Member, NAMES, st.just("tablet"), st.sampled_from([None, "e1", "e2"])), max_size=4)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("linked"), st.lists(NAMES.filter(lambda name: name.lower() != "me"), max_size=4)),
        st.tuples(st.just("told"), NAMES, MEMBERS),
        st.tuples(st.just("timer")),
    ),
    max_size=30,
)


@settings(max_examples=300)
@given(EVENTS, st.lists(st.floats(0, 1), min_size=31, max_size=31))
def test_whatever_happens_reports_are_in_order_and_end_with_the_links(events, steps):
    table, now, reported = sightings(bounds=Bounds(head_start=0.5, after_loss=1.5, reported=3)), 0.0, {}

    def apply(changes):
        for change in changes:
            match change:
                case Seen(record):
                    assert record.device_id.lower() != "me"
                    assert reported.get(record.device_id) != record
                    assert 1 <= len(record.endpoints) <= 3
                    reported[record.device_id] = record
                case Gone(device_id):
                    del reported[device_id]
        assert len({name.lower() for name in reported}) == len(reported) <= 3

    for (name, *arguments), step in zip(events, steps, strict=False):
        now += step
        apply(getattr(table, name)(*arguments, now))
        apply(table.timer(now))
        assert table.deadline is None or table.deadline > now
    apply(table.linked((), now))
    assert reported == {}
    assert table.deadline is None
