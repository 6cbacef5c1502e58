"""The lab itself: a site whose hosts reach each other and the internet, whose counters count, and which leaves nothing behind."""

from __future__ import annotations

import os
import select
import signal
import sys
from pathlib import Path

import attrs
import pytest

from netlab import DNS_ADDRESS, INTERNET_ADDRESS, INTERNET_ADDRESS6, WAN_ADDRESS, Host, Lab, LabError, Process, matching, sweep
from netlab.namespaces import ETC
from netlab.process import start
from netlab.system import command

FOLDER = Path(__file__).parent
PROBE = (sys.executable, "-P", str(FOLDER / "probe.py"))
RESOLVE = "import dns.resolver; print(dns.resolver.resolve('stun.example.org')[0].address)"
GATHER = """
import asyncio, aioice
async def main():
    connection = aioice.Connection(ice_controlling=True, stun_server=(%r, 3478))
    await connection.gather_candidates()
    print(*(candidate.host for candidate in connection.local_candidates if candidate.type == "srflx"))
    await connection.close()
asyncio.run(main())
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


async def outcome(host: Host, question: str, address: str, port: int) -> str:
    """What becomes of a datagram (``ask``) or a connection attempt (``call``)."""
    finished = await host.run([*PROBE, question, address, str(port), "15"])
    assert '"outcome"' in finished.stdout, finished.stderr
    return finished.stdout.split('"')[3]


async def test_hosts_of_a_lan_reach_each_other(lab: Lab) -> None:
    lan = lab.lan()
    one, other = lan.host("tablet-1"), lan.host("tablet-2")
    listener = await other.spawn([*PROBE, "listen", other.address, "9000"])
    await listener.wait_for(matching(event="ready"))
    await one.run([*PROBE, "send", other.address, "9000", "hello"])
    assert await listener.read_json_line() == {"event": "datagram", "text": "hello", "sender": one.address}
    await listener.terminate()


async def test_hosts_have_one_interface_with_an_address_of_the_lan_and_the_decoys(lab: Lab) -> None:
    lan = lab.lan("lan1", ipv6=True)
    hosts = [lan.host(name, decoys={"docker0": "172.17.0.1/16"}) for name in ("tablet-1", "tablet-2")]
    for host in hosts:
        listing = (await host.run(["ip", "-brief", "address", "show", "scope", "global"])).stdout
        table = {line.split()[0].partition("@")[0]: line for line in listing.splitlines()}
        assert table.keys() == {"eth0", "docker0"}
        assert f" {host.address}/24" in table["eth0"]
        assert f" {host.address6}/64" in table["eth0"]
        assert " 172.17.0.1/16" in table["docker0"]


async def test_ipv6_reaches_hosts_and_the_internet(lab: Lab) -> None:
    lan = lab.lan("lan1", ipv6=True)
    one, other = lan.host("tablet-1"), lan.host("tablet-2")
    assert other.address6
    assert await outcome(one, "call", other.address6, 9000) == "ECONNREFUSED"
    assert await outcome(one, "call", INTERNET_ADDRESS6, 9000) == "ECONNREFUSED"


async def test_two_lans_share_the_router(lab: Lab) -> None:
    one, other = lab.lan("lan1").host("tablet-1"), lab.lan("lan2").host("tablet-2")
    assert lab.lan("lan2").host("tablet-3").lan is other.lan
    assert one.lan.network != other.lan.network
    assert await outcome(one, "call", other.address, 9000) == "ECONNREFUSED"
    assert one.packets_outside_lan() == lab.router.packets_from(one) == 1


async def test_a_name_is_given_once(lab: Lab) -> None:
    lab.lan().host("tablet-1")
    with pytest.raises(LabError, match="tablet-1"):
        lab.lan("lan2").host("tablet-1")


async def test_multicast_passes_without_a_default_route(lab: Lab) -> None:
    lan = lab.lan()
    one, other = lan.host("tablet-1", default_route=False), lan.host("tablet-2", default_route=False)
    listener = await other.spawn([*PROBE, "listen", other.address, "5353", "224.0.0.251"])
    await listener.wait_for(matching(event="ready"))
    await one.run([*PROBE, "shout", "224.0.0.251", one.address, "5353", "anybody?"])
    assert (await listener.read_json_line())["text"] == "anybody?"
    assert await outcome(one, "ask", INTERNET_ADDRESS, 3478) == "ENETUNREACH"
    await listener.terminate()


async def test_an_ice_agent_learns_the_routers_public_address_by_stun(lab: Lab) -> None:
    host = lab.lan().host("tablet-1")
    server = await lab.internet.serve_stun()
    assert (await host.run(python(GATHER % INTERNET_ADDRESS))).stdout == WAN_ADDRESS
    assert (await server.read_json_line())["from"][0] == WAN_ADDRESS


@pytest.mark.parametrize("code", [RESOLVE, "import socket; print(socket.gethostbyname('stun.example.org'))"], ids=["dnspython", "glibc"])
async def test_names_are_resolved_by_the_server_behind_the_router(lab: Lab, code: str) -> None:
    host = lab.lan().host("tablet-1")
    server = await lab.internet.serve_dns({"stun.example.org": INTERNET_ADDRESS})
    assert (await host.run(python(code))).stdout == INTERNET_ADDRESS
    assert await server.wait_for(matching(type="A")) == {"event": "query", "name": "stun.example.org", "type": "A"}
    assert set(host.destinations_outside_lan()) == {DNS_ADDRESS}


async def test_an_unknown_name_does_not_exist(lab: Lab) -> None:
    host = lab.lan().host("tablet-1")
    await lab.internet.serve_dns({"stun.example.org": INTERNET_ADDRESS})
    finished = await host.run(python(RESOLVE.replace("stun", "turn")))
    assert "NXDOMAIN" in finished.stderr


async def test_packets_outside_the_lan_are_counted_at_the_host_and_at_the_router(lab: Lab) -> None:
    lan = lab.lan()
    one, other = lan.host("tablet-1"), lan.host("tablet-2")
    await one.run([*PROBE, "send", INTERNET_ADDRESS, "3478", "x", "5"])
    await one.run([*PROBE, "send", DNS_ADDRESS, "53", "x", "3"])
    assert one.destinations_outside_lan() == {INTERNET_ADDRESS: 5, DNS_ADDRESS: 3}
    assert one.packets_outside_lan() == lab.router.packets_from(one) == 8
    assert other.packets_outside_lan() == lab.router.packets_from(other) == 0


async def test_packets_inside_the_lan_do_not_count(lab: Lab) -> None:
    lan = lab.lan()
    one, other = lan.host("tablet-1", decoys={"docker0": "172.17.0.1/16"}), lan.host("tablet-2")
    for address in (other.address, lan.gateway, "127.0.0.1", one.address, "172.17.0.1"):
        await one.run([*PROBE, "send", address, "9000", "x"])
    await one.run([*PROBE, "shout", "224.0.0.251", one.address, "5353", "x"])
    assert one.destinations_outside_lan() == {}
    assert one.packets_outside_lan() == lab.router.packets_from(one) == 0


async def test_what_a_fault_swallows_counts_as_sent(lab: Lab) -> None:
    host = lab.lan().host("tablet-1")
    with lab.black_hole_wan():
        await host.run([*PROBE, "send", INTERNET_ADDRESS, "3478", "x", "4"])
    assert host.packets_outside_lan() == lab.router.packets_from(host) == 4


async def test_two_labs_at_once_do_not_meet(lab: Lab) -> None:
    async with Lab() as second:
        host, same = lab.lan().host("tablet-1"), second.lan().host("tablet-1")
        assert (host.address, host.namespace == same.namespace) == (same.address, False)
        await same.run([*PROBE, "send", INTERNET_ADDRESS, "3478", "x"])
        with second.cut_wan():
            assert await outcome(host, "call", INTERNET_ADDRESS, 9000) == "ECONNREFUSED"
        assert (host.packets_outside_lan(), same.packets_outside_lan()) == (1, 1)


async def test_closing_removes_namespaces_files_and_processes(lab: Lab) -> None:
    async with Lab() as second:
        host = second.lan().host("tablet-1")
        assert (ETC / host.namespace / "resolv.conf").exists()
        forgotten = await host.spawn(["sleep", "1000"])
        parent = await host.spawn(["sh", "-c", "sleep 1001 & echo"])
        await parent.read_line()
    assert host.namespace not in command(["ip", "netns", "list"])
    assert not (ETC / host.namespace).exists()
    assert forgotten.returncode == -signal.SIGKILL
    assert any("sleep 1000" in entry for entry in second.leftovers)
    assert any("sleep 1001" in entry for entry in second.leftovers)
    await second.close()


CRASH = """
import asyncio, os, signal
from netlab import Lab
async def main():
    lab = await Lab().__aenter__()
    host = lab.lan().host("tablet-1")
    child = await host.spawn(["sleep", "1000"])
    print(host.namespace, child.pid, flush=True)
    input()
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


