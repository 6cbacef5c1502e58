"""What is particular to a folder: garbage in it, and devices that went without a word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hallway.model import DeviceInfo
from hallway_plugin_template import _record
from hallway_plugin_template.folder import RecordFolder

ENDPOINTS = ("http://127.0.0.1:8091",)


def device(name: str) -> DeviceInfo:
    return DeviceInfo(name, "hotel-1", "tablet", "epoch-1")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"{}", b"\xff", b"[" * 4000, b'{"device_id": "../x"}', b" " * 5000],
    ids=lambda body: repr(body[:12]),
)
def test_a_file_that_is_not_one_of_ours_is_passed_over(tmp_path: Path, body: bytes) -> None:
    RecordFolder(tmp_path, device("b"), 10).exchange(ENDPOINTS)
    (tmp_path / "garbage.json").write_bytes(body)
    assert _record.loads(body) is None
    assert set(RecordFolder(tmp_path, device("a"), 10).exchange(())) == {"b"}


def test_a_device_that_shows_no_sign_of_life_is_not_seen_any_more(tmp_path: Path) -> None:
    RecordFolder(tmp_path, device("b"), 10).exchange(ENDPOINTS)
    os.utime(tmp_path / "b.json", (0, 0))
    assert RecordFolder(tmp_path, device("a"), 10).exchange(()) == {}


def test_a_device_that_is_withdrawn_leaves_nothing(tmp_path: Path) -> None:
    folder = RecordFolder(tmp_path, device("a"), 10)
    folder.exchange(ENDPOINTS)
    folder.exchange(())
    assert list(tmp_path.iterdir()) == []
