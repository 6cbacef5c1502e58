"""What of `hallway bench` needs no second device: its messages, its verdicts, its pictures, and what it refuses at once."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from pathlib import Path

import attrs
import pytest
from click.testing import CliRunner

from hallway.cli import bench_cpu, bench_plot, bench_report
from hallway.cli.bench_client import Measurement, Outcome
from hallway.cli.bench_cpu import Cpu
from hallway.cli.bench_device import apart, store_folder
from hallway.cli.bench_disk import commit_rows, scratch
from hallway.cli.bench_lanes import COUNT, MAX_QUESTION, Tally
from hallway.cli.bench_measure import Busy, Sample
from hallway.cli.bench_messages import LARGE, LEAST, SMALL, TYPE, json_texts, messages
from hallway.cli.bench_server import ControlRefused, _offer_of
from hallway.cli.main import cli
from hallway.config.loading import config_from_arguments
from hallway.errors import MisuseError, StoreUnusable
from hallway.model import Description, IcePolicy, is_name
from hallway.trust.state import TrustState

SETTINGS = ("--set", "security=open", "--set", "device.id=tablet-1", "--set", "device.property=hotel-1")
IDLE, HALF, FULL = Cpu(0.1, 0.0), Cpu(0.45, 0.05), Cpu(0.95, 0.0)


@pytest.fixture
def run(monkeypatch):
    for name in [name for name in os.environ if name.startswith("HALLWAY_")]:
        monkeypatch.delenv(name)
    return lambda *words: CliRunner().invoke(cli, ["bench", *words], prog_name="hallway", catch_exceptions=False)


def samples(*values: float, here: Cpu = IDLE, there: Cpu = IDLE) -> tuple[Sample, ...]:
    return tuple(Sample((value,), Busy(here, there)) for value in values)


def trips(*values: float, here: Cpu = IDLE, there: Cpu = IDLE) -> Measurement:
    ours = (Sample(values, Busy(here, there)),)
    return Measurement("round-trip", "ms", "channel", 0, ours, (Sample((1.0,), Busy(IDLE, IDLE)),))


def burst(ours: float, bare: float, name: str = "small", beside: str = "channel", **busy: Cpu) -> Measurement:
    size = LARGE if name == "large" else SMALL
    return Measurement(name, "messages/s", beside, size, samples(ours - 1, ours, ours + 5, **busy), samples(bare, bare))


def outcome(*measurements: Measurement) -> Outcome:
    link = {"signaling": "http-local", "channel": "aiortc", "path": {"local": "10.0.0.1", "remote": "10.0.0.2", "distant": False}}
    return Outcome("tablet-1", "desk", ("0.1", "0.1"), link, 25.0, 3, 1.0, measurements)


WHOLE = outcome(
    trips(1.0, 2.0, 3.0),
    burst(5000, 1000, here=FULL),
    burst(150, 200, "large"),
    burst(900, 1000, "durable", "disk"),
)


class TestMessages:
    @pytest.mark.parametrize("size", [LEAST, SMALL, 4000, LARGE])
    def test_each_has_the_size_that_was_asked_for_and_none_is_like_the_other(self, size):
        texts = json_texts(size)
        assert {len(text.encode()) for text in texts} == {size}
        assert len(set(texts)) == len(texts) >= 32

    def test_they_are_the_same_at_every_call_and_say_what_they_are(self):
        assert messages(SMALL) == messages(SMALL)
        assert {message["type"] for message in messages(SMALL)} == {TYPE}

    def test_a_size_that_none_can_have_is_refused(self):
        with pytest.raises(ValueError, match="192 bytes at least"):
            messages(20)


class TestApart:
    def test_the_device_keeps_its_name_and_leaves_its_property_its_store_and_its_memory(self, tmp_path):
        config = config_from_arguments(device_id="desk", property_id="hotel-1", security="open", store="/nowhere/desk.db")
        config = attrs.evolve(config, discovery=attrs.evolve(config.discovery, last_good="/nowhere/last-good"))
        made = apart(config, tmp_path)
        assert (made.device.id, made.device.property) == ("desk", "hotel-1-hallway-bench")
        assert (made.delivery.store, made.discovery.last_good) == (str(tmp_path / "bench.db"), None)
        assert apart(config, None).delivery.store is None

    def test_the_longest_property_stays_one(self):
        config = config_from_arguments(device_id="desk", property_id="h" * 128, security="open")
        made = apart(config, None).device.property
        assert is_name(made)
        assert made.endswith("-hallway-bench")

    def test_the_disk_is_that_of_the_store_unless_another_is_named(self, tmp_path):
        config = config_from_arguments(device_id="desk", property_id="p", security="open", store=str(tmp_path / "desk.db"))
        assert store_folder(config, None) == tmp_path
        assert store_folder(config, "/") == Path("/")
        assert store_folder(config_from_arguments(device_id="desk", property_id="p", security="open"), None) is None
        with pytest.raises(StoreUnusable, match="there is no folder /nowhere"):
            store_folder(config, "/nowhere")


class TestDisk:
    def test_rows_are_counted_and_nothing_stays(self, tmp_path):
        with scratch(tmp_path) as own:
            assert own is not None
            assert own.parent == tmp_path
            assert commit_rows(own, 0.05)[0] > 0
            assert list(own.iterdir()) == []
        assert list(tmp_path.iterdir()) == []

    def test_a_disk_that_takes_nothing_is_named(self, tmp_path, monkeypatch):
        def full(*_: object, **__: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(sqlite3, "connect", full)
        with pytest.raises(StoreUnusable, match=f"the disk of {tmp_path} does not take what is written: database or disk is full"):
            commit_rows(tmp_path, 0.05)

    def test_a_file_is_no_folder(self, tmp_path):
        file = tmp_path / "file"
        file.touch()
        with pytest.raises(StoreUnusable, match="nothing can be stored in"), scratch(file):
            raise AssertionError("it was made")


class TestAnswers:
    def test_the_count_begins_anew_and_other_questions_come_back_cut(self):
        tally = Tally()
        tally.count = 7
        count, used, waited = tally.answer(COUNT)
        assert count == 7
        assert used >= 0
        assert waited >= 0
        assert tally.answer(COUNT)[0] == 0
        assert tally.answer("ping 3") == "ping 3"
        assert len(tally.answer("x" * 1000)) == MAX_QUESTION

    def test_an_offer_is_read_or_refused(self):
        body = {"kind": "webrtc", "sdp": "v=0", "policy": "lan"}
        assert _offer_of(body) == (Description("webrtc", "offer", "v=0"), IcePolicy.LAN)
        for bad in (None, [], {}, {**body, "policy": "moon"}, "webrtc"):
            with pytest.raises(ControlRefused, match="that is no offer"):
                _offer_of(bad)

    def test_where_the_system_tells_nothing_nobody_has_waited(self, monkeypatch, tmp_path):
        monkeypatch.setattr(bench_cpu, "SCHEDSTAT", dict.fromkeys(("process", "thread"), tmp_path / "none"))
        assert (Cpu.now().waited, Cpu.of_thread().waited) == (0, 0)


class TestVerdicts:
    @pytest.mark.parametrize(
        ("measurement", "limit", "device"),
        [
            (burst(900, 1000), "network", None),
            (burst(5000, 1000, here=FULL), "cpu", "tablet-1"),
            (burst(5000, 1000, here=HALF, there=FULL), "cpu", "desk"),
            (burst(5000, 1000, there=Cpu(0.3, 0.6)), "cpu", "desk"),
            (trips(2.0), "network", None),
            (trips(2.0, here=HALF, there=HALF), "cpu", "tablet-1"),
            (burst(900, 1000, "durable", "disk"), "disk", None),
            (burst(900, 1000, "durable", "disk", here=FULL), "disk", None),
            (burst(100, 1000, "durable", "disk", here=FULL), "cpu", "tablet-1"),
            (burst(100, 1000, "durable", "disk"), "network", None),
            (attrs.evolve(burst(900, 1000, "durable", "disk", here=FULL), bare=samples(1000, here=FULL)), "cpu", "tablet-1"),
        ],
    )
    def test_what_limits_follows_from_the_busiest_and_from_the_yardstick(self, measurement, limit, device):
        found = bench_report.limit(measurement, "tablet-1", "desk")
        assert (found.what, found.device) == (limit, device)

    def test_the_figures_are_medians_and_the_ratio_is_hallway_by_the_yardstick(self):
        first, small, *_ = bench_report.as_json(WHOLE)["measurements"]
        assert first["hallway"] == {
            "medianMs": 2.0,
            "p95Ms": pytest.approx(2.9),
            "cpu": {"tablet-1": {"used": 0.1, "waited": 0.0}, "desk": {"used": 0.1, "waited": 0.0}},
        }
        assert (small["hallway"]["perSecond"], small["bare"]["perSecond"], small["ratio"]) == (5000, 1000, 5.0)
        assert json.loads(json.dumps(bench_report.as_json(WHOLE)))["link"]["ms"] == 25.0

    def test_a_single_round_trip_has_its_percentile_too(self):
        assert bench_report.figure(samples(4.0), "ms") == {"medianMs": 4.0, "p95Ms": 4.0}

    def test_the_table_says_what_is_reached_and_what_limits(self):
        limits = "round trip and large messages by the network; small messages by the CPU of tablet-1; durable messages by the disk"
        assert bench_report.table(WHOLE).splitlines() == [
            "tablet-1 and desk over aiortc, signaled by http-local, 10.0.0.1 to 10.0.0.2",
            "",
            "                               hallway              alone  ratio  limited by",
            "round trip, median             2.00 ms  1.00 ms (channel)   2.00  network",
            "round trip, 95 % within        2.90 ms  1.00 ms (channel)   2.90  network",
            "messages of 200 bytes          5,000/s  1,000/s (channel)   5.00  CPU of tablet-1",
            "messages of 16 KiB               150/s    200/s (channel)   0.75  network",
            "durable messages of 200 bytes    900/s     1,000/s (disk)   0.90  disk",
            "",
            "Alone: what a bare channel, or the slower of the two disks, reaches without hallway, in the same run (3 rounds).",
            "tablet-1 used up to 95% of a core.",
            "desk used up to 10% of a core.",
            f"Limits here: {limits}.",
        ]

    def test_what_other_programs_take_is_told_and_one_limit_of_all_is_said_once(self):
        text = bench_report.table(outcome(burst(5000, 1000, there=Cpu(0.3, 0.6)), burst(5000, 1000, "durable", there=Cpu(0.5, 0.5))))
        assert "desk used up to 50% of a core; other programs made it wait for one, up to 60% of the time." in text
        assert "Neither device has a store" in text
        assert text.endswith("Everything here is limited by the CPU of desk.")


class TestPicture:
    @pytest.mark.parametrize(("name", "begin"), [("bench.png", b"\x89PNG"), ("bench.SVG", b"<?xml")])
    def test_it_is_drawn(self, tmp_path, name, begin):
        bench_plot.check(tmp_path / name)
        bench_plot.plot(WHOLE, tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(begin)

    def test_a_file_that_cannot_be_written_is_an_error(self, tmp_path):
        (tmp_path / "bench.png").mkdir()
        with pytest.raises(MisuseError, match="the plot cannot be written"):
            bench_plot.plot(WHOLE, tmp_path / "bench.png")


@pytest.fixture
def enrolled(tmp_path, monkeypatch):
    monkeypatch.setattr("hallway.trust.recovery.LOG_N", 10)
    state = tmp_path / "trust"
    made = CliRunner().invoke(cli, ["init", "--state", str(state), "--property", "Sea View", "--device", "desk", "--json"])
    assert made.exit_code == 0
    return state


class TestEnrolled:
    def test_only_members_can_be_measured(self, run, enrolled):
        refused = run("tablet-9", "--state", str(enrolled), "--json")
        told = json.loads(refused.stdout)
        assert (refused.exit_code, told["message"]) == (1, "tablet-9 is no device of Sea View, as far as this device has heard")
        assert told["hint"] == "let another device join first: hallway invite"

    @pytest.mark.parametrize("words", [("run", "tablet-1"), ("answer",)])
    def test_a_device_that_has_its_folder_is_not_doubled(self, run, enrolled, words):
        lock = TrustState(enrolled).lock()
        refused = run(*words, "--state", str(enrolled), "--json")
        lock.release()
        assert (refused.exit_code, json.loads(refused.stdout)["code"]) == (1, "busy")

    def test_the_name_in_the_enrolment_is_this_device_itself(self, run, enrolled):
        assert "DESK is this device itself" in run("run", "DESK", "--state", str(enrolled)).stderr

    def test_beside_the_property_nobody_is_met_who_is_not(self, enrolled):
        real = TrustState(enrolled).load()
        one, two = (real.apart("bench").book for _ in range(2))
        assert one.secret.same(two.secret)
        assert not one.secret.same(real.book.secret)
        assert not one.secret.same(real.apart("another").book.secret)
        assert (one.secret.kid, one.secret.room) != (real.book.secret.kid, real.book.secret.room)
        assert one.held(real.book.secret.kid, 0.0) is None


class TestRefusals:
    @pytest.mark.parametrize(
        ("words", "text"),
        [
            (("run", "no such"), "'no such' is no device id"),
            (("run", "TABLET-1"), "TABLET-1 is this device itself"),
            (("TABLET-1",), "TABLET-1 is this device itself"),
            (("run", "desk", "--rounds", "0"), "--rounds"),
            (("run",), "Missing argument 'PEER'"),
        ],
    )
    def test_a_wrong_command_line_is_refused_before_anything_starts(self, run, words, text):
        result = run(*words, *SETTINGS)
        assert result.exit_code == 2
        assert text in result.stderr

    @pytest.mark.parametrize("words", [("run", "desk"), ("answer",)])
    def test_a_wrong_configuration_is_refused(self, run, words):
        result = run(*words, *SETTINGS, "--set", "device.colour=red")
        assert result.exit_code == 2
        assert "device.colour: is not a known key" in result.stderr

    @pytest.mark.parametrize("words", [("run", "desk"), ("answer",)])
    def test_a_folder_that_is_not_there_is_named(self, run, words):
        result = run(*words, *SETTINGS, "--json", "--store", "/nowhere")
        assert result.exit_code == 1
        told = json.loads(result.stdout)
        assert (told["code"], result.stderr) == ("store-unusable", "")
        assert told["hint"].startswith("make it, or name the folder")

    @pytest.mark.parametrize(
        ("file", "text"), [("bench.xls", "names no kind of picture"), ("/nowhere/bench.png", "there is no folder /nowhere for the plot")]
    )
    def test_a_picture_that_cannot_be_is_refused_before_it_is_measured(self, run, file, text):
        result = run("run", "desk", *SETTINGS, "--plot", file)
        assert result.exit_code == 1
        assert text in result.stderr

    def test_without_matplotlib_a_picture_is_refused_and_says_what_to_install(self, run, monkeypatch, tmp_path):
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        result = run("run", "desk", *SETTINGS, "--plot", str(tmp_path / "bench.png"))
        assert result.exit_code == 1
        assert "a plot needs matplotlib, which is not installed" in result.stderr
        assert "hint: pip install matplotlib, or leave --plot out" in result.stderr
