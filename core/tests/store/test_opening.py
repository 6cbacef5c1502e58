"""Opening: one process at a time, private files, and what is told of damage, loss and older copies."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import zlib
from contextlib import closing
from pathlib import Path

import pytest
from store_rig import ALL, incarnation, message, queued, received

from hallway.errors import StoreBusy, StoreDamaged, StoreUnusable
from hallway.store import Position, Store
from hallway.store.schema import MIGRATIONS

HOLDING = Path(__file__).parent / "support" / "holding.py"
PARTS = ("", "-wal", "-shm", ".lock", ".mark")


def part(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


async def filled(path: Path, count: int = 3, size: int = 100) -> int:
    """A store that has been used and closed; returns the incarnation of its stream."""
    store = await Store.open(str(path))
    for n in range(1, count + 1):
        await store.put(message(n, size=size), ["tablet-2"])
    ours = await incarnation(store)
    await store.aclose()
    return ours


async def test_a_second_process_is_refused_and_told_who_has_the_store_until_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "hallway.db"
    with subprocess.Popen([sys.executable, str(HOLDING), str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"open\n"
        with pytest.raises(StoreBusy, match=rf"in use by process {owner.pid}\b"):
            await Store.open(str(path))
        owner.kill()
    store = await Store.open(str(path))
    with pytest.raises(StoreBusy, match="by this process itself"):
        await Store.open(str(path))
    await store.aclose()


@pytest.mark.parametrize("suffix", [".lock", ".mark"])
async def test_no_link_beside_the_store_is_written_through(tmp_path: Path, suffix: str) -> None:
    """In a folder where others may make files, one could lead to any file of this user."""
    path, treasure = tmp_path / "hallway.db", tmp_path / "treasure"
    treasure.write_text("precious")
    part(path, suffix).symlink_to(treasure)
    with pytest.raises(StoreUnusable):
        await Store.open(str(path))
    assert treasure.read_text() == "precious"


async def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "hallway.db"
    path.touch(0o644)
    path.chmod(0o644)
    store = await Store.open(str(path))
    await store.put(message(1), ["tablet-2"])
    assert {suffix: part(path, suffix).stat().st_mode & 0o777 for suffix in PARTS} == dict.fromkeys(PARTS, 0o600)
    await store.aclose()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE life SET clock = 'x'",
        "UPDATE life SET commits = 9223372036854775807",
        "UPDATE life SET reading = -9223372036854775808",
        "UPDATE stream SET last = X'01'",
        "UPDATE stream SET name = CAST(X'41FF' AS TEXT)",
        "UPDATE outbox SET created = 1.5",
        "UPDATE outbox SET expires = 'never'",
        "UPDATE body SET bytes = 1",
        "DROP TABLE letter",
        "ALTER TABLE outbox RENAME COLUMN created TO creatad",
        "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'position', CAST(X'CC' AS TEXT))",
    ],
)
async def test_values_that_were_never_written_are_damage_though_the_pages_are_whole(tmp_path: Path, change: str) -> None:
    path = tmp_path / "hallway.db"
    await filled(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(change)
    store = await Store.open(str(path))
    (notice,) = store.notices
    assert "damaged-1" in notice
    await store.put(message(9), ["tablet-2"])
    assert await queued(store) == [(1, 9)]
    await store.aclose()


@pytest.mark.parametrize("fields", [(b"\xff\xfe", b"1"), (b"name", b"\xc2\xb2"), (b"name", b"one"), (b"name", b"1" * 40)])
async def test_a_mark_that_nobody_wrote_is_none_though_its_checksum_fits(tmp_path: Path, fields: tuple[bytes, bytes]) -> None:
    path = tmp_path / "hallway.db"
    await filled(path)
    part(path, ".mark").write_bytes(b"%s %s %08x\n" % (*fields, zlib.crc32(b"".join(fields))))
    store = await Store.open(str(path))
    assert await queued(store) == [(1, 1), (2, 2), (3, 3)]
    await store.aclose()


@pytest.mark.parametrize("where", ["absent/hallway.db", "folder", "file/hallway.db"])
async def test_what_cannot_be_opened_is_refused_with_a_hint(tmp_path: Path, where: str) -> None:
    (tmp_path / "folder").mkdir(0o755)
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnusable, match="cannot be opened") as refused:
        await Store.open(str(tmp_path / where))
    assert "[delivery].store" in refused.value.hint
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o755


async def test_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "hallway.db"
    await filled(path)
    with sqlite3.connect(path) as other:
        other.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    other.close()
    with pytest.raises(StoreUnusable, match=f"version {len(MIGRATIONS) + 1}") as refused:
        await Store.open(str(path))
    assert "newer hallway" in refused.value.hint
    with sqlite3.connect(path) as other:
        other.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    other.close()
    store = await Store.open(str(path))
    assert await queued(store) == [(1, 1), (2, 2), (3, 3)]
    await store.aclose()


async def test_the_database_of_another_program_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE orders (id INTEGER)")
    other.close()
    path.chmod(0o644)
    before = path.read_bytes()
    with pytest.raises(StoreUnusable, match="another program"):
        await Store.open(str(path))
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (before, 0o644)
    assert not part(path, ".mark").exists()


def break_header(path: Path) -> None:
    path.write_bytes(b"this is no database at all" + path.read_bytes()[26:])


def break_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [break_header, break_page])
async def test_a_damaged_database_is_moved_aside_and_a_new_one_begun(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "hallway.db"
    before = await filled(path)
    part(path, ".damaged-1").touch()
    damage(path)  # type: ignore[operator]
    path.chmod(0o644)
    broken = path.read_bytes()
    store = await Store.open(str(path))
    (notice,) = store.notices
    assert "damaged-2" in notice
    assert part(path, ".damaged-2").read_bytes() == broken
    assert part(path, ".damaged-2").stat().st_mode & 0o777 == 0o600
    await store.put(message(9), ["tablet-2"])
    assert await queued(store) == [(1, 9)]
    assert await incarnation(store) != before
    await store.aclose()
    assert (await reopened(path)) == ()


async def reopened(path: Path) -> tuple[str, ...]:
    store = await Store.open(str(path))
    await store.aclose()
    return store.notices


async def test_damage_that_shows_at_work_is_told_to_the_caller_and_mended_at_the_next_opening(tmp_path: Path) -> None:
    path = tmp_path / "hallway.db"
    await filled(path, size=1024 * 1024, count=12)
    store = await Store.open(str(path))
    break_page(path)
    with pytest.raises(StoreDamaged, match="damaged"):
        await store.waiting("tablet-2", "", 0, **ALL)
    await store.aclose()
    store = await Store.open(str(path))
    assert len(store.notices) == 1
    assert await store.outgoing() == []
    await store.aclose()


async def test_an_older_copy_is_noticed_and_all_streams_begin_anew(tmp_path: Path) -> None:
    path, copy = tmp_path / "hallway.db", tmp_path / "backup"
    store = await Store.open(str(path))
    for n in range(1, 5):
        await store.put(message(n), ["tablet-2"])
    await store.receive("tablet-2", "", 5, 1, [received(1)])
    before = await incarnation(store)
    await store.acked("tablet-2", "", before, 2)
    await store.aclose()
    shutil.copy(path, copy)
    store = await Store.open(str(path))
    await store.put(message(5), ["tablet-2"])
    await store.aclose()
    shutil.copy(copy, path)
    store = await Store.open(str(path))
    (notice,) = store.notices
    assert "older copy" in notice
    assert await incarnation(store) != before
    assert await queued(store) == [(1, 3), (2, 4)]
    assert (await store.put(message(6), ["tablet-2"])).seqs == {"tablet-2": 3}
    assert await store.positions() == [Position("tablet-2", "", 5, 1)]
    await store.aclose()
    assert await reopened(path) == ()


async def test_a_copy_that_was_made_while_the_store_was_at_work_is_noticed(tmp_path: Path) -> None:
    path, copy = tmp_path / "hallway.db", tmp_path / "backup"
    store = await Store.open(str(path))
    await store.put(message(1), ["tablet-2"])
    with sqlite3.connect(path) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    source.close()
    target.close()
    await store.put(message(2), ["tablet-2"])
    await store.aclose()
    shutil.copy(copy, path)
    assert "older copy" in (await reopened(path))[0]


async def test_a_copy_without_its_mark_or_beside_another_is_noticed(tmp_path: Path) -> None:
    path, other = tmp_path / "hallway.db", tmp_path / "other.db"
    await filled(path)
    await filled(other)
    shutil.copy(other, path)
    assert "another's" in (await reopened(path))[0]
    part(path, ".mark").write_bytes(b"torn")
    assert "older copy" in (await reopened(path))[0]
    part(path, ".mark").unlink()
    assert "older copy" in (await reopened(path))[0]
    assert await reopened(path) == ()


async def test_a_database_that_is_gone_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "hallway.db"
    await filled(path)
    path.unlink()
    assert "was gone" in (await reopened(path))[0]
    assert await reopened(path) == ()


async def test_a_store_that_goes_on_as_it_was_has_no_notices_and_the_same_streams(tmp_path: Path) -> None:
    path = tmp_path / "hallway.db"
    before = await filled(path)
    store = await Store.open(str(path))
    assert store.notices == ()
    assert await incarnation(store) == before
    await store.aclose()
