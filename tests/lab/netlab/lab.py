"""A site with its LANs, its router and the internet behind, all in network namespaces of this machine."""

from __future__ import annotations

import atexit
from signal import SIGKILL
from types import TracebackType
from typing import Self

from netlab.faults import Fault
from netlab.host import Host
from netlab.internet import Internet, Router
from netlab.lan import Lan
from netlab.namespaces import command_line, process_ids, sweep
from netlab.node import Premises
from netlab.process import Process


class Lab:
    """One site. ``async with Lab() as lab`` builds router and internet, and removes everything at its end, whatever happened inside.

    Building and faults are plain calls, a few milliseconds of `ip` and `nft` each; processes are awaited, since a test waits for several
    of them at once. Nothing of the machine's own namespace changes, and labs of other processes are out of reach.
    """

    internet: Internet
    router: Router

    def __init__(self) -> None:
        self.leftovers: list[str] = []
        """After `close`: the processes that the test had not stopped, described."""
        self._lans: dict[str, Lan] = {}
        self._premises = Premises()

    async def __aenter__(self) -> Self:
        sweep()
        atexit.register(self._premises.namespaces.demolish)
        try:
            self.internet = Internet(self._premises)
            self.router = Router(self._premises, self.internet)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    @property
    def processes(self) -> tuple[Process, ...]:
        """Every process that was started in this lab, the oldest first."""
        return tuple(self._premises.processes)

    def lan(self, name: str = "lan1", *, ipv6: bool = False) -> Lan:
        """The LAN of that name, made at the first call: 10.77.0.0/24, then 10.77.1.0/24 and so on, the router at .1.

        ``ipv6`` adds unique local addresses (fd77::/64, fd77:0:0:1::/64) and a way to the internet for them.
        """
        if name not in self._lans:
            self._lans[name] = Lan(self._premises, name, len(self._lans), self.router, ipv6=ipv6)
        return self._lans[name]

    def host(self, name: str) -> Host:
        """The host of that name, on whichever LAN."""
        return next(lan.hosts[name] for lan in self._lans.values() if name in lan.hosts)

    def cut_wan(self) -> Fault:
        """Take the router's WAN link down: errors come back at once. `Router.cut_wan` says to whom."""
        return self.router.cut_wan()

    def reject_wan(self) -> Fault:
        """Have the router refuse the way to the internet: an error at once, for UDP too."""
        return self.router.reject_wan()

    def black_hole_wan(self) -> Fault:
        """Let all that goes to the internet or comes from it vanish, DNS included, without an error: the worst outage there is."""
        return self.router.black_hole_wan()

    async def close(self) -> None:
        """Note what still runs in ``leftovers``, kill it, and remove namespaces and files. The second time does nothing."""
        self.leftovers += self._running()
        for process in self.processes:
            process.send_signal(SIGKILL)
        self._premises.namespaces.demolish()
        for process in self.processes:
            await process.wait()
        atexit.unregister(self._premises.namespaces.demolish)

    def _running(self) -> list[str]:
        """What was started and runs, and what it started in turn."""
        own = {process.pid for process in self.processes}
        running = [repr(process) for process in self.processes if process.is_running and process not in self._premises.services]
        strays = [pid for name in self._premises.namespaces.names for pid in process_ids(name) if pid not in own]
        return running + [f"a process that one of these started: {command_line(pid)} (pid {pid})" for pid in strays]
