"""A property on disk: the state folders of its devices, as an enrolment would leave them, and what an admin does later."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Collection
from ipaddress import ip_address, ip_network
from pathlib import Path

from sealed_site import description

from hallway.model import DeviceInfo, IcePolicy
from hallway.network import InterfaceAddress
from hallway.trust.credential import DEVICE_LIFE, Chain, Subject, issue, issue_admin, verify_chain
from hallway.trust.group import GroupSecret
from hallway.trust.keys import DeviceKeys, SigningKey
from hallway.trust.membership import Membership
from hallway.trust.roster import Draft, Member, Roster, following, issue_roster, verify_roster
from hallway.trust.roster_book import HeldSecret, RosterBook
from hallway.trust.sealed_guard import SealedGuard
from hallway.trust.state import TrustState
from hallway.webrtc.candidates import Reach
from netlab import Host, Process


class Property:
    """A property with the admin ``desk`` (or another name) and further devices, whose states are folders below ``folder``.

    The credentials of ``ended`` were good until a minute ago.
    """

    def __init__(self, folder: Path, *names: str, admin: str = "desk", ended: Collection[str] = ()) -> None:
        self._folder = folder
        self._root = SigningKey.generate(os.urandom)
        now = time.time() - 60
        self._admin = DeviceKeys.generate(os.urandom)
        subject = Subject(self._admin.identity.public, self._admin.sealing.public, admin)
        token = issue_admin(self._root, subject, now, os.urandom)
        self._own = verify_chain([token], self._root.public, now)
        self.devices: dict[str, tuple[DeviceKeys, Chain]] = {admin: (self._admin, self._own)}
        for name in names:
            self.devices[name] = self._take_in(name, now - DEVICE_LIFE if name in ended else now)
        self.secret = GroupSecret.generate(os.urandom)
        members = tuple(Member.of(chain.leaf) for _, chain in self.devices.values())
        self.roster = self._signed(Draft(1, members), now)
        for name in self.devices:
            self.write(name)

    def _take_in(self, name: str, now: float) -> tuple[DeviceKeys, Chain]:
        keys = DeviceKeys.generate(os.urandom)
        token = issue(self._admin.identity, self._own, Subject(keys.identity.public, keys.sealing.public, name), now, os.urandom, epoch=1)
        return keys, verify_chain([token, *self._own.tokens], self._root.public, None)

    def _signed(self, draft: Draft, now: float) -> Roster:
        return verify_roster(issue_roster(self._admin.identity, self._own, draft, self.secret, now), self._root.public, now)

    def membership(self, name: str) -> Membership:
        """What the device has."""
        keys, chain = self.devices[name]
        book = RosterBook(self._root.public, keys, self.roster, [HeldSecret(self.roster.epoch, self.secret)])
        return Membership(keys, self._root.public, chain, book)

    def state(self, name: str) -> Path:
        """The state folder of a device."""
        return self._folder / name

    def offer(self, sender: str, to: str) -> bytes:
        """A sealed offer, with an address that nobody has."""
        interfaces = [InterfaceAddress("eth0", 1, ip_address("10.77.0.1"), ip_network("10.77.0.0/24"))]
        reach = Reach.of(IcePolicy.LAN, interfaces)
        guard = SealedGuard(DeviceInfo(sender, "x", epoch="e"), self.membership(sender), lambda: reach, os.urandom)
        return guard.seal(to, description("offer"), time.time()).body

    def write(self, name: str) -> None:
        """Write the state folder of a device as of now."""
        state = TrustState(self.state(name))
        state.save_keys(self.devices[name][0])
        state.save(self.membership(name))

    def loaded(self, name: str) -> Membership:
        """What the device has kept."""
        return TrustState(self.state(name)).load()

    def learns(self, name: str) -> None:
        """The device, which is not running, takes in the newest roster."""
        membership = self.loaded(name)
        membership.learn(self.roster.text, time.time())
        TrustState(self.state(name)).save(membership)

    def revoke(self, name: str) -> str:
        """Make the roster of the next epoch, without that device; nobody has it yet but who is given it."""
        sub = self.devices[name][0].id
        draft = following(self.roster, revoke=[sub], now=time.time())
        self.secret = GroupSecret.generate(os.urandom)
        self.roster = self._signed(draft, time.time())
        return self.roster.text


async def sealed_up(host: Host, state: Path, *settings: str, level: str = "info", program: str = "") -> Process:
    """Start the device whose state folder is ``state`` on ``host``; ``program`` is a script that does what ``hallway`` does."""
    options = [part for setting in (f"trust.state={state}", *settings) for part in ("--set", setting)]
    start = [program] if program else ["-m", "hallway.cli"]
    return await host.spawn([sys.executable, *start, "up", "--json", "--log-level", level, *options])
