"""The process is killed at every step of writing to the disk; the same command again ends as if nothing had happened."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from enrolment_rig import Carrier, Desk, join

from hallway.errors import AlreadyEnrolled
from hallway.runtime.membership import founding, invitations, joining
from hallway.runtime.membership.registrar import Registrar
from hallway.runtime.tasks import TaskSet
from hallway.trust import files
from hallway.trust.credential import Subject
from hallway.trust.recovery import read_recovery


class Killed(BaseException):
    """Nothing that comes after it is carried out."""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("hallway.trust.recovery.LOG_N", 10)
    for module, name, value in ((invitations, "TICK", 0.001), (joining, "PAUSE", 0.001), (invitations, "NEWS_SECONDS", 0.01)):
        monkeypatch.setattr(module, name, value)


@contextmanager
def killed_at(monkeypatch, step):
    """Die before the file of that number is written (even) or after (odd)."""
    write, count = files.write, iter(range(0, 1000, 2))

    def dying(path, content):
        number = next(count)
        if number == step:
            raise Killed
        write(path, content)
        if number + 1 == step:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(files, "write", dying)
        with pytest.raises(Killed):
            yield


def found(folder, tell=lambda _: None):
    return founding.found(folder / "state", "Sea View", "desk", folder / "recovery.json", lambda: None, tell)


@pytest.mark.parametrize("step", range(13))
def test_init_that_is_killed_can_be_repeated_and_the_passphrase_that_was_told_opens_the_file(tmp_path, monkeypatch, step):
    """Step 12 is after the last file: the terminal has gone before the passphrase was shown."""

    def gone(_made):
        raise Killed

    with killed_at(monkeypatch, step):
        found(tmp_path, gone)
    told = []
    made = found(tmp_path, told.append)
    assert told == [made]
    assert read_recovery(tmp_path / "recovery.json", made.passphrase).public == made.membership.root
    kept = sorted(path.name for path in (tmp_path / "state").iterdir())
    assert kept == ["identity.json", "membership.json", "roster.json", "secrets.json", "state.lock"]
    with pytest.raises(AlreadyEnrolled):
        found(tmp_path)


@pytest.fixture
async def desk(tmp_path):
    tasks = TaskSet(lambda task, error: pytest.fail(f"{task}: {error!r}"))
    yield Desk(tmp_path / "desk", tasks)
    await tasks.aclose()


@pytest.mark.parametrize("step", range(8))
async def test_a_joiner_that_is_killed_joins_again_with_the_same_invitation(desk, tmp_path, monkeypatch, step):
    await desk.invite()
    # Both ends run in this process: the admin has written its three files before the joiner's three, and the keys come first of all.
    mine = [0, 1, 8, 9, 10, 11, 12, 13][step]
    with killed_at(monkeypatch, mine):
        await join(Carrier(desk.window), tmp_path / "tablet", desk.ticket)
    membership = await join(Carrier(desk.window), tmp_path / "tablet", desk.ticket)
    assert desk.names == ["desk", "tablet-1"]
    assert desk.state.load().book.current.member("tablet-1").sub == membership.keys.id


@pytest.mark.parametrize("step", range(6))
async def test_an_admin_that_is_killed_while_it_takes_a_device_in_or_turns_it_away_does_it_when_asked_again(
    desk, tmp_path, monkeypatch, step
):
    leaf = (await _joined(desk, tmp_path)).chain.leaf
    subject = Subject(leaf.identity, leaf.sealing, leaf.name)
    with killed_at(monkeypatch, step):
        await desk.registrar.admit(subject)
    again = Registrar(desk.state, desk.state.load())
    await again.admit(subject)
    with killed_at(monkeypatch, step):
        await again._revoke({"deviceId": "tablet-1"})
    last = Registrar(desk.state, desk.state.load())
    if last.membership.book.current.member("tablet-1") is not None:
        await last._revoke({"deviceId": "tablet-1"})
    loaded = desk.state.load()
    assert desk.names == ["desk"]
    assert loaded.book.secret.same(loaded.book.current.secret(loaded.keys.id, loaded.keys.sealing))


async def _joined(desk, tmp_path):
    await desk.invite()
    return await join(Carrier(desk.window), tmp_path / "tablet", desk.ticket)
