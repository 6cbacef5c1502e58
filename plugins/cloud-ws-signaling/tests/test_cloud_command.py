"""`hallway signal-server` as a process, and the plugin as hallway finds it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

import pytest

from hallway.config import config_from_mapping
from hallway.errors import ConfigError
from hallway.model import IcePolicy, Mode
from hallway.plugins.manager import load_plugins
from hallway_cloud_ws_signaling import CloudWsConfig


@pytest.fixture
async def run():
    """Starts `hallway` with arguments; kills what is left."""
    processes = []

    async def start(*arguments):
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "hallway.cli", *arguments, stdout=pipe, stderr=pipe)
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_ready_serves_and_ends_cleanly(run, site, wire, number):
    server = await run("signal-server", "--port", "0", "--json")
    ready = json.loads(await server.stdout.readline())
    assert ready == {"event": "ready", "listen": ready["listen"], "pid": server.pid}
    (url,) = ready["listen"]
    one, _ = await site.pair(url)
    assert await one.ask("tablet-2") == wire.answer
    server.send_signal(number)
    assert "1001" in await one.host.until("down")
    out, err = await server.communicate()
    assert (server.returncode, out, err) == (0, b"", b"")


async def test_it_ends_although_somebody_does_not_let_go(run, site):
    server = await run("signal-server", "--port", "0", "--json")
    (url,) = json.loads(await server.stdout.readline())["listen"]
    (await site.raw(url, "stuck")).ws.transport.pause_reading()
    server.terminate()
    await server.communicate()
    assert server.returncode == 0


async def test_people_get_a_sentence(run):
    server = await run("signal-server", "--port", "0", "--host", "localhost")
    assert b"ws://127.0.0.1:" in await server.stdout.readline()


async def test_a_taken_port_is_an_error_with_a_hint(run, url):
    server = await run("signal-server", "--port", url.rpartition(":")[2], "--json")
    out, err = await server.communicate()
    assert server.returncode == 1
    assert json.loads(out)["code"] == "signaling-unavailable"
    assert b"--port" in err


async def test_a_host_that_is_a_name_is_refused(run):
    server = await run("signal-server", "--host", "signal.example.org")
    _, err = await server.communicate()
    assert server.returncode == 1
    assert b"no IP address" in err


def config(**table):
    raw = {"security": "open", "device": {"id": "a", "property": "p"}, "discovery": {"chain": []}, "channel": {"chain": ["memory"]}}
    raw["signaling"] = {"chain": ["memory", "cloud-ws"]}
    return config_from_mapping(raw | {"plugins": {"cloud-ws": table} if table else {}})


def test_with_a_url_it_is_in_the_chain():
    _, loaded = load_plugins(config(url="wss://signal.example.org", room="r")).signaling
    assert loaded.config == CloudWsConfig("wss://signal.example.org", "r")
    assert (loaded.provider.mode, loaded.provider.ice_policy) == (Mode.CLOUD, IcePolicy.WAN)


def test_without_a_url_it_is_skipped_with_a_notice(caplog):
    registry = load_plugins(config())
    assert [loaded.name for loaded in registry.signaling] == ["memory"]
    assert [(each.name, each.reason) for each in registry.skipped] == [("cloud-ws", "plugins.cloud-ws.url is not set")]
    assert registry.problems == ()
    assert "cloud-ws is skipped" in caplog.text


@pytest.mark.parametrize(("more", "state"), [((), "skipped"), (("--set", "plugins.cloud-ws.url=ws://a"), "ok")])
async def test_the_list_of_plugins_says_when_it_is_skipped(run, more, state):
    given = ("security=open", "device.id=a", "device.property=p", 'signaling.chain=["memory", "cloud-ws"]')
    chains = ("discovery.chain=[]", 'channel.chain=["memory"]')
    process = await run("plugins", "--json", *(part for each in (*given, *chains) for part in ("--set", each)), *more)
    out, _ = await process.communicate()
    (row,) = [row for row in json.loads(out) if (row["role"], row["name"]) == ("signaling", "cloud-ws")]
    assert (row["state"], row["chain"]) == (state, 2)


@pytest.mark.parametrize("url", ["http://a", "wss://", "ws://a:0", "ws://u:p@a", "ws://[::1", "ws://a#b", "signal.example.org"])
def test_a_url_that_cannot_be_is_a_mistake(url):
    with pytest.raises(ConfigError) as caught:
        config(url=url)
    assert [mistake.path for mistake in caught.value.mistakes] == ["plugins.cloud-ws.url"]


async def test_reading_the_hooks_imports_no_websockets(run):
    code = "import sys, hallway_cloud_ws_signaling.plugin as p; p.hallway_signaling(); assert 'websockets' not in sys.modules"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await process.wait() == 0
