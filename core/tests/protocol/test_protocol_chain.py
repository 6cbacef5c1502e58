from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallway.model import IcePolicy, Mode, PeerRecord
from hallway.protocol.chain import CLOUD_PATIENCE, LAN_PATIENCE, MAX_ENDPOINTS, NEAR_CLOUD_PATIENCE, STAGGER, Attempts, ChainEntry, tries

LAN = ChainEntry("http-local", Mode.LOCAL, IcePolicy.LAN, frozenset({"http"}))
CLOUD = ChainEntry("cloud-ws", Mode.CLOUD, IcePolicy.WAN, frozenset({"wss", "ws"}))


def record(*endpoints: str) -> PeerRecord:
    return PeerRecord("tablet-1", "p", endpoints=endpoints)


def test_plugins_are_tried_in_the_order_of_the_chain_each_with_its_own_endpoints():
    peer = record("wss://cloud/1", "http://10.0.0.7:8090", "memory://x")
    attempts = Attempts()
    assert [(each.entry.plugin, each.endpoints) for each in tries([LAN, CLOUD], peer, attempts)] == [
        ("http-local", ("http://10.0.0.7:8090",)),
        ("cloud-ws", ("wss://cloud/1",)),
    ]
    assert [each.entry.plugin for each in tries([CLOUD, LAN], peer, attempts)] == ["cloud-ws", "http-local"]
    assert str(attempts) == "nothing was tried"


def test_the_lan_has_a_second_and_a_half_and_the_cloud_thirty():
    (lan,) = tries([LAN], record("http://a:1"), Attempts())
    (cloud,) = tries([LAN, CLOUD], record("ws://b:2"), Attempts())
    assert (lan.patience, cloud.patience) == (LAN_PATIENCE, CLOUD_PATIENCE) == (1.5, 30.0)


def test_the_cloud_has_less_while_there_is_a_way_over_the_lan():
    planned = tries([LAN, CLOUD], record("http://a:1", "ws://b:2"), Attempts())
    assert [each.patience for each in planned] == [LAN_PATIENCE, NEAR_CLOUD_PATIENCE]


def test_endpoints_of_one_plugin_are_raced_in_their_order_within_its_patience():
    (only,) = tries([LAN], record("http://a:1", "http://b:2"), Attempts())
    assert (only.endpoints, only.patience) == (("http://a:1", "http://b:2"), LAN_PATIENCE)
    assert STAGGER * MAX_ENDPOINTS < LAN_PATIENCE


def test_near_leaves_out_what_may_lead_away_from_the_lan():
    attempts = Attempts()
    (only,) = tries([CLOUD, LAN], record("http://a:1", "wss://b"), attempts, near=True)
    assert only.entry is LAN
    assert not attempts.reasons


def test_a_plugin_without_an_endpoint_leaves_its_reason_at_once():
    attempts = Attempts()
    assert tries([LAN, CLOUD], record("http://a:1"), attempts)[0].entry is LAN
    assert attempts.reasons == {"cloud-ws": "the peer has no endpoint for it"}


def test_reasons_are_told_in_order_and_the_last_of_each_plugin_counts():
    attempts = Attempts()
    for plugin, reason in [("http-local", "refused"), ("cloud-ws", "away"), ("http-local", "no answer")]:
        attempts.failed(plugin, reason)
    assert str(attempts) == "http-local: no answer; cloud-ws: away"


def test_reasons_are_told_in_the_order_of_the_chain_also_where_a_later_plugin_has_no_endpoint():
    attempts = Attempts()
    tries([LAN, CLOUD], record("http://a:1"), attempts)
    attempts.failed("http-local", "refused")
    assert str(attempts) == "http-local: refused; cloud-ws: the peer has no endpoint for it"


@given(
    endpoints=st.lists(st.text(max_size=20) | st.sampled_from(["http://a:1", "wss://b", "http://[::1]:8090"]), max_size=10),
    chain=st.lists(st.sampled_from([LAN, CLOUD]), unique=True, max_size=2),
)
@pytest.mark.fuzz
def test_whatever_a_peer_advertises_each_plugin_has_one_turn_and_few_endpoints(endpoints, chain):
    attempts = Attempts()
    planned = tries(chain, record(*endpoints), attempts)
    for entry in chain:
        mine = [each for each in planned if each.entry is entry]
        assert len(mine) <= 1
        assert all(0 < len(each.endpoints) <= MAX_ENDPOINTS for each in mine)
        assert bool(mine) is not (entry.plugin in attempts.reasons)
