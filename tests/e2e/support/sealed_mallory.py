"""`mallory.Mallory` on the LAN: ``sealed_mallory.py SITE FOREIGN TARGET ADDRESS MODE``. She takes offers at port 8090.

``between``: she stands at the address of TARGET (which is at ADDRESS) for the one that dials, and is dialed under her own name, too.
``replay``: she passes what she gets on unchanged, and posts it again: at once, changed, and to who made it.
JSON lines tell what she got. Lines of JSON on stdin: ``"go on"``, or an address to which what she got first is posted again.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
from aiohttp import web
from mallory import OCTETS, Answer, Mallory, say


class OnTheLan:
    """How she lives on the LAN."""

    def __init__(self, site: str, foreign: str, target: str, address: str) -> None:
        self.mallory = Mallory(Path(site), Path(foreign), target, self.carry)
        self.address = address
        self.heard: list[bytes] = []

    async def carry(self, body: bytes, address: str = "") -> Answer:
        url = f"http://{address or self.address}:8090/offer"
        async with aiohttp.ClientSession() as session, session.post(url, data=body, headers={"Content-Type": OCTETS}) as response:
            return response.status, await response.read()

    async def between(self, request: web.Request) -> web.Response:
        body = await request.read()
        answer = await self.mallory.answer(body)
        return octets(200, answer) if answer is not None else octets(*await self.carry(body))

    async def replay(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.heard.append(body)
        first, reply = await self.carry(body)
        again, _ = await self.carry(body)
        changed, _ = await self.carry(bytes([*body[:-1], body[-1] ^ 1]))
        third, _ = await self.carry(body, str(request.remote))
        say(event="replayed", first=first, again=again, changed=changed, third=third)
        return octets(first, reply)

    async def obey(self) -> None:
        """Follow commands until there are no more."""
        while line := await asyncio.to_thread(sys.stdin.readline):
            command = json.loads(line)
            if command == "go on":
                self.mallory.go_on.set()
            else:
                say(event="again", got=[(await self.carry(self.heard[0], command))[0] for _ in range(3)])


def octets(status: object, body: bytes) -> web.Response:
    return web.Response(body=body, status=int(str(status)), content_type=OCTETS)


async def main(site: str, foreign: str, target: str, address: str, mode: str) -> None:
    host = OnTheLan(site, foreign, target, address)
    modes: dict[str, Callable[[web.Request], Awaitable[web.Response]]] = {"between": host.between, "replay": host.replay}
    app = web.Application()
    app.router.add_post("/offer", modes[mode])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 8090).start()
    say(event="ready")
    await host.obey()
    await host.mallory.aclose()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