async def test_the_remains_of_a_crashed_lab_are_swept_and_living_labs_are_not(lab: Lab) -> None:
    host = lab.lan().host("tablet-1")
    crashing = await start("crashing lab", (), python(CRASH), env={"PYTHONPATH": str(FOLDER)})
    namespace, child = (await crashing.read_line()).split()
    with os.fdopen(os.pidfd_open(int(child))) as orphan:
        await crashing.send_json("now")
        assert await crashing.wait() == -signal.SIGKILL
        sweep()
        assert select.select([orphan], [], [], 10)[0], "the crashed lab's process still runs"
    assert namespace not in command(["ip", "netns", "list"])
    assert not (ETC / namespace).exists()
    assert await outcome(host, "call", INTERNET_ADDRESS, 9000) == "ECONNREFUSED"


@attrs.frozen
class Inner:
    """How a pytest run inside this one ended."""

    status: int
    output: str


async def start_pytest(folder: Path, test: str, **env: str) -> Process:
    (folder / "test_inner.py").write_text(test)
    arguments = [
        "-p",
        "netlab.plugin",
        "-p",
        "no:cacheprovider",
        "-o",
        "asyncio_mode=auto",
        "-o",
        "markers=lab",
        "--strict-markers",
        "-rA",
        "-s",
    ]
    return await start(
        "inner pytest",
        (),
        [sys.executable, "-m", "pytest", *arguments, "test_inner.py"],
        cwd=folder,
        env={"PYTHONPATH": str(FOLDER), **env},
    )


