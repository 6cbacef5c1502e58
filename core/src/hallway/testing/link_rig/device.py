"""One life of a device, from its start to its crash or close: its clock, its address, what it knows of the others, its links."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hallway.model import DeviceInfo, Gone, PeerRecord, Seen
from hallway.protocol.peer_table import PeerTable
from hallway.testing.link_rig.end import End
from hallway.testing.link_rig.values import Offer

if TYPE_CHECKING:
    from hallway.testing.link_rig.rig import Rig

SLEEP_NOTICED = 1.0
"""Seconds in which a device notices that it has slept, at most."""
ADDRESS_NOTICED = 0.3
"""Seconds in which a device notices that its address has changed, at most."""


class Device:
    """``epoch`` is that of this life."""

    def __init__(self, rig: Rig, name: str, epoch: str, address: str) -> None:
        self.rig, self.name, self.epoch, self.address = rig, name, epoch, address
        self.ends: dict[str, End] = {}
        self.alive = True
        self.stalled_until = 0.0
        self._offset = 0.0
        self._table = PeerTable(DeviceInfo(name, "p", epoch=epoch))

    @property
    def now(self) -> float:
        """The time of the device's own clock."""
        return self.rig.schedule.now + self._offset

    def end(self, peer: str) -> End:
        """The link to ``peer``, a new one if nothing is known of it."""
        known = self.ends.get(peer.lower())
        if known is None or known.link.forgettable:
            known = self.ends[peer.lower()] = End(self, peer)
        return known

    def records(self, *, near: bool) -> dict[str, PeerRecord]:
        """What each source can tell of this device."""
        records = {"mdns": PeerRecord(self.name, "p", endpoints=(f"http://{self.address}:8090",), epoch=self.epoch)} if near else {}
        if self.rig.setting.cloud:
            records["cloud"] = PeerRecord(self.name, "p", endpoints=(f"cloud:{self.name}",), epoch=self.epoch)
        return records

    def look(self, name: str, *, near: bool = True) -> None:
        """Discovery reports what there is to see of a device now; ``near``: on the LAN too."""
        other = self.rig.devices[name.lower()]
        if not other.alive or not self.rig.setting.sight.has(self.name, name):
            return
        for source, record in other.records(near=near).items():
            silent = self.rig.network.blocked(other, self, distant=source == "cloud")
            if not silent and self._table.apply(source, Seen(record)) is not None:
                self._refresh(name)

    def lose_sight(self, name: str) -> None:
        """Discovery reports that a device has gone."""
        for source in ("mdns", "cloud"):
            if self._table.apply(source, Gone(name)) is not None:
                self._refresh(name)

    def _refresh(self, name: str) -> None:
        record = self._table.merged(name)
        if record is None:
            self.end(name).gone()
        else:
            self.end(name).seen(record, self._table.announced(name))

    def offered(self, offer: Offer) -> None:
        """An offer arrives."""
        self.end(offer.end.device.name).offered(offer)

    def pause(self, seconds: float) -> None:
        """The application does not read for a while."""
        for end in self.ends.values():
            end.pause(seconds)

    def stall(self, seconds: float) -> None:
        """The process is stopped for a while (SIGSTOP); nobody tells it."""
        self.stalled_until = self.rig.schedule.now + seconds
        if seconds > SLEEP_NOTICED:
            self._notice_sleep(seconds)

    def jump(self, seconds: float) -> None:
        """The device was suspended: its clock has gone on, and nothing has happened."""
        self._offset += seconds
        self.rig.schedule.jump(self, seconds)
        self._notice_sleep(0.0)

    def _notice_sleep(self, seconds: float) -> None:
        self.rig.schedule.alarm(self, seconds + self.rig.random.uniform(0.0, SLEEP_NOTICED), self.renew)

    def renew(self) -> None:
        """The device notices that it has slept."""
        for end in list(self.ends.values()):
            end.renew()

    def readdress(self) -> None:
        """The address changes from one moment to the next: every channel is dead, and the others hear of it later."""
        self.address = self.rig.new_address()
        for end in self.ends.values():
            for run in end.runs.values():
                if run.pipe is not None:
                    self.rig.kill(run.pipe)
        self.rig.schedule.alarm(self, self.rig.random.uniform(0.0, ADDRESS_NOTICED), self._readdressed)
        self.rig.announce(self, self.rig.random.choice((0.1, 1.0, 5.0)))

    def _readdressed(self) -> None:
        for end in list(self.ends.values()):
            end.readdressed()

    def close(self) -> None:
        """The device leaves as it should."""
        for end in self.ends.values():
            end.close()
        for other in self.rig.others(self):
            if not self.rig.network.blocked(self, other, distant=False):
                self.rig.schedule.tell(other, self.rig.network.delay(), partial(other.lose_sight, self.name))

    def crash(self) -> None:
        """The device is gone from one moment to the next, and its channels tell nobody."""
        self.alive = False
        for end in self.ends.values():
            for run in end.runs.values():
                if run.pipe is not None:
                    self.rig.kill(run.pipe)

    def __str__(self) -> str:
        return f"{self.name}/{self.epoch}"
