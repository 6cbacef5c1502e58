from __future__ import annotations

import pytest
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.strategies import floats, integers, sampled_from

from hallway.model import Gone, PeerRecord, Seen
from hallway_mdns_discovery._table import (
    CAPACITY,
    GOODBYE_DELAY,
    MAX_LIFETIME,
    MAX_UNRESOLVED,
    NEWCOMERS,
    REFRESH_AT,
    RESOLVE_DELAYS,
    SETTLED,
    PeerTable,
    Unresolved,
)


def record(device_id: str, port: int = 1) -> PeerRecord:
    return PeerRecord(device_id, "hotel", endpoints=(f"http://10.0.0.7:{port}",))


def test_a_peer_is_reported_at_first_and_at_every_change():
    table = PeerTable()
    assert table.see("a", record("A"), 120, 0) == [Seen(record("A"))]
    assert table.see("a", record("A"), 120, 1) == []
    assert table.see("a", record("A", 2), 120, 2) == [Seen(record("A", 2))]
    assert table.bye("a", SETTLED) == [Gone("A")]
    assert table.bye("a", SETTLED) == []


def test_two_instances_of_one_device_share_an_entry_and_the_newest_counts():
    table = PeerTable()
    table.see("a", record("tablet"), 120, 0)
    assert table.see("b", record("TABLET", 2), 120, 0) == [Seen(record("TABLET", 2))]
    assert len(table) == 1
    assert table.bye("a", SETTLED) == []
    assert table.bye("b", SETTLED) == [Gone("TABLET")]


def test_an_instance_that_becomes_another_device_ends_the_first():
    table = PeerTable()
    table.see("a", record("one"), 120, 0)
    assert table.see("a", record("two"), 120, 0) == [Gone("one"), Seen(record("two"))]


def test_a_peer_is_asked_for_before_it_expires():
    table = PeerTable()
    table.see("a", record("A"), 100, 0)
    for part in REFRESH_AT:
        assert table.deadline() == part * 100
        assert table.stale(part * 100 - 1) == []
        assert table.stale(part * 100) == ["a"]
    assert table.deadline() == 100
    assert table.expire(99) == []
    assert table.expire(100) == [Gone("A")]
    assert table.deadline() is None


def test_no_ttl_outlasts_the_longest_lifetime():
    table = PeerTable()
    table.see("a", record("A"), 1e9, 0)
    assert table.expire(MAX_LIFETIME) == [Gone("A")]


def test_a_full_table_refuses_newcomers_and_keeps_who_is_known():
    table = PeerTable()
    table.see("real", record("real"), 120, 0)
    sightings = [sighting for n in range(10_000) for sighting in table.see(f"fake{n}", record(f"fake{n}"), 120, n / 1000)]
    assert len(sightings) == CAPACITY - 1
    assert table.see("real", record("real", 2), 120, 1) == [Seen(record("real", 2))]


@pytest.mark.attack("A17")
def test_a_flood_that_does_not_answer_leaves_room_again_within_10_s():
    table = PeerTable()
    for n in range(10_000):
        table.see(f"fake{n}", record(f"fake{n}"), 120, n / 1000)
    assert len(table.expire(20)) == CAPACITY // 2
    assert table.see("real", record("real"), 120, 20) == [Seen(record("real"))]


def test_the_goodbye_of_a_newcomer_counts_after_a_second_unless_it_speaks_again():
    table = PeerTable()
    table.see("a", record("A"), 120, 0)
    assert table.bye("a", 1) == table.bye("a", 1.5) == []
    assert table.is_leaving("a")
    assert table.deadline() == 1 + GOODBYE_DELAY
    assert table.expire(1 + GOODBYE_DELAY) == [Gone("A")]
    table.see("a", record("A"), 120, 3)
    table.bye("a", 4)
    assert table.see("a", record("A"), 120, 4.5) == []
    assert table.expire(4 + GOODBYE_DELAY) == []


def test_peers_that_flap_are_reported_seldom():
    table, sightings = PeerTable(), []
    for step in range(16_000):
        instance, now = f"fake{step // 2 % 200}", step / 2000
        sightings += table.bye(instance, now) if step % 2 else table.see(instance, record(instance), 120, now)
    assert len(sightings) == 200
    assert len(table.expire(10)) == 200


def test_newcomers_come_at_a_bounded_rate():
    table = PeerTable()
    burst, rate = NEWCOMERS
    admitted = [len(table.see(f"fake{n}", record(f"fake{n}"), 120, 0)) for n in range(200)]
    assert sum(admitted) == burst
    assert [len(table.see(f"late{n}", record(f"late{n}"), 120, 1)) for n in range(200)].count(1) == rate
    assert table.see("fake0", record("fake0", 2), 120, 1) == [Seen(record("fake0", 2))]


def test_the_unresolved_are_bounded_and_forgotten():
    unresolved = Unresolved()
    taken = [unresolved.add(f"i{n}", 0) for n in range(100)]
    assert taken.count(True) == MAX_UNRESOLVED
    assert not unresolved.add("i0", 0)
    asked, now = 0, 0.0
    while (deadline := unresolved.deadline()) is not None:
        now = deadline
        asked += len(unresolved.due(now))
    assert asked == MAX_UNRESOLVED * len(RESOLVE_DELAYS)
    assert now < 4


class TableMachine(RuleBasedStateMachine):
    """Whatever happens: what was reported is what the table holds, and nothing is reported gone that was not seen."""

    @initialize()
    def begin(self) -> None:
        self.table, self.reported, self.now = PeerTable(), set(), 0.0

    def take(self, sightings) -> None:
        for sighting in sightings:
            match sighting:
                case Seen(record):
                    self.reported.add(record.device_id.lower())
                case Gone(device_id):
                    assert device_id.lower() in self.reported
                    self.reported.remove(device_id.lower())

    @rule(instance=sampled_from("abcd"), device=sampled_from(["A", "a", "B", "c"]), port=integers(1, 2), ttl=floats(0, 200))
    def see(self, instance, device, port, ttl) -> None:
        self.take(self.table.see(instance, record(device, port), ttl, self.now))

    @rule(instance=sampled_from("abcd"))
    def bye(self, instance) -> None:
        self.take(self.table.bye(instance, self.now))

    @rule(seconds=floats(0, 100))
    def wait(self, seconds) -> None:
        self.now += seconds
        self.table.stale(self.now)
        self.take(self.table.expire(self.now))

    @invariant()
    def what_was_reported_is_held(self) -> None:
        assert len(self.table) == len(self.reported)
        assert len(list(self.table.instances())) == len(self.reported)


TestTableMachine = TableMachine.TestCase
