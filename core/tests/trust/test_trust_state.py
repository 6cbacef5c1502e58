"""The state folder and the recovery file: what is kept, who may see it, and what is said when something is wrong with it."""

from __future__ import annotations

import json
import os
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sealed_site import NOW, Site, description

from hallway.errors import NotEnrolled, StateCorrupt, StateExposed, StateUnusable, TrustStateError, WrongPassphrase
from hallway.trust import files
from hallway.trust.claims import b64
from hallway.trust.recovery import make_passphrase, read_recovery, recovers, write_recovery
from hallway.trust.state import TrustState

SITE = Site("a", "b")


@pytest.fixture
def state(tmp_path):
    state = TrustState(tmp_path / "state")
    member = SITE.membership("a")
    state.save_keys(member.keys)
    state.save(member)
    return state


class TestTheFolder:
    def test_what_is_saved_is_loaded(self, state):
        member = state.load()
        member.learn(SITE.next(SITE.roster, revoke=("b",)).text, NOW)
        state.save(member)
        again = TrustState(state.folder).load()
        assert again.chain == member.chain
        assert again.floor == member.floor
        assert again.book.current == member.book.current
        assert again.book.revocations == member.book.revocations
        assert [(one.epoch, one.until, one.secret.raw()) for one in again.book.secrets] == [
            (one.epoch, one.until, one.secret.raw()) for one in member.book.secrets
        ]
        assert again.keys.identity.raw() == member.keys.identity.raw()

    def test_modes_are_the_owners_alone_whatever_the_umask(self, tmp_path):
        before = os.umask(0)
        try:
            state = TrustState(tmp_path / "deep" / "state")
            state.save_keys(SITE.devices["a"][0])
        finally:
            os.umask(before)
        assert stat.S_IMODE(state.folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in state.folder.iterdir()} == {0o600}

    def test_the_propertys_root_is_not_in_it(self, state):
        content = b"".join(path.read_bytes() for path in state.folder.iterdir())
        assert b64(SITE.root.raw()).encode() not in content
        assert SITE.root.raw() not in content

    @pytest.mark.parametrize("name", ["identity.json", "membership.json", "roster.json", "secrets.json"])
    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o610])
    def test_looser_modes_are_refused_with_what_to_do(self, state, name, mode):
        (state.folder / name).chmod(mode)
        with pytest.raises(StateExposed, match=name) as caught:
            state.load()
        assert f"chmod 600 {state.folder / name}" in caught.value.hint

    def test_a_folder_that_others_may_enter_is_refused(self, state):
        state.folder.chmod(0o755)
        with pytest.raises(StateExposed) as caught:
            state.load()
        assert "chmod 700" in caught.value.hint

    def test_links_and_other_things_are_refused(self, state, tmp_path):
        path = state.folder / "identity.json"
        path.rename(tmp_path / "elsewhere.json")
        path.symlink_to(tmp_path / "elsewhere.json")
        with pytest.raises(StateExposed, match="symbolic link"):
            state.load()
        path.unlink()
        os.mkfifo(path, 0o600)
        with pytest.raises(StateUnusable):
            state.load()

    def test_what_cannot_be_swept_does_not_keep_the_lock(self, state):
        obstacle = state.folder / ".roster.json.new"
        obstacle.mkdir()
        with pytest.raises(StateUnusable):
            state.lock()
        obstacle.rmdir()
        state.lock().release()

    def test_nothing_there_is_no_enrolment(self, tmp_path):
        for folder in (tmp_path / "none", tmp_path):
            with pytest.raises(NotEnrolled) as caught:
                TrustState(folder).load()
            assert "hallway join" in caught.value.hint

    @pytest.mark.parametrize("name", ["identity.json", "roster.json", "secrets.json"])
    def test_a_missing_file_is_named(self, state, name):
        (state.folder / name).unlink()
        with pytest.raises(StateCorrupt, match=name):
            state.load()

    def test_files_of_another_device_are_refused(self, state):
        state.save_keys(SITE.devices["b"][0])
        with pytest.raises(StateCorrupt, match="other keys"):
            state.load()

    @pytest.mark.parametrize("name", ["identity.json", "membership.json", "roster.json", "secrets.json"])
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
    @given(data=st.data())
    def test_any_damage_is_a_declared_error_or_harmless(self, state, name, data):
        path = state.folder / name
        whole = path.read_bytes()
        place = data.draw(st.integers(0, len(whole) - 1))
        change = st.one_of(st.just(whole[:place]), st.binary(max_size=4).map(lambda new: whole[:place] + new + whole[place + 1 :]))
        try:
            files.write(path, data.draw(change))
            assert hint(state) != ""
        finally:
            files.write(path, whole)

    def test_a_crash_while_writing_leaves_the_old_file(self, state, monkeypatch):
        before = (state.folder / "roster.json").read_bytes()

        def broken(*_: object) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(files.os, "fsync", broken)
        with pytest.raises(StateUnusable):
            state.save(SITE.membership("a"))
        monkeypatch.undo()
        assert (state.folder / "roster.json").read_bytes() == before
        assert sorted(path.name for path in state.folder.iterdir()) == ["identity.json", "membership.json", "roster.json", "secrets.json"]
        state.load()


