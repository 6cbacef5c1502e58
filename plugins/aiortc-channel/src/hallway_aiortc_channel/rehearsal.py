"""One whole connection inside this process, over loopback, before the first real one.

The first connection of a process takes several times as long as the second: OpenSSL loads its algorithms, modules are imported at their
first use, sockets and events take their slow paths once. A device that has just started is exactly the one that others wait for.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from contextlib import AsyncExitStack

from hallway.errors import HallwayError
from hallway.model import IcePolicy
from hallway.network import InterfaceAddress, Resolver
from hallway.webrtc.candidates import CandidateFilter, Reach
from hallway.webrtc.sdp import Setup, read_description
from hallway_aiortc_channel.channel import AiortcChannel
from hallway_aiortc_channel.gathering import Plan
from hallway_aiortc_channel.session import Session

logger = logging.getLogger(__name__)

REHEARSAL_CAP = 1.0
"""Seconds, after which a rehearsal is given up."""


def _loopback_plan(resolver: Resolver) -> Plan:
    network = ipaddress.ip_network("127.0.0.0/8")
    address = InterfaceAddress("loopback", 0, ipaddress.ip_address("127.0.0.1"), network)
    return Plan((address,), Reach.of(IcePolicy.LAN, (address,)), resolver)


def _begin(session: Session, peer: str, *, setup: Setup) -> AiortcChannel:
    remote = read_description(peer, "answer" if session.offerer else "offer")
    chosen = CandidateFilter(session.plan.reach)
    channel = AiortcChannel(session, remote, chosen)
    session.add_candidates(chosen.take(remote.candidates), complete=True)
    channel.begin(remote, setup)
    return channel


async def _perform(offerer: Session, answerer: Session) -> None:
    loop = asyncio.get_running_loop()
    await offerer.gather()
    await answerer.gather()
    offer = offerer.describe("actpass")
    answer = answerer.describe("active")
    answering = _begin(answerer, offer, setup="active")
    offering = _begin(offerer, answer, setup="passive")
    await offering.opened(loop.time() + REHEARSAL_CAP)
    await offering.send("")
    await answering.receive()


def _session(stack: AsyncExitStack, plan: Plan, *, offerer: bool) -> Session:
    session = Session(plan, offerer=offerer)
    stack.push_async_callback(session.release)
    return session


async def rehearse(resolver: Resolver) -> None:
    """Connect to ourselves, pass one message and forget it. What goes wrong in it is logged: a rehearsal that fails only warms less."""
    plan = _loopback_plan(resolver)
    try:
        async with AsyncExitStack() as stack:
            offerer, answerer = _session(stack, plan, offerer=True), _session(stack, plan, offerer=False)
            async with asyncio.timeout(REHEARSAL_CAP):
                await _perform(offerer, answerer)
    except (HallwayError, OSError) as error:  # a timeout is an OSError
        logger.debug("the rehearsal did not work: %r", error)
