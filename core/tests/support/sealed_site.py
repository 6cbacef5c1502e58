"""A property with its admin and devices, made from a seed: the same keys and bytes in every run."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable
from typing import Any

from hallway.errors import Untrusted
from hallway.model import Binding, Description, DeviceInfo, Envelope, IcePolicy, Origin
from hallway.network import InterfaceAddress
from hallway.trust.credential import Chain, Subject, issue, issue_admin, verify_chain
from hallway.trust.group import GroupSecret
from hallway.trust.keys import DeviceKeys, SigningKey
from hallway.trust.membership import Membership
from hallway.trust.roster import Draft, Member, Roster, following, issue_roster, verify_roster
from hallway.trust.roster_book import HeldSecret, RosterBook
from hallway.trust.sealed_guard import SealedGuard
from hallway.webrtc.candidates import Reach
from hallway.webrtc.sdp import Fingerprint, LocalDescription

NOW = 1_800_000_000.0
ORIGIN = Origin("http-local", "10.0.0.7")
LAN = Reach.of(IcePolicy.LAN, [InterfaceAddress("eth0", 1, ipaddress.ip_address("10.0.0.1"), ipaddress.ip_network("10.0.0.0/24"))])


def reason_of(call: Callable[..., Any], *arguments: Any, **options: Any) -> str:
    """Why ``call`` does not trust what it is given; "" if it does."""
    try:
        call(*arguments, **options)
    except Untrusted as error:
        return error.reason
    return ""


def fingerprint(number: int) -> str:
    return ":".join([f"{number:02X}"] * 32)


def sdp(kind: str = "offer", number: int = 1, candidates: tuple[str, ...] = ("1 1 udp 2122260223 10.0.0.7 5000 typ host",)) -> str:
    setup: Any = "actpass" if kind == "offer" else "active"
    description = LocalDescription("abcd", "x" * 22, Fingerprint("sha-256", fingerprint(number)), setup, candidates, "10.0.0.7", 5000)
    return description.render(7)


def description(kind: Any = "offer", number: int = 1) -> Description:
    return Description("webrtc", kind, sdp(kind, number))


class Site:
    """A property. ``devices`` maps names to keys; every one is in the roster of epoch 1 but ``stranger``s made later."""

    def __init__(self, *names: str, seed: int = 1) -> None:
        self.random = random.Random(seed).randbytes
        self.root = SigningKey.generate(self.random)
        self.admins: dict[str, tuple[DeviceKeys, Chain]] = {}
        self.devices: dict[str, tuple[DeviceKeys, Chain]] = {}
        self.admin("admin")
        for name in names:
            self.device(name)
        self.secret = GroupSecret.generate(self.random)
        members = tuple(Member.of(chain.leaf) for _, chain in (*self.admins.values(), *self.devices.values()))
        self.roster = self.signed(Draft(1, members), self.secret)

    def admin(self, name: str) -> tuple[DeviceKeys, Chain]:
        keys = DeviceKeys.generate(self.random)
        token = issue_admin(self.root, Subject(keys.identity.public, keys.sealing.public, name), NOW - 1000, self.random)
        self.admins[name] = keys, verify_chain([token], self.root.public, NOW)
        return self.admins[name]

    def device(self, name: str, *, at: float = NOW - 1000) -> tuple[DeviceKeys, Chain]:
        keys, (admin, own) = DeviceKeys.generate(self.random), self.admins["admin"]
        subject = Subject(keys.identity.public, keys.sealing.public, name)
        token = issue(admin.identity, own, subject, at, self.random, epoch=1)
        self.devices[name] = keys, verify_chain([token, *own.tokens], self.root.public, at)
        return self.devices[name]

    def signed(self, draft: Draft, secret: GroupSecret, by: str = "admin", at: float = NOW - 500) -> Roster:
        keys, chain = self.admins[by]
        return verify_roster(issue_roster(keys.identity, chain, draft, secret, at), self.root.public, at)

    def next(self, current: Roster, *, revoke: tuple[str, ...] = (), add: tuple[Member, ...] = (), by: str = "admin") -> Roster:
        ids = [self.found(name)[0].id for name in revoke]
        return self.signed(following(current, revoke=ids, add=add, now=NOW), GroupSecret.generate(self.random), by)

    def found(self, name: str) -> tuple[DeviceKeys, Chain]:
        return self.devices.get(name) or self.admins[name]

    def membership(self, name: str) -> Membership:
        keys, chain = self.found(name)
        book = RosterBook(self.root.public, keys, self.roster, [HeldSecret(1, self.secret)])
        return Membership(keys, self.root.public, chain, book)

    def guard(self, name: str) -> SealedGuard:
        return SealedGuard(DeviceInfo(name, "hotel", epoch=f"start-{name}"), self.membership(name), lambda: LAN, self.random)


def binding(local: int, remote: int) -> Binding:
    return Binding(f"sha-256 {fingerprint(local)}", f"sha-256 {fingerprint(remote)}")


def offer(one: SealedGuard, two_name: str, now: float = NOW, number: int = 1) -> Envelope:
    return one.seal(two_name, description("offer", number), now)
