"""Browses: hears every response, asks the questions that keep the table fresh, and tells of what changed.

zeroconf's own browser is not used: it falls silent after four questions until three quarters of a TTL have passed, schedules without
bound for whatever names a flood carries, and tells of no record that merely came again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable

from zeroconf import RecordUpdate, RecordUpdateListener, Zeroconf

from hallway.model import PeerRecord, Sighting
from hallway.network import Lan
from hallway_mdns_discovery._answers import Answers
from hallway_mdns_discovery._dns import CLASS_IN, QUERY, TYPE_A, TYPE_AAAA, TYPE_ANY, TYPE_PTR, DNSOutgoing, DNSPointer, DNSQuestion
from hallway_mdns_discovery._faces import Face
from hallway_mdns_discovery._table import MAX_LIFETIME, PeerTable, Unresolved

MAX_INTERVAL = 60.0
"""Seconds: RFC 6762 section 5.2 would let questions grow an hour apart; a Wi-Fi that lost the announcements must not cost that."""
MAX_QUESTIONS = 32


class Browser(RecordUpdateListener):
    """Finds the instances that ``face`` can read and ``wanted`` accepts.

    Not thread-safe; ``tell`` is called from the loop's thread.
    """

    def __init__(
        self, zeroconf: Zeroconf, face: Face, lan: Lan, wanted: Callable[[PeerRecord], bool], tell: Callable[[Sighting], None]
    ) -> None:
        self._zeroconf = zeroconf
        self._face = face
        self._lan = lan
        self._wanted = wanted
        self._tell = tell
        self._began = 0.0
        self._table = PeerTable()
        self._unresolved = Unresolved()
        self._answers = self._none()
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._rounds = 0
        self._browse_at = 0.0

    async def run(self) -> None:
        """Ask until cancelled."""
        self._zeroconf.async_add_listener(self, None)
        try:
            while True:
                self._changed.clear()
                self._work(self._loop.time())
                await self._sleep()
        finally:
            self._zeroconf.async_remove_listener(self)

    def restart(self, lan: Lan) -> None:
        """Begin anew to ask: the interfaces have changed, or this device has slept. What was known before wants to be heard again."""
        self._lan, self._rounds, self._browse_at, self._began = lan, 0, 0.0, self._loop.time()
        self._answers = self._none()
        self._changed.set()

    def _none(self) -> Answers:
        return Answers(self._zeroconf.cache, self._began * 1000, self._face.service_type)

    def _work(self, now: float) -> None:
        self._tell_all(self._table.expire(now))
        if self._browse_at <= now:
            self._browse(now)
        names = [*self._table.stale(now), *self._unresolved.due(now)]
        for start in range(0, len(names), MAX_QUESTIONS):
            self._ask(names[start : start + MAX_QUESTIONS])

    async def _sleep(self) -> None:
        deadlines = (self._browse_at, self._table.deadline(), self._unresolved.deadline())
        try:
            async with asyncio.timeout_at(min(deadline for deadline in deadlines if deadline is not None)):
                await self._changed.wait()
        except TimeoutError:
            return

    def _browse(self, now: float) -> None:
        self._send_question(now, unicast=False)
        if self._rounds == 0:
            # A unicast answer comes at once, a multicast one after 20 to 120 ms (RFC 6762 section 6). Where several devices share a machine
            # and port 5353 the unicast one may end in another process, and makes the responder hold the multicast one back for a second if
            # it was not asked for before.
            self._send_question(now, unicast=True)
        self._browse_at = now + min(2.0**self._rounds, MAX_INTERVAL) * random.uniform(1.0, 1.1)
        self._rounds = min(self._rounds + 1, 16)

    def _send_question(self, now: float, *, unicast: bool) -> None:
        out = DNSOutgoing(QUERY)
        question = DNSQuestion(self._face.service_type, TYPE_PTR, CLASS_IN)
        question.unicast = unicast
        out.add_question(question)
        for answer in self._known_answers():
            out.add_answer_at_time(answer, now * 1000)
        self._zeroconf.async_send(out)

    def _known_answers(self) -> Iterable[DNSPointer]:
        """What needs no answer (RFC 6762 section 7.1): pointers that are more than half fresh, to peers heard since it began and to itself.

        A peer known from before may have moved. Its own answer would only make it hold back, for a second, the one to a device that starts.
        """
        now_ms = self._loop.time() * 1000
        for instance in (self._face.instance, *self._table.heard_since(self._began)):
            cached = self._zeroconf.cache.get(DNSPointer(self._face.service_type, TYPE_PTR, CLASS_IN, 0, instance))
            if isinstance(cached, DNSPointer) and not cached.is_stale(now_ms):
                yield cached

    def _ask(self, instances: Iterable[str]) -> None:
        out = DNSOutgoing(QUERY)
        for instance in instances:
            out.add_question(DNSQuestion(instance, TYPE_ANY, CLASS_IN))
            service = Answers(self._zeroconf.cache).service(instance)
            if service is not None:
                out.add_question(DNSQuestion(service.server, TYPE_A, CLASS_IN))
                out.add_question(DNSQuestion(service.server, TYPE_AAAA, CLASS_IN))
        self._zeroconf.async_send(out)

    def async_update_records(self, zc: Zeroconf, now: float, records: list[RecordUpdate]) -> None:
        """Collect the records of a response; zeroconf's cache does not have them yet."""
        self._answers.add((update.new for update in records), now)

    def async_update_records_complete(self) -> None:
        """Look at every instance that the response concerns."""
        answers, self._answers = self._answers, self._none()
        for instance in answers.left - answers.named():
            self._unresolved.discard(instance)
            self._bye(instance)
        for instance in answers.named() | self._affected(answers):
            self._look(instance, answers)

    def _affected(self, answers: Answers) -> set[str]:
        """The instances we care for on hosts whose addresses came in without them."""
        hosts = answers.orphans()
        if not hosts:
            return set()
        services = {name: answers.service(name) for name in (*self._table.instances(), *self._unresolved)}
        return {name for name, service in services.items() if service is not None and service.server_key in hosts}

    def _bye(self, instance: str) -> None:
        self._tell_all(self._table.bye(instance, self._loop.time()))
        self._changed.set()

    def _look(self, instance: str, answers: Answers) -> None:
        if self._table.is_leaving(instance) and instance not in answers.named():
            return
        service, text = answers.service(instance), answers.text(instance)
        addresses = answers.addresses(service.server_key) if service is not None else []
        now = self._loop.time()
        if service is None or text is None or not addresses:
            if instance in answers.found:
                self._ask_later(instance, now)
            return
        record = self._face.read(service.name, service.port or 0, text.text, addresses, self._lan)
        if record is None or not self._wanted(record):
            self._unresolved.discard(instance)
            self._bye(instance)
            return
        ttl = min(service.get_remaining_ttl(now * 1000), MAX_LIFETIME) * random.uniform(0.95, 1.0)
        self._tell_all(self._table.see(instance, record, ttl, now))
        if instance in self._table:
            self._unresolved.discard(instance)
        else:
            self._ask_later(instance, now)
        self._changed.set()

    def _ask_later(self, instance: str, now: float) -> None:
        if instance not in self._table and not self._table.is_full and self._unresolved.add(instance, now):
            self._changed.set()

    def _tell_all(self, sightings: Iterable[Sighting]) -> None:
        for sighting in sightings:
            self._tell(sighting)
