"""What an admin does by itself: it replaces a group secret that has had its time, and writes that down."""

from __future__ import annotations

import logging
import os

import pytest
from enrolment_rig import Desk

from hallway.errors import TrustStateError
from hallway.runtime.membership.registrar import Registrar
from hallway.runtime.tasks import TaskSet
from hallway.trust.admin import SECRET_LIFE
from hallway.trust.credential import Subject
from hallway.trust.keys import DeviceKeys


@pytest.fixture
async def desk(tmp_path, monkeypatch):
    monkeypatch.setattr("hallway.trust.recovery.LOG_N", 10)
    tasks = TaskSet(lambda task, error: pytest.fail(f"{task}: {error!r}"))
    yield Desk(tmp_path / "state", tasks)
    await tasks.aclose()


def now_of(registrar):
    """When the secret has had its time: 180 days after it was made."""
    assert SECRET_LIFE == 180 * 24 * 3600
    return registrar.membership.book.secret_since + SECRET_LIFE


async def test_a_group_secret_is_replaced_after_180_days_and_written_down(desk):
    registrar, book = desk.registrar, desk.registrar.membership.book
    old, due, members = book.secret, now_of(registrar), book.current.members
    await registrar.keep_up(due - 1)
    assert (book.current.epoch, book.secret.same(old)) == (1, True)

    await registrar.keep_up(due)
    assert (book.current.epoch, book.secret.same(old), book.current.members) == (2, False, members)
    kept = desk.state.load().book
    assert (kept.current.epoch, kept.secret.same(book.secret)) == (2, True)

    await registrar.keep_up(due + 1)
    assert book.current.epoch == 2
    await registrar.keep_up(now_of(registrar))
    assert book.current.epoch == 3


def full(monkeypatch, state):
    """Let the disk be full until this is called."""
    save = state.save

    def fails(membership):
        raise TrustStateError("no space is left", hint="make room")

    monkeypatch.setattr(state, "save", fails)
    return lambda: monkeypatch.setattr(state, "save", save)


async def test_what_cannot_be_put_in_force_is_told_and_tried_again(desk, monkeypatch, caplog):
    book, make_room = desk.registrar.membership.book, full(monkeypatch, desk.state)
    due = now_of(desk.registrar)
    with caplog.at_level(logging.WARNING):
        await desk.registrar.keep_up(due)
    assert "the next roster could not be made" in caplog.text
    assert (book.current.epoch, desk.state.load().book.current.epoch) == (1, 1)

    make_room()
    await desk.registrar.keep_up(due)
    assert (book.current.epoch, desk.state.load().book.current.epoch) == (2, 2)


async def test_a_revocation_that_cannot_be_written_down_changes_nothing(desk, monkeypatch):
    """`hallway revoke` says so when it fails: nobody may be told of it then."""
    registrar, told = desk.registrar, []
    registrar = Registrar(desk.state, desk.registrar.membership, lambda roster, now: told.append(roster))
    keys = DeviceKeys.generate(os.urandom)
    await desk.registrar.admit(Subject(keys.identity.public, keys.sealing.public, "tablet-1"))
    make_room = full(monkeypatch, desk.state)
    with pytest.raises(TrustStateError):
        await registrar._revoke({"deviceId": "tablet-1"})
    assert told == []
    assert not registrar.membership.book.is_revoked(keys.id)
    make_room()
    assert not desk.state.load().book.is_revoked(keys.id)
