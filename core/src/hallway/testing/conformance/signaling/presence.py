"""What a carrier sees of others."""

from __future__ import annotations

from hallway.testing.conformance.bench import until
from hallway.testing.conformance.signaling.bench import ANSWER, SignalingBase, SignalingBench
from hallway.testing.conformance.suite import requires


class Presence(SignalingBase):
    """A carrier that sees who is there tells of the peers, and of nobody else."""

    @requires("presence")
    async def test_peers_are_reported_when_they_come_and_when_they_go(self, bench: SignalingBench) -> None:
        """Both see each other, with endpoints that work; one that closes is gone."""
        far = bench.far.device
        await bench.endpoint(bench.far, bench.near)
        assert await bench.near.request(await bench.endpoint(bench.near, bench.far)) == ANSWER
        record = bench.near.peers[far.device_id]
        assert (record.property_id, record.device_type, record.epoch) == (far.property_id, far.device_type, far.epoch)
        await bench.far.aclose()
        await until(lambda: far.device_id not in bench.near.peers, "a device that closed was reported gone")

    @requires("presence")
    async def test_devices_of_other_properties_are_not_reported(self, bench: SignalingBench) -> None:
        """Devices of another property see each other, and we see none of them."""
        foreign = [bench.party(bench.info("foreign", property_id="elsewhere-" + bench.property_id)) for _ in range(2)]
        for party in foreign:
            await party.start()
        await bench.endpoint(foreign[0], foreign[1])
        friend = bench.party()
        await friend.start()
        await bench.endpoint(bench.near, friend)
        assert set(bench.near.peers) <= {bench.far.device.device_id, friend.device.device_id}

    async def test_a_carrier_without_presence_reports_nobody(self, bench: SignalingBench, url: str) -> None:
        """Being asked is no sighting."""
        await bench.near.request(url)
        assert self.capabilities.presence or bench.near.peers == bench.far.peers == {}
