"""Nothing is left behind, whatever is interrupted: the fixture counts tasks and sockets."""

from __future__ import annotations

import asyncio

import pytest

from hallway.errors import BadDescription, ClosedError
from hallway.model import Description, IcePolicy


async def stepwise(make, steps: int) -> None:
    """Cancel what ``make`` starts after each number of loop turns up to ``steps``."""
    for turns in range(steps):
        task = asyncio.create_task(make())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            result = task.result()
            await (result[1] if isinstance(result, tuple) else result).aclose()


async def test_a_cancelled_dial_leaves_nothing(bench):
    connector = bench.connector()
    await stepwise(lambda: connector.dial(IcePolicy.LAN), 12)


async def test_a_cancelled_answer_leaves_nothing(bench):
    connector = bench.connector()
    dialing = await bench.connector().dial(IcePolicy.LAN)
    await stepwise(lambda: connector.answer(dialing.offer, IcePolicy.LAN), 12)
    await dialing.aclose()


async def test_a_cancelled_prepare_leaves_nothing(bench):
    connector = bench.connector()
    for turns in range(0, 60, 7):
        task = asyncio.create_task(connector.prepare())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])


@pytest.mark.parametrize("turns", [0, 1, 2, 5, 10, 20, 40])
async def test_closing_while_connecting_leaves_nothing(bench, turns):
    dialing = await bench.connector().dial(IcePolicy.LAN)
    answer, answering = await bench.connector().answer(dialing.offer, IcePolicy.LAN)
    offering = await dialing.accept(answer)
    opening = asyncio.create_task(offering.opened(asyncio.get_running_loop().time() + 5))
    for _ in range(turns):
        await asyncio.sleep(0)
    await offering.aclose()
    await answering.aclose()
    await asyncio.wait([opening])
    assert opening.exception() is None or isinstance(opening.exception(), ClosedError)


async def test_a_cancelled_close_closes_nevertheless(pair):
    closing = asyncio.create_task(pair.offering.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    with pytest.raises(ClosedError):
        await pair.offering.send("x")


async def test_closing_to_a_dead_peer_ends_at_its_deadline(pair):
    for protocol in list(pair.answering._session.connection._protocols):
        protocol.transport.abort()
    await pair.offering.send("x" * 20_000)
    async with asyncio.timeout(5):
        await pair.offering.aclose(asyncio.get_running_loop().time() + 0.2)


async def test_the_last_end_closes_by_itself_when_the_peer_closes(pair, until):
    await pair.offering.aclose()
    await until(lambda: not pair.answering._session.connection._protocols)


async def test_a_refused_answer_leaves_the_dialing_to_be_closed(bench):
    dialing = await bench.connector().dial(IcePolicy.LAN)
    with pytest.raises(BadDescription):
        await dialing.accept(Description("webrtc", "answer", "nonsense"))
    with pytest.raises(BadDescription):
        await dialing.accept(dialing.offer)
    await dialing.aclose()


async def test_a_prepared_offer_is_released_with_the_connector(bench):
    connector = bench.connector()
    await connector.prepare()
    await connector.aclose()
    await connector.aclose()
