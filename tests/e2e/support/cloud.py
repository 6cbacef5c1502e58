"""Signal servers on hosts of the lab, and devices that use them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable

from netlab import INTERNET_ADDRESS, Host, Process, matching
from netlab.node import Node
from site_devices import SETTLE

PORT = 8765
SERVER_URL = f"ws://{INTERNET_ADDRESS}:{PORT}"
SERVER_NAME = "signal.example.org"

LOCAL_FIRST = 'signaling.chain=["http-local", "cloud-ws"]'
CLOUD_FIRST = 'signaling.chain=["cloud-ws", "http-local"]'
CLOUD_ONLY = ('signaling.chain=["cloud-ws"]', "discovery.chain=[]")
URL = f"plugins.cloud-ws.url={SERVER_URL}"
NAMED_URL = f"plugins.cloud-ws.url=ws://{SERVER_NAME}:{PORT}"

LINK_EVENTS = {"peer-connected", "peer-disconnected", "peer-path", "signaling-mode", "error"}
"""What must not happen to devices that are to notice nothing."""

_TAKE_PORTS = """
import socket, time
held = [socket.create_server(("0.0.0.0", port)) for port in range(8090, 8100)]
print("{}", flush=True)
time.sleep(3600)
"""

_HEALTH = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"


async def signal_server(node: Node, *options: str) -> Process:
    """Start ``hallway signal-server`` on every address of ``node``, and wait until it listens."""
    argv = [sys.executable, "-m", "hallway.cli", "signal-server", "--host", "0.0.0.0", "--port", str(PORT), "--json", *options]
    server = await node.spawn(argv)
    ready = await server.wait_for(matching(event="ready"))
    assert SERVER_URL in ready["listen"], ready
    return server


async def health(node: Node) -> dict[str, object]:
    """What the server on the internet says of itself to ``node``."""
    done = await node.run([sys.executable, "-c", _HEALTH, f"http://{INTERNET_ADDRESS}:{PORT}/health"])
    assert done.status == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


async def take_ports(host: Host) -> Process:
    """Occupy all ports that local signaling may use on ``host``."""
    thief = await host.spawn([sys.executable, "-c", _TAKE_PORTS])
    await thief.read_line()
    return thief


async def in_mode(device: Process, mode: str) -> None:
    """Wait until ``device`` says that its signaling mode has become ``mode``."""
    await device.wait_for(matching(event="signaling-mode", mode=mode), SETTLE)


async def mode_at_start(device: Process) -> object:
    """The mode that ``device`` names in its ``ready`` event."""
    return (await device.wait_for(matching(event="ready")))["mode"]


def events(device: Process, names: Iterable[str]) -> list[dict[str, object]]:
    """The unread events of these names."""
    return [line.json for line in device.unread if line.json and line.json["event"] in names]


def cpu_seconds(pid: int) -> float:
    """CPU time that the process has used."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
