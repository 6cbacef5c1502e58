"""Watches this host's addresses: ``watching.py INTERVAL [--deaf]`` prints a JSON line at first and after each change.

``--deaf`` hears nothing from the kernel.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from hallway.network import AddressWatcher, InterfaceAddress, InterfacePolicy, notices, readiness


def tell(addresses: tuple[InterfaceAddress, ...]) -> None:
    seen = [f"{address.interface} {address.ip}" for address in addresses]
    tentative = [str(address.ip) for address in addresses if address.ip in readiness.unsettled()]
    print(json.dumps({"interfaces": seen, "tentative": tentative, "at": time.monotonic()}), flush=True)


async def main(interval: float) -> None:
    known = InterfacePolicy().addresses()
    tell(known)
    async for addresses in AddressWatcher(InterfacePolicy(), known, interval=interval):
        tell(addresses)


if "--deaf" in sys.argv:
    notices._open = lambda: None
asyncio.run(main(float(sys.argv[1])))
