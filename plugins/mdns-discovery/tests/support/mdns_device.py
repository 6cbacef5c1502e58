"""A device that is nothing but its mDNS: ``mdns_device.py ID [INTERFACES]``.

It prints JSON lines: ``ready``, ``seen`` with the addresses of a peer, ``gone``, ``up`` and ``down``, and ``announced`` with its
own addresses and how often it has announced these. A line on stdin refreshes it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from urllib.parse import urlsplit

from hallway.interfaces import DiscoveryHost
from hallway.model import DeviceInfo, Seen, Sighting
from hallway.network import InterfacePolicy, Resolver
from hallway.plugins import PluginContext
from hallway_mdns_discovery import MdnsDiscovery
from hallway_mdns_discovery.advertiser import Advertiser
from hallway_mdns_discovery.config import MdnsConfig


def say(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, "at": time.monotonic(), **fields}), flush=True)


class Host(DiscoveryHost):
    def report(self, sighting: Sighting) -> None:
        if isinstance(sighting, Seen):
            addresses = [urlsplit(url).hostname for url in sighting.record.endpoints]
            say("seen", peer=sighting.record.device_id, addresses=addresses)
        else:
            say("gone", peer=sighting.device_id)

    def up(self) -> None:
        say("up")

    def down(self, reason: str) -> None:
        say("down", reason=reason)


def tell_of_announcements() -> None:
    announce, told = Advertiser._announce, [[], 0]

    def telling(self, info) -> None:
        announce(self, info)
        addresses = info.parsed_addresses()
        told[:] = [addresses, told[1] + 1 if told[0] == addresses else 1]
        say("announced", addresses=addresses, count=told[1])

    Advertiser._announce = telling


async def main(device_id: str, *allow: str) -> None:
    policy = InterfacePolicy(allow=allow or ("*",))
    discovery = MdnsDiscovery(MdnsConfig(), PluginContext(DeviceInfo(device_id, "site", "tablet", "e1"), policy, Resolver()))
    await discovery.start(Host())
    # It names no address, so all of them are advertised.
    await discovery.advertise(("http://0.0.0.0:8090",))
    say("ready")
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async for _ in lines:
        await discovery.refresh()
    await discovery.aclose()


tell_of_announcements()
asyncio.run(main(*sys.argv[1:]))
