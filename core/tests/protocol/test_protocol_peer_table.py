from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hallway.model import DeviceInfo, Gone, PeerRecord, Seen, same_device
from hallway.protocol.peer_table import CAPACITY, MAX_AT_ONE_HOST, Found, Lost, PeerTable, Updated

DEVICE = DeviceInfo("tablet-1", "p", epoch="e1")


def record(device_id: str, *endpoints: str, property_id: str = "p", epoch: str | None = None) -> PeerRecord:
    return PeerRecord(device_id, property_id, endpoints=endpoints, epoch=epoch)


def table(*sightings: tuple[str, PeerRecord]) -> PeerTable:
    made = PeerTable(DEVICE)
    for plugin, seen in sightings:
        made.apply(plugin, Seen(seen))
    return made


def test_a_peer_is_found_once_by_each_source_and_updated_after_that():
    peers, first, second = PeerTable(DEVICE), record("b", "http://a:1"), record("b", "http://a:2")
    assert peers.apply("mdns", Seen(first)) == Found(first, "mdns")
    assert peers.apply("mdns", Seen(first)) is None
    assert peers.apply("mdns", Seen(second)) == Updated(second, "mdns")
    assert peers.apply("cloud", Seen(first)) == Found(first, "cloud")


def test_a_peer_is_lost_for_good_when_its_last_source_loses_it():
    peers = table(("mdns", record("b", "http://a:1")), ("cloud", record("b", "wss://c")))
    assert peers.apply("mdns", Gone("B")) == Lost(record("b", "http://a:1"), "mdns", last=False)
    assert peers.apply("mdns", Gone("b")) is None
    assert peers.apply("cloud", Gone("b")) == Lost(record("b", "wss://c"), "cloud", last=True)
    assert peers.records("b") == ()
    assert peers.merged("b") is None


def test_the_merged_record_has_the_endpoints_of_all_and_an_epoch_if_anybody_knows_it():
    peers = table(("mdns", record("b", "http://a:1", "http://a:2")), ("cloud", record("B", "wss://c", "http://a:1", epoch="e7")))
    assert peers.merged("b") == record("b", "http://a:1", "http://a:2", "wss://c", epoch="e7")
    assert peers.sightings() == {"b": ("mdns", "cloud")}


def test_this_device_and_other_properties_are_not_peers():
    peers = PeerTable(DEVICE)
    assert peers.apply("mdns", Seen(record("TABLET-1"))) is None
    assert peers.apply("mdns", Seen(record("b", property_id="P"))) is None
    assert peers.sightings() == {}


def test_hearsay_takes_no_place_from_those_who_tell_of_themselves():
    everywhere = [("introduced", record(f"d{number}", f"http://10.0.{number}.1:1")) for number in range(CAPACITY)]
    newcomer = record("newcomer", "http://10.1.0.1:1")
    peers = table(*everywhere)
    assert peers.apply("introduced", Seen(newcomer)) is None
    assert peers.apply("mdns", Seen(newcomer)) == Found(newcomer, "mdns")
    at_its_host = table(*[("introduced", record(f"d{number}", f"http://10.1.0.1:{number}")) for number in range(MAX_AT_ONE_HOST)])
    assert at_its_host.apply("mdns", Seen(newcomer)) == Found(newcomer, "mdns")


def test_a_peer_of_which_only_others_tell_is_a_rumour():
    peers = table(("introduced", record("b", "http://a:1")))
    assert peers.is_rumour("B")
    peers.apply("mdns", Seen(record("b", "http://a:1")))
    assert not peers.is_rumour("b")
    assert not peers.is_rumour("unknown")


def test_a_full_table_takes_no_more_peers_but_news_of_those_it_has():
    peers = table(*(("mdns", record(f"d{number}")) for number in range(CAPACITY)))
    assert peers.apply("mdns", Seen(record("one-more"))) is None
    assert peers.apply("mdns", Seen(record("d0", "http://a:1"))) == Updated(record("d0", "http://a:1"), "mdns")
    peers.apply("mdns", Gone("d1"))
    assert peers.apply("mdns", Seen(record("one-more"))) == Found(record("one-more"), "mdns")


IDS = st.sampled_from(["tablet-1", "TABLET-1", "b", "B", "c", "d-1"]) | st.integers(0, CAPACITY + 20).map("n{}".format)
RECORDS = st.builds(
    PeerRecord,
    IDS,
    st.sampled_from(["p", "p", "p", "other"]),
    endpoints=st.lists(st.sampled_from(["http://a:1", "http://b:2"]), unique=True).map(tuple),
    epoch=st.sampled_from([None, "e1", "e2"]),
)
PLUGINS = st.sampled_from(["mdns", "cloud"])


class TableMachine(RuleBasedStateMachine):
    """The table beside the plainest thing that could be right: a dictionary by source and lower-case id."""

    def __init__(self) -> None:
        super().__init__()
        self.table = PeerTable(DEVICE)
        self.model: dict[tuple[str, str], PeerRecord] = {}

    def known(self) -> set[str]:
        return {key for _, key in self.model}

    @rule(plugin=PLUGINS, seen=RECORDS)
    def see(self, plugin: str, seen: PeerRecord) -> None:
        change, key = self.table.apply(plugin, Seen(seen)), seen.device_id.lower()
        before = self.model.get((plugin, key))
        full = key not in self.known() and len(self.known()) >= CAPACITY
        if same_device(key, DEVICE.device_id) or seen.property_id != "p" or full:
            assert change is None
        else:
            self.model[plugin, key] = seen
            assert change == (None if before == seen else Found(seen, plugin) if before is None else Updated(seen, plugin))

    @rule(plugin=PLUGINS, device_id=IDS)
    def lose(self, plugin: str, device_id: str) -> None:
        key = device_id.lower()
        before = self.model.pop((plugin, key), None)
        assert self.table.apply(plugin, Gone(device_id)) == (None if before is None else Lost(before, plugin, last=key not in self.known()))

    @rule(count=st.integers(1, CAPACITY))
    def crowd(self, count: int) -> None:
        for number in range(count):
            self.see("mdns", record(f"n{number}"))

    @invariant()
    def the_table_has_what_the_model_has(self) -> None:
        assert {name.lower() for name in self.table.sightings()} == self.known()
        assert len(self.known()) <= CAPACITY
        for key in list(self.known())[:5]:
            merged = self.table.merged(key)
            assert merged is not None
            expected = {endpoint for (_, other), each in self.model.items() if other == key for endpoint in each.endpoints}
            assert set(merged.endpoints) == expected


TestTableMachine = TableMachine.TestCase
TestTableMachine.settings = settings(max_examples=30, stateful_step_count=30)
