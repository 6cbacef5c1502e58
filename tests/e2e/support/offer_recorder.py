"""A device that writes down offers and answers none: ``offer_recorder.py DEVICE_ID PROPERTY_ID ADDRESS PORT``.

It prints JSON lines: ``ready``, then ``offer`` with the body of every POST /offer.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from aiohttp import web
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

SERVICE = "_webrtc-peer._tcp.local."


def say(**event: Any) -> None:
    print(json.dumps(event), flush=True)


async def on_offer(request: web.Request) -> web.Response:
    say(event="offer", body=await request.json())
    return web.json_response({"error": "this device answers nobody"}, status=503)


async def main(device_id: str, property_id: str, address: str, port: int) -> None:
    app = web.Application()
    app.add_routes([web.post("/offer", on_offer)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, address, port).start()
    zeroconf = AsyncZeroconf(interfaces=[address])
    properties = {"deviceId": device_id, "propertyId": property_id, "deviceType": "tablet"}
    info = AsyncServiceInfo(SERVICE, f"{device_id}.{SERVICE}", port=port, parsed_addresses=[address], properties=properties)
    await zeroconf.async_register_service(info)
    say(event="ready")
    await asyncio.Event().wait()


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
