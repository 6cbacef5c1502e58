"""`mallory.Mallory` as the signal server: ``sealed_server.py SITE FOREIGN TARGET PORT``. JSON lines tell what she got.

She knows who is who behind the tags, shows TARGET and herself to ``desk``, and nobody else to anybody. Without more lies she carries what
comes. Lines of JSON on stdin: ``"go on"``; or ``"again"``: what she has carried comes once more, to TARGET, to who made it, and from
somebody else.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import sys
from pathlib import Path
from typing import Any

from mallory import OCTETS, Answer, Mallory, say
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

Json = dict[str, Any]


class Server:
    """The whole of the service, as a device sees it."""

    def __init__(self, site: str, foreign: str, target: str) -> None:
        self.mallory = Mallory(Path(site), Path(foreign), target, self.carry)
        self.target = target
        self.names = {self.mallory.tag(name): name for name in ("desk", target, "mallory")}
        self.places: dict[str, ServerConnection] = {}
        self.waiting: dict[str, asyncio.Future[Json]] = {}
        self.numbers = itertools.count()
        self.carried: list[bytes] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self, connection: ServerConnection) -> None:
        name = self.names[json.loads(await connection.recv())["deviceId"]]
        self.places[name] = connection
        shown = [self.mallory.tag(other) for other in (self.target, "mallory")] if name == "desk" else []
        peers = [{"deviceId": tag, "deviceType": "device", "epoch": ""} for tag in shown]
        await connection.send(json.dumps({"type": "joined", "version": 1, "peers": peers}))
        try:
            async for text in connection:
                self.take(name, json.loads(text))
        except ConnectionClosed:
            return

    def take(self, name: str, message: Json) -> None:
        if message["type"] == "request":
            task = asyncio.create_task(self.answer(name, message))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        elif message["type"] in ("response", "refusal") and message["id"] in self.waiting:
            self.waiting.pop(message["id"]).set_result(message)

    async def answer(self, name: str, message: Json) -> None:
        body, kind = base64.b64decode(message["base64"]), message["kind"]
        answer = await self.mallory.answer(body) if kind == "offer" else None
        if answer is None:
            self.carried.append(body)
            reply = await self.ask(self.target, name, body, kind)
            say(event="carried", kind=kind, got=reply["type"])
        else:
            reply = {"type": "response", "kind": "answer", **packed(answer)}
        await self.places[name].send(json.dumps(reply | {"id": message["id"], "from": message["to"]}))

    async def carry(self, body: bytes) -> Answer:
        reply = await self.ask(self.target, "desk", body)
        return reply.get("code", 200), base64.b64decode(reply.get("base64", ""))

    async def ask(self, to: str, sender: str, body: bytes, kind: str = "offer") -> Json:
        number = f"m{next(self.numbers)}"
        self.waiting[number] = asyncio.get_running_loop().create_future()
        await self.places[to].send(
            json.dumps({"type": "request", "id": number, "from": self.mallory.tag(sender), "kind": kind, **packed(body)})
        )
        return await self.waiting[number]

    async def obey(self) -> None:
        while line := await asyncio.to_thread(sys.stdin.readline):
            if json.loads(line) == "go on":
                self.mallory.go_on.set()
                continue
            body = self.carried[-1]
            tries = {"the target": (self.target, "desk"), "who made it": ("desk", self.target), "as another": (self.target, "mallory")}
            got = {name: (await self.ask(*way, body)).get("code", 200) for name, way in tries.items()}
            say(event="again", got=got, body=body.hex())


def packed(body: bytes) -> Json:
    return {"contentType": OCTETS, "base64": base64.b64encode(body).decode()}


async def main(site: str, foreign: str, target: str, port: str) -> None:
    server = Server(site, foreign, target)
    async with serve(server.serve, "0.0.0.0", int(port)):
        say(event="ready")
        await server.obey()
    await server.mallory.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