async def run_pytest(folder: Path, test: str, **env: str) -> Inner:
    process = await start_pytest(folder, test, **env)
    status = await process.wait(30)
    return Inner(status, "\n".join(line.text for line in process.unread))


USES_LAB = "async def test_it(lab): lab.lan()\n"
FORGETS = """
import sys
async def test_it(lab):
    child = await lab.lan().host("tablet-1").spawn([sys.executable, "-c", "import time; time.sleep(1000)"])
"""


async def test_a_missing_tool_skips_with_its_name(lab: Lab, tmp_path: Path) -> None:
    inner = await run_pytest(tmp_path, USES_LAB, PATH="/nonexistent", CI="")
    assert inner.status == 0, inner.output
    assert "1 skipped" in inner.output
    assert "not installed: ip, tc, nft" in inner.output


async def test_a_missing_tool_fails_in_ci(lab: Lab, tmp_path: Path) -> None:
    inner = await run_pytest(tmp_path, USES_LAB, PATH="/nonexistent", CI="true")
    assert inner.status == 1, inner.output
    assert "CI must run the lab: not installed: ip, tc, nft" in inner.output


async def test_a_forgotten_process_is_an_error_at_teardown(lab: Lab, tmp_path: Path) -> None:
    inner = await run_pytest(tmp_path, FORGETS)
    assert "1 passed, 1 error" in inner.output
    assert "the test left processes running" in inner.output


async def test_a_failed_test_shows_what_its_processes_said_and_no_second_error(lab: Lab, tmp_path: Path) -> None:
    inner = await run_pytest(tmp_path, FORGETS + "    await child.read_line(timeout=0.5)\n")
    assert "1 failed" in inner.output
    assert "1 error" not in inner.output
    assert "a line did not come within 0.5 s" in inner.output


async def test_an_interrupted_run_leaves_nothing(lab: Lab, tmp_path: Path) -> None:
    # A run in the background of a script inherits that SIGINT is ignored.
    heeds = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    process = await start_pytest(
        tmp_path, heeds + FORGETS + "    print('lab:', lab.internet.namespace, flush=True)\n    await child.wait()\n"
    )
    while "lab: " not in (line := await process.read_line()):
        pass
    process.send_signal(signal.SIGINT)
    assert await process.wait() == pytest.ExitCode.INTERRUPTED
    assert line.split()[-1] not in command(["ip", "netns", "list"])
