"""A device written from the seed's document alone: aiortc, aiohttp and zeroconf, and nothing of hallway.

Usage: seed_device.py DEVICE_ID PROPERTY_ID [--serve PORT] [--dial] [--late-answer] [--trickle]

It prints JSON lines: ``found``, ``open``, ``message``. Every line on stdin is sent as it is to every
open channel, but the text of ``{"raw": text}`` alone.
``--late-answer`` answers an offer by POST /answer instead of in the response; ``--trickle`` sends candidates by POST /ice-candidate.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
from typing import Any

import aiohttp
import ifaddr
from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from zeroconf import ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

SERVICE = "_webrtc-peer._tcp.local."


def say(**event: Any) -> None:
    print(json.dumps(event), flush=True)


def own_address() -> str:
    return next(ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if isinstance(ip.ip, str) and not ip.ip.startswith("127."))


class SeedDevice:
    def __init__(self, options: argparse.Namespace) -> None:
        self.id = options.device_id
        self.property = options.property_id
        self.options = options
        self.channels: dict[str, Any] = {}
        self.connections: dict[str, RTCPeerConnection] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.peer_port = 8090

    def connection(self, peer_id: str) -> RTCPeerConnection:
        pc = self.connections[peer_id] = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        return pc

    def adopt(self, peer_id: str, channel: Any) -> None:
        def on_open() -> None:
            self.channels[peer_id] = channel
            say(event="open", peerId=peer_id, label=channel.label)

        channel.on("message", lambda text: say(event="message", peerId=peer_id, text=text if isinstance(text, str) else repr(text)))
        channel.on("close", lambda: say(event="close", peerId=peer_id))
        if channel.readyState == "open":
            on_open()
        else:
            channel.on("open", on_open)

    async def on_health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "deviceId": self.id})

    async def on_offer(self, request: web.Request) -> web.Response:
        body = await request.json()
        peer_id = body["from"]
        pc = self.connection(peer_id)
        pc.on("datachannel", lambda channel: self.adopt(peer_id, channel))
        await pc.setRemoteDescription(RTCSessionDescription(**body["sdp"]))
        await pc.setLocalDescription(await pc.createAnswer())
        answer, candidates = self.description(pc)
        if self.options.late_answer:
            self.later(self.post(f"http://{request.remote}:{self.peer_port}/answer", {**answer, "from": self.id, "to": peer_id}))
            return web.json_response({})
        assert not candidates
        return web.json_response({"from": self.id, "to": peer_id, **answer})

    def description(self, pc: RTCPeerConnection) -> tuple[dict[str, Any], list[str]]:
        """The local description as the seed's JSON, and the candidates that go separately."""
        sdp = pc.localDescription.sdp
        lines = sdp.split("\r\n")
        trickled = [line[2:] for line in lines if line.startswith("a=candidate:")] if self.options.trickle else []
        if trickled:
            sdp = "\r\n".join(line for line in lines if not line.startswith(("a=candidate:", "a=end-of-candidates")))
        return {"sdp": {"type": pc.localDescription.type, "sdp": sdp}, "iceCandidates": []}, trickled

    def later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def post(self, url: str, body: dict[str, Any]) -> Any:
        async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
            answer = await response.json()
            say(event="posted", url=url, status=response.status)
            return answer

    async def dial(self, peer_id: str, url: str) -> None:
        pc = self.connection(peer_id)
        self.adopt(peer_id, pc.createDataChannel("data"))
        await pc.setLocalDescription(await pc.createOffer())
        offer, candidates = self.description(pc)
        answer = await self.post(f"{url}/offer", {"from": self.id, "to": peer_id, **offer})
        await pc.setRemoteDescription(RTCSessionDescription(**answer["sdp"]))
        for candidate in candidates:
            body = {"from": self.id, "to": peer_id, "candidate": {"candidate": candidate, "sdpMid": "0", "sdpMLineIndex": 0}}
            await self.post(f"{url}/ice-candidate", body)

    def on_service(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is ServiceStateChange.Added:
            self.later(self.resolve(zeroconf, service_type, name))
        elif state_change is ServiceStateChange.Removed:
            say(event="removed", name=name)

    async def resolve(self, zeroconf: Zeroconf, service_type: str, name: str) -> None:
        info = AsyncServiceInfo(service_type, name)
        await info.async_request(zeroconf, 3000)
        peer_id = info.decoded_properties.get("deviceId")
        if info.decoded_properties.get("propertyId") != self.property or peer_id == self.id or peer_id is None:
            return
        self.peer_port = info.port
        say(event="found", peerId=peer_id, port=info.port, addresses=info.parsed_addresses())
        if self.options.dial:
            await self.dial(peer_id, f"http://{info.parsed_addresses()[0]}:{info.port}")

    async def serve(self) -> None:
        app = web.Application()
        app.add_routes([web.get("/health", self.on_health), web.post("/offer", self.on_offer)])
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, own_address(), self.options.serve).start()

    async def run(self) -> None:
        zeroconf = AsyncZeroconf(interfaces=[own_address()])
        browser = AsyncServiceBrowser(zeroconf.zeroconf, SERVICE, handlers=[self.on_service])
        if self.options.serve:
            await self.serve()
            properties = {"deviceId": self.id, "propertyId": self.property, "deviceType": "tablet"}
            addresses = [socket.inet_aton(own_address())]
            name, server = f"{self.id}.{SERVICE}", f"{self.id}.local."
            info = AsyncServiceInfo(SERVICE, name, port=self.options.serve, addresses=addresses, server=server, properties=properties)
            await zeroconf.async_register_service(info)
        say(event="ready")
        async for line in self.lines():
            command = json.loads(line)
            for channel in self.channels.values():
                channel.send(command["raw"] if isinstance(command, dict) and "raw" in command else line)
        await browser.async_cancel()
        await zeroconf.async_close()

    async def lines(self) -> Any:
        reader = asyncio.StreamReader(limit=2**22)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        async for line in reader:
            yield line.decode().rstrip("\n")


parser = argparse.ArgumentParser()
parser.add_argument("device_id")
parser.add_argument("property_id")
parser.add_argument("--serve", type=int, default=0)
parser.add_argument("--dial", action="store_true")
parser.add_argument("--late-answer", action="store_true")
parser.add_argument("--trickle", action="store_true")
asyncio.run(SeedDevice(parser.parse_args()).run())
