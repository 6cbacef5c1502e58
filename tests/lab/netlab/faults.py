"""Faults: each holds from the call that makes it, stacks with others, and can be taken back alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Literal, Self

from netlab.system import nft, traffic_control

Protocol = Literal["tcp", "udp"]
Ports = int | range | Iterable[int]
Direction = Literal["in", "out", "both"]

_serials = itertools.count(1)


class Fault:
    """A fault that is in force, until `restore` or until the end of a ``with`` block."""

    def __init__(self, name: str, undo: Callable[[], None]) -> None:
        self.name = name
        self._undo: Callable[[], None] | None = undo

    @property
    def holds(self) -> bool:
        """Whether it is still in force."""
        return self._undo is not None

    def restore(self) -> None:
        """Take the fault back. The second time does nothing."""
        undo, self._undo = self._undo, None
        if undo:
            undo()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.restore()

    def __repr__(self) -> str:
        return f"<{'fault' if self._undo else 'restored fault'}: {self.name}>"


def drop(name: str, namespace: str, family: Literal["bridge", "inet"], matches: Sequence[str]) -> Fault:
    """Silently drop what is forwarded through ``namespace`` and fits one of the nft ``matches``.

    Dropping happens in a switch or router, never at the sender: there nft would turn the loss into an error of `sendto`.
    """
    return _filter(name, namespace, family, [f"{match} drop" for match in matches])


def reject(name: str, namespace: str, match: str) -> Fault:
    """Answer what is forwarded through a router and fits ``match`` with ICMP "administratively prohibited" (RFC 1812 section 5.2.7.1)."""
    return _filter(name, namespace, "inet", [f"{match} reject with icmpx type admin-prohibited"])


def _filter(name: str, namespace: str, family: str, rules: Sequence[str]) -> Fault:
    # A table of its own for each fault: they stack, and each goes alone.
    table = f"{family} fault{next(_serials)}"
    chain = "\n".join(("type filter hook forward priority 0", *rules))
    nft(namespace, f"table {table} {{\nchain fault {{\n{chain}\n}}\n}}\n")
    return Fault(name, lambda: nft(namespace, f"delete table {table}\n"))


QUEUE_MS = 300
"""Milliseconds of data that wait before a slow link; what comes then is lost, as in the buffers of a real one."""


def slow(name: str, mbit: float, ends: Sequence[tuple[str, str]]) -> Fault:
    """Let no more than ``mbit`` megabits a second out of interfaces, each given as namespace and name (tc-tbf(8))."""
    for namespace, interface in ends:
        traffic_control(namespace, f"qdisc replace dev {interface} root tbf rate {round(mbit * 1000)}kbit burst 16kb latency {QUEUE_MS}ms")

    def undo() -> None:
        for namespace, interface in ends:
            traffic_control(namespace, f"qdisc del dev {interface} root")

    return Fault(name, undo)


def chance(percent: float) -> str:
    """An nft match for ``percent`` of all IP packets, at random; ARP is spared, as the retries of a real Wi-Fi spare it."""
    if not 0 <= percent <= 100:
        raise ValueError(f"{percent} is no percentage")
    # nft refuses a comparison that always holds.
    dice = f"numgen random mod 10000 < {round(percent * 100)}" if percent < 99.995 else ""
    return f"meta protocol {{ ip, ip6 }} {dice}"


MULTICAST = ("meta l4proto udp ip daddr 224.0.0.0/4", "meta l4proto udp ip6 daddr ff00::/8")
"""nft matches for multicast datagrams; IGMP and IPv6 neighbour discovery pass, as on an access point that filters multicast."""


def port_set(ports: Ports) -> str:
    """An nft set of ``ports``: one, a range, or any collection."""
    single = [ports] if isinstance(ports, int) else ports
    return f"{{ {', '.join(str(port) for port in single)} }}"
