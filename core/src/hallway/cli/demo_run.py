"""What the demo does: play one act after the other, and count."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Protocol

from hallway.cli.demo_acts import CLOUD_ACTS, LAN, LAN_ACTS, NO_CLOUD, Act, Touched, has_cloud
from hallway.cli.demo_stage import DeviceEnded, Stage
from hallway.cli.demo_state import DeviceState, changed_links, pairs
from hallway.cli.demo_summary import FAILED, INTERRUPTED, ActReport, Summary

LINKING = "waiting until every device is linked to every other"
SPEAKING = "every device speaks to all others"
HEARING = "waiting for the last messages"


class View(Protocol):
    """Where the demo is watched."""

    def begin(self, act: str) -> None:
        """An act begins."""

    def show(self, devices: Sequence[DeviceState], phase: str) -> None:
        """Something has changed."""

    def close(self) -> None:
        """Nothing more will change."""


class DemoRun:
    """One run of the demo: ``messages`` broadcasts of each device in each act, ``pace`` seconds apart."""

    def __init__(self, devices: int, messages: int, interfaces: Sequence[str], pace: float, log_level: str) -> None:
        self.interrupted = False
        self._limit: asyncio.Timeout | None = None
        self._messages = messages
        self._pace = pace
        self._has_cloud = has_cloud()
        self._acts = CLOUD_ACTS if self._has_cloud else LAN_ACTS
        self._stage = Stage(devices, interfaces, log_level, cloud=self._has_cloud)
        self._states = self._stage.states
        self._reports: list[ActReport] = []
        self._phase = "starting the devices"

    async def play(self, view: View, timeout: float) -> Summary:
        """Run everything within ``timeout`` seconds and say how it went."""
        begin = time.monotonic()
        problem, advice = "", ""
        try:
            async with self._stage:
                await self._perform(view, timeout)
        except TimeoutError:
            problem, advice = (INTERRUPTED, "") if self.interrupted else self._unfinished(timeout)
        except DeviceEnded as ended:
            problem, advice = f"{ended} ended by itself, while {self._phase}", ended.reason
        finally:
            view.close()
        return self._summary(time.monotonic() - begin, problem, advice)

    def interrupt(self) -> None:
        """Let `play` end now; silent when it ends anyway."""
        if self._limit is not None and not self.interrupted:
            self._limit.reschedule(asyncio.get_running_loop().time())
        self.interrupted = True

    async def _perform(self, view: View, timeout: float) -> None:
        try:
            async with asyncio.timeout(0 if self.interrupted else timeout) as self._limit:
                for number, act in enumerate(self._acts, 1):
                    await self._play(number, act, view)
        finally:
            self._limit = None

    async def _play(self, number: int, act: Act, view: View) -> None:
        report = ActReport(act.title.format(last=self._states[-1].name))
        self._reports.append(report)
        view.begin(f"act {number} of {len(self._acts)}: {report.title}")
        for state in self._states:
            state.begin_act()
        try:
            await self._change(act, view)
            await self._speak(number, report, view)
            await self._until(HEARING, view, lambda: self._all_heard(number))
            report.is_over = True
        finally:
            report.links = Counter(link.signaling for pair in combinations(self._states, 2) if (link := pair[0].links.get(pair[1].name)))
            spared = {Touched.ALL: [], Touched.LAST: self._states[:-1], Touched.NONE: self._states}[act.touched]
            report.disturbed = tuple(changed_links(spared))

    async def _change(self, act: Act, view: View) -> None:
        self._phase = LINKING
        view.show(self._states, LINKING)
        await act.change(self._stage)
        await self._until(LINKING, view, lambda: self._all_linked(act))

    async def _speak(self, number: int, report: ActReport, view: View) -> None:
        self._phase = SPEAKING
        for message in range(1, self._messages + 1):
            report.expected += len(list(pairs(self._states)))
            await self._stage.broadcast(number, message)
            view.show(self._states, SPEAKING)
            await asyncio.sleep(self._pace)

    async def _until(self, phase: str, view: View, reached: Callable[[], bool]) -> None:
        self._phase = phase

        def shown() -> bool:
            view.show(self._states, phase)
            return reached()

        await self._stage.until(shown)

    def _all_linked(self, act: Act) -> bool:
        last = self._states[-1]
        return all(
            other.name in state.links and state.links[other.name].signaling == (act.last_by if last in (state, other) else LAN)
            for state, other in pairs(self._states)
        )

    def _all_heard(self, number: int) -> bool:
        return all(state.received[number, other.name] >= self._messages for state, other in pairs(self._states))

    def _unfinished(self, timeout: float) -> tuple[str, str]:
        """What was still missing when the time was up, and what to do about it."""
        sent, wanted = min(state.sent for state in self._states), len(list(combinations(self._states, 2)))
        facts = f"{self._reports[-1].links.total()} of {wanted} links, {sent} of {self._messages} broadcasts of each device in this act"
        is_slow = 0 < sent < self._messages or len(self._reports) > 1
        advice = "The demo was too slow: give it a longer --timeout, or less --messages or --pace." if is_slow else FAILED
        return f"not finished after {timeout:.0f} s, in act {len(self._reports)}, while {self._phase}: {facts} were there", advice

    def _summary(self, seconds: float, problem: str, advice: str) -> Summary:
        for number, report in enumerate(self._reports, 1):
            report.arrived = sum(count for state in self._states for (act, _), count in state.received.items() if act == number)
        notice = "" if self._has_cloud else NO_CLOUD
        status = self._stage.server_status
        return Summary(tuple(self._states), tuple(self._reports), len(self._acts), seconds, status, problem, advice, notice)
