"""`hallway bench` between two devices as an operator starts it: the numbers, and who is refused."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from signal import SIGINT
from typing import Any

import pytest
from sealed_states import Property, sealed_up

from netlab import Host, Lab, Process, matching
from site_devices import PROPERTY, end, up

pytestmark = pytest.mark.second_lab

SEED_DEVICE = Path(__file__).parent / "support" / "seed_device.py"
QUICK = ("--rounds", "1", "--seconds", "0.1", "--json")
BESIDE = {"round-trip": "channel", "small": "channel", "large": "channel", "durable": "disk"}


async def bench(host: Host, name: str, *words: str, store: Path | None = None) -> Process:
    """One end of a benchmark; with ``store`` the configured store is a file in that folder."""
    settings = ['security="open"', f'device.id="{name}"', f'device.property="{PROPERTY}"']
    settings += [f'delivery.store="{store / name}.db"'] if store else []
    return await start_bench(host, *words, *(part for setting in settings for part in ("--set", setting)))


async def start_bench(host: Host, *options: str) -> Process:
    return await host.spawn([sys.executable, "-m", "hallway.cli", "bench", *options], env={"HALLWAY_LOG": "error"})


async def answering(host: Host, name: str, *words: str, store: Path | None = None) -> Process:
    process = await bench(host, name, "answer", "--json", *words, store=store)
    await process.wait_for(matching(event="ready"))
    return process


async def refused(process: Process) -> dict[str, Any]:
    """The error with which it ended."""
    assert await process.wait() == 1
    error = await process.wait_for(matching(event="error"))
    assert not [line for line in process.stderr_lines if line.startswith(("hallway:", "hint:"))]
    return error


def sound(side: dict[str, Any], devices: set[str]) -> None:
    figures = [value for key, value in side.items() if key != "cpu"]
    assert figures
    assert all(value > 0 for value in figures)
    assert set(side["cpu"]) == devices


async def test_two_devices_measure_each_number_beside_its_yardstick_and_leave_nothing_behind(lab: Lab, tmp_path: Path) -> None:
    lan = lab.lan()
    answer = await answering(lan.host("host-2"), "desk", "--once", store=tmp_path)
    run = await bench(lan.host("host-1"), "tablet-1", "run", "DESK", *QUICK, store=tmp_path)

    assert await run.wait() == 0, run.transcript()
    (line,) = run.unread
    found = line.json
    assert found is not None
    assert (found["device"], found["peer"], found["rounds"], found["seconds"]) == ("tablet-1", "desk", 1, 0.1)
    assert set(found["hallway"]) == {"tablet-1", "desk"}
    assert (found["link"]["channel"], found["link"]["signaling"], found["link"]["path"]["distant"]) == ("aiortc", "http-local", False)
    measured = {each["name"]: each for each in found["measurements"]}
    assert {name: each["beside"] for name, each in measured.items()} == BESIDE
    assert {name: each["bytes"] for name, each in measured.items()} == {"round-trip": None, "small": 200, "large": 16384, "durable": 200}
    for each in measured.values():
        sound(each["hallway"], {"tablet-1", "desk"})
        sound(each["bare"], {"tablet-1", "desk"})
        key = "medianMs" if each["unit"] == "ms" else "perSecond"
        assert each["ratio"] == pytest.approx(each["hallway"][key] / each["bare"][key])
        assert each["limit"] in {"network", "cpu", "disk"}
    assert measured["round-trip"]["hallway"]["p95Ms"] >= measured["round-trip"]["hallway"]["medianMs"]
    assert found["summary"].endswith(".")
    assert "round 1 of 1: durable" in run.stderr_lines

    assert await answer.wait() == 0, answer.transcript()
    assert [line.json["event"] for line in answer.unread if line.json] == ["measuring", "measured"]
    assert list(tmp_path.iterdir()) == []


async def test_one_at_a_time_is_measured_and_an_end_in_the_middle_is_told(lab: Lab) -> None:
    lan = lab.lan()
    answer = await answering(lan.host("host-2"), "desk")
    long = ("run", "desk", "--seconds", "30")
    first = await bench(lan.host("host-1"), "tablet-1", *long)
    await answer.wait_for(matching(event="measuring", peerId="tablet-1"))
    second = await bench(lan.host("host-3"), "tablet-3", "run", "desk", *QUICK)
    assert (await refused(second))["message"] == "tablet-1 measures already"

    first.send_signal(SIGINT)
    assert await first.wait() == 130
    assert (first.unread, first.stderr_lines[-1]) == ([], "interrupted")
    await answer.wait_for(matching(event="measured", peerId="tablet-1"))

    third = await bench(lan.host("host-4"), "tablet-4", *long, "--json")
    await answer.wait_for(matching(event="measuring", peerId="tablet-4"))
    assert await answer.terminate() == 0
    assert (await refused(third))["message"] == "the link to desk was lost in the middle (bye)"


async def test_whoever_does_not_answer_benchmarks_is_named_as_such(lab: Lab) -> None:
    lan = lab.lan()
    apart = f"{PROPERTY}-hallway-bench"
    devices = [await up(lan.host("host-2"), "other", f'device.property="{apart}"'), await up(lan.host("host-3"), "busy")]
    plain = await lan.host("host-4").spawn([sys.executable, str(SEED_DEVICE), "plain", apart, "--serve", "8090"])
    await asyncio.gather(*(each.wait_for(matching(event="ready")) for each in (*devices, plain)))
    patience = {"other": "20", "plain": "20", "busy": "2"}
    runs = {
        name: await bench(lan.host(f"host-{number}"), f"tablet-{number}", "run", name, "--patience", seconds, *QUICK)
        for number, (name, seconds) in enumerate(patience.items(), 5)
    }

    errors = dict(zip(runs, await asyncio.gather(*map(refused, runs.values())), strict=True))
    assert errors["other"]["message"] == "other is linked, but does not answer benchmarks"
    assert "run `hallway bench answer` on other" in errors["other"]["hint"]
    assert errors["plain"]["message"] == "plain does not speak hallway: it answers no benchmark"
    # A device of the property itself is left alone, and does not even hear of the benchmark.
    assert (errors["busy"]["code"], errors["busy"]["message"]) == ("peer-unavailable", "busy was not found by mdns in 2 s")
    assert "run `hallway bench answer` on busy" in errors["busy"]["hint"]
    await plain.kill()
    assert not [line for line in devices[1].unread if line.json and line.json["event"] == "peer-found"]
    await asyncio.gather(*map(end, devices))


async def test_a_device_that_runs_is_not_doubled(lab: Lab, tmp_path: Path) -> None:
    host = lab.lan().host("host-1")
    device = await up(host, "tablet-1", f'delivery.store="{tmp_path}/tablet-1.db"')
    await device.wait_for(matching(event="ready"))
    for words in (["answer", "--json"], ["run", "desk", *QUICK]):
        error = await refused(await bench(host, "tablet-1", *words, store=tmp_path))
        assert (error["code"], error["hint"]) == ("busy", "stop it for as long as the benchmark takes; its messages wait")
    await end(device)


async def test_enrolled_devices_measure_beside_their_property_and_change_nothing_in_it(lab: Lab, tmp_path: Path) -> None:
    lan, site = lab.lan(), Property(tmp_path / "trust", "tablet-1", "phone")
    kept = {path: path.read_bytes() for name in ("desk", "tablet-1") for path in sorted(site.state(name).glob("*.json"))}
    phone = await sealed_up(lan.host("host-3"), site.state("phone"))
    await phone.wait_for(matching(event="ready"))
    answer = await start_bench(lan.host("host-2"), "answer", "--json", "--once", "--state", str(site.state("desk")))
    await answer.wait_for(matching(event="ready", deviceId="desk"))
    run = await start_bench(lan.host("host-1"), "desk", *QUICK, "--state", str(site.state("tablet-1")))
    assert await run.wait() == 0, run.transcript()
    found = run.unread[-1].json
    assert found is not None
    assert {each["name"] for each in found["measurements"]} == set(BESIDE)
    for each in found["measurements"]:
        sound(each["hallway"], {"tablet-1", "desk"})
        sound(each["bare"], {"tablet-1", "desk"})
    assert await answer.wait() == 0, answer.transcript()
    # The others of the property did not hear of it, and what the two know of it is as it was.
    assert not [line for line in phone.unread if line.json and line.json["event"] in {"peer-found", "peer-connected", "error"}]
    assert {path: path.read_bytes() for path in kept} == kept
    await end(phone)


async def test_without_a_store_people_get_a_table_beside_the_channel_alone(lab: Lab) -> None:
    lan = lab.lan()
    answer = await answering(lan.host("host-2"), "desk", "--once")
    run = await bench(lan.host("host-1"), "tablet-1", "run", "desk", *QUICK[:-1])
    assert await run.wait() == 0, run.transcript()
    assert await answer.wait() == 0
    lines = [line.text for line in run.unread]
    assert lines[0].startswith("tablet-1 and desk over aiortc, signaled by http-local, ")
    titles = [line.split("  ")[0] for line in lines[3:8]]
    assert titles == [
        "round trip, median",
        "round trip, 95 % within",
        "messages of 200 bytes",
        "messages of 16 KiB",
        "durable messages of 200 bytes",
    ]
    assert all("(channel)" in line for line in lines[3:8])
    assert any("kept in memory" in line for line in lines)
    assert json.loads(answer.unread[-1].text) == {"event": "measured", "peerId": "tablet-1"}
