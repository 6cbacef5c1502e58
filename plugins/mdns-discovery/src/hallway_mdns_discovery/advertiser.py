"""Advertises this device: asks whether its name is free, announces it, defends it, and says goodbye.

zeroconf's own registration is not used: it takes 1.2 s, asks only for unicast answers (which another process of this machine may get
instead) and never looks again once it has the name.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque

from zeroconf import RecordUpdate, RecordUpdateListener, ServiceInfo, Zeroconf

from hallway.protocol.bucket import Bucket
from hallway_mdns_discovery._answers import Answers
from hallway_mdns_discovery._conflict import Conflict, Credit, Rival
from hallway_mdns_discovery._dns import (
    CLASS_IN,
    QUERY,
    TYPE_A,
    TYPE_AAAA,
    TYPE_ANY,
    UNIQUE,
    DNSAddress,
    DNSOutgoing,
    DNSPointer,
    DNSQuestion,
    DNSRecord,
)
from hallway_mdns_discovery._former import FormerAddresses

PROBES = 3
PROBE_INTERVAL = 0.075
"""Seconds. RFC 6762 section 8.1 says 250 ms; a holder of the name answers at once, and one that was missed is noticed later (section 9)."""
ANNOUNCE_AFTER = (1.0, 2.0)
"""Seconds between announcements (RFC 6762 section 8.3)."""
PACE = (1.0, 8.0)
"""How many changes a second are announced, and how many at once: a hostile router can give this device addresses without end."""
PATIENCE = (1.0, 60.0)
"""Seconds between announcements that others provoke: the first wait and the longest (RFC 6762 sections 6 and 8.1)."""
RETRY = (1.5, 900.0)
"""Seconds until a name that another device holds is tried again: the first wait, longer each time that it is held, and the longest."""
GOODBYES = 3
GOODBYE_INTERVAL = 0.05
"""Seconds; a lost goodbye would cost others the TTL."""


class Advertiser(RecordUpdateListener):
    """Holds one name on the link, or waits for it. Never renames: the name is the device.

    The device that has a name answers who asks for it, and the newcomer waits. Of two that announced it at once, or meet later, one goes
    silent; but to what answers for no name (see `Credit`) none is left. The host name is not asked for: the machine's own responder may
    rightly hold the same one.
    """

    def __init__(self, zeroconf: Zeroconf, name: str) -> None:
        self._zeroconf = zeroconf
        self._key = name.lower()
        self._wanted: ServiceInfo | None = None
        self._held: ServiceInfo | None = None
        self._own: deque[tuple[str, int] | bytes] = deque(maxlen=32)
        self._former = FormerAddresses()
        self._conflict = Conflict(name)
        self._credit = Credit()
        self._yielded = False
        self._rivals: deque[Rival] = deque(maxlen=1)
        self._attempts = 0
        self._patience = PATIENCE[0]
        self._announced_at = float("-inf")
        self._loop = asyncio.get_running_loop()
        self._pace = Bucket(*PACE, self._loop.time())
        self._changed = asyncio.Event()
        self._provoked: asyncio.TimerHandle | None = None

    @property
    def holds(self) -> bool:
        """Whether the name is ours and answered for."""
        return self._held is not None

    def offer(self, info: ServiceInfo | None) -> None:
        """Advertise ``info`` from now on; None withdraws. Returns at once, and does nothing if that is so already."""
        if _content(info) == _content(self._wanted):
            return
        self._wanted = info
        if info is not None:
            self._own.extend((info.text, (info.server_key or "", info.port or 0)))
        self._changed.set()

    def again(self) -> None:
        """Announce at once what is advertised, or try again for a name that another device holds."""
        self._changed.set()

    async def run(self) -> None:
        """Advertise until cancelled; the last `goodbye` is left to the caller."""
        self._zeroconf.async_add_listener(self, None)
        try:
            while True:
                self._changed.clear()
                await self._step()
        finally:
            self._zeroconf.async_remove_listener(self)
            if self._provoked is not None:
                self._provoked.cancel()
                self._provoked = None

    async def goodbye(self) -> None:
        """Withdraw the records, if they were announced (RFC 6762 section 10.1). The first packet leaves before anything is awaited."""
        info, self._held = self._held, None
        if info is None:
            return
        self._silence(info)
        for count in range(GOODBYES):
            if count:
                await asyncio.sleep(GOODBYE_INTERVAL)
            # The host's addresses stay true, and may be another responder's as well.
            self._zeroconf.async_send(self._zeroconf.generate_service_broadcast(info, 0, broadcast_addresses=False))

    async def _step(self) -> None:
        if self._wanted is None:
            await self.goodbye()
            await self._changed.wait()
        elif self._held is None:
            await self._claim(self._wanted)
        else:
            await self._hold(self._wanted)

    async def _claim(self, info: ServiceInfo) -> None:
        rival = await self._find_rival(info)
        if rival is not None:
            return await self._wait(rival)
        if self._yielded:
            self._credit.undefended(self._loop.time())
        self._yielded = False
        self._zeroconf.registry.async_add(info)
        self._held = info
        self._attempts = 0
        self._changed.set()
        return None

    async def _find_rival(self, info: ServiceInfo) -> Rival | None:
        self._rivals.clear()
        for _ in range(PROBES):
            self._zeroconf.async_send(_probe(info))
            await asyncio.sleep(PROBE_INTERVAL)
            if self._rivals and not self._credit.is_lost(self._loop.time()):
                return self._rivals[0]
        return None

    async def _wait(self, rival: Rival) -> None:
        self._yielded = False
        delay = min(RETRY[0] * 2**self._attempts, RETRY[1]) * random.uniform(0.75, 1.25)
        self._attempts = min(self._attempts + 1, 16)
        self._conflict.lost(rival, delay)
        await self._pause(delay)

    async def _hold(self, info: ServiceInfo) -> None:
        if self._held is not info:
            self._zeroconf.registry.async_update(info)
            self._hush()
            self._held = info
        wait = self._pace.wait(self._loop.time())
        if wait and await self._pause(wait):
            return
        self._pace.take(self._loop.time())
        self._announce(info)
        for delay in ANNOUNCE_AFTER:
            if await self._pause(delay):
                return
            self._announce(info)
        await self._changed.wait()

    def _announce(self, info: ServiceInfo) -> None:
        self._announced_at = now = self._loop.time()
        out = self._zeroconf.generate_service_broadcast(info, None)
        for former in self._former.announce(_packed(info), info.host_ttl, now):
            kind = TYPE_A if len(former) == 4 else TYPE_AAAA
            out.add_answer_at_time(DNSAddress(info.server or "", kind, CLASS_IN | UNIQUE, 0, former), 0)
        self._zeroconf.async_send(out)

    async def _pause(self, seconds: float) -> bool:
        """Wait; True as soon as there is something new to do."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def async_update_records(self, zc: Zeroconf, now: float, records: list[RecordUpdate]) -> None:
        """Notice who says goodbye in our name, and who uses it."""
        if not any(self._concerns(update.new) for update in records):
            return
        answers = Answers(zc.cache)
        answers.add((update.new for update in records), now)
        rival = Rival.among(answers, self._key, self._own)
        if rival is not None:
            self._meet(rival)
        elif self._key in answers.left and self._wanted is not None:
            # Ours, and others have forgotten us: say it again. Our rival's: the name is free.
            self._provoke()

    def async_update_records_complete(self) -> None:
        """Nothing: whoever uses our name was met already."""

    def _concerns(self, record: DNSRecord) -> bool:
        return record.key == self._key or (isinstance(record, DNSPointer) and record.alias.lower() == self._key)

    def _meet(self, rival: Rival) -> None:
        now = self._loop.time()
        self._rivals.append(rival)
        self._credit.hear(rival, now)
        if self._credit.is_lost(now):
            self._keep_from(rival)
        elif self._held is not None and not rival.outranks(self._held.text, self._held.port or 0):
            self._conflict.won(rival)
            self._provoke()
        elif self._held is not None:
            self._yield()

    def _keep_from(self, rival: Rival) -> None:
        self._conflict.forged(rival)
        if self._held is None:
            self._changed.set()
        else:
            self._provoke()

    def _yield(self) -> None:
        assert self._held is not None
        self._yielded = True
        # Without a goodbye, which would withdraw the pointer that both devices share.
        self._silence(self._held)
        self._held = None
        self._changed.set()

    def _silence(self, info: ServiceInfo) -> None:
        """Answer no more, not even what was held back: it would bring us back after the goodbye."""
        self._zeroconf.registry.async_remove(info)
        self._hush()

    def _hush(self) -> None:
        """Drop the answers that zeroconf holds back for up to 1.2 s: they say what is not true any more."""
        self._zeroconf.out_queue.queue.clear()
        self._zeroconf.out_delay_queue.queue.clear()

    def _provoke(self) -> None:
        """Work again soon; the more often others cause it, the later."""
        if self._provoked is not None:
            return
        quiet = self._loop.time() - self._announced_at
        self._patience = PATIENCE[0] if quiet > 2 * self._patience else min(2 * self._patience, PATIENCE[1])
        self._provoked = self._loop.call_later(max(0.0, self._patience - quiet), self._answer_provocation)

    def _answer_provocation(self) -> None:
        self._provoked = None
        self._changed.set()


def _packed(info: ServiceInfo) -> list[bytes]:
    return [record.address for record in info.dns_addresses()]


def _content(info: ServiceInfo | None) -> object:
    """What makes an advertisement another one. Our instance, host and lifetime never change."""
    return None if info is None else (info.text, info.port, sorted(_packed(info)))


def _probe(info: ServiceInfo) -> DNSOutgoing:
    """Ask for any record of the name, with the proposed ones in the authority section (RFC 6762 sections 8.1 and 8.2)."""
    out = DNSOutgoing(QUERY)
    out.add_question(DNSQuestion(info.name, TYPE_ANY, CLASS_IN))
    # The method for this takes pointers only.
    out.authorities.extend((info.dns_service(), info.dns_text()))  # type: ignore[arg-type]
    return out