def hint(state: TrustState) -> str | None:
    """What to do about a state that cannot be loaded; None if it can."""
    try:
        state.load()
    except TrustStateError as error:
        return error.hint
    return None


class TestRecovery:
    def test_the_passphrase_opens_it_and_another_does_not(self, tmp_path):
        path, passphrase = tmp_path / "recovery.json", make_passphrase(SITE.random)
        write_recovery(path, SITE.root, passphrase, SITE.random)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert read_recovery(path, f" {passphrase}\n").raw() == SITE.root.raw()
        assert b64(SITE.root.raw()).encode() not in path.read_bytes()
        with pytest.raises(WrongPassphrase):
            read_recovery(path, passphrase[:-1] + ("2" if passphrase[-1] != "2" else "3"))

    def test_other_files_are_named(self, tmp_path):
        path = tmp_path / "recovery.json"
        with pytest.raises(NotEnrolled, match="recovery"):
            read_recovery(path, "x")
        for content in (b"", b"{}", b"[]", b'{"format":"hallway-recovery-1","n":17,"salt":1}', b"\xff"):
            files.write(path, content)
            with pytest.raises(StateCorrupt, match="recovery"):
                read_recovery(path, "x")

    def test_one_on_a_stick_without_modes_is_refused_with_what_can_be_done_there(self, tmp_path):
        path = tmp_path / "recovery.json"
        write_recovery(path, SITE.root, "a passphrase", SITE.random)
        path.chmod(0o755)
        with pytest.raises(StateExposed, match="others than its owner") as caught:
            read_recovery(path, "a passphrase")
        assert "copy it into a folder of your own" in caught.value.hint

    def test_one_that_names_no_property_is_damaged(self, tmp_path):
        path = tmp_path / "recovery.json"
        write_recovery(path, SITE.root, "a passphrase", SITE.random)
        files.write(path, json.dumps(json.loads(path.read_bytes()) | {"property": "?"}).encode())
        with pytest.raises(StateCorrupt, match="damaged"):
            recovers(path)

    @given(st.integers(0, 1 << 30))
    def test_made_up_passphrases_are_readable(self, seed):
        import random

        text = make_passphrase(random.Random(seed).randbytes)
        assert [len(group) for group in text.split("-")] == [5] * 5
        assert not set(text) & set("01ilo")


def test_a_loaded_state_makes_a_guard_that_works(state):
    from hallway.model import DeviceInfo
    from hallway.trust.sealed_guard import SealedGuard

    guard = SealedGuard(DeviceInfo("a", "hotel", epoch="e"), state.load(), SITE.guard("a")._reach, SITE.random)
    assert SITE.guard("b").read(guard.seal("b", description(), NOW), NOW).sender == "a"
