"""Secrets stay where they are: no object shows one, no error carries one, and no file of theirs is anybody else's."""

from __future__ import annotations

import base64
import gc
import os
import stat
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from pairing_rig import Inviter, Newcomer, by_code, by_invitation
from sealed_site import NOW, Site, description, offer

from hallway.errors import StateCorrupt, TrustStateError
from hallway.runtime.membership.founding import Founded
from hallway.runtime.membership.security import Enrolment, Security
from hallway.trust import files
from hallway.trust.state import IDENTITY, SECRETS, TrustState

pytestmark = pytest.mark.attack("A26")

SITE = Site("a", "b")
OURS = ("hallway.trust.", "hallway.model", "hallway.runtime.membership.founding", "hallway.runtime.membership.security")
"""Where what has to do with secrets is defined."""


def forms(raw: bytes) -> Iterator[str]:
    """How octets look in a text."""
    yield from (raw.hex(), repr(raw)[2:-1], str(list(raw)), base64.b32encode(raw).decode().rstrip("="))
    yield from (encode(raw).decode().rstrip("=") for encode in (base64.b64encode, base64.urlsafe_b64encode))


def of_site(site: Site) -> list[bytes]:
    keys = [keys for keys, _ in (*site.admins.values(), *site.devices.values())]
    return [site.root.raw(), site.secret.raw(), *(half.raw() for one in keys for half in (one.identity, one.sealing))]


def shows(text: str, secrets: list[bytes], words: tuple[str, ...] = ()) -> list[str]:
    return [form for form in (*words, *(form for raw in secrets for form in forms(raw))) if form.lower() in text.lower()]


def test_no_object_of_ours_shows_a_secret(tmp_path: Path) -> None:
    """Whatever is alive while devices pair and talk, in a log, in a traceback with locals or in a debugger."""
    inviter, newcomer, other = Inviter(), Newcomer("tablet-1"), Newcomer("tablet-2", seed=5)
    joiner, ticket = newcomer.joiner(by_code(inviter)), by_invitation(inviter)
    granted = inviter.post(joiner.third(inviter.post(joiner.first)))
    newcomer.membership = joiner.joined(granted, NOW)
    a, b = SITE.guard("a"), SITE.guard("b")
    signal = b.read(offer(a, "b"), NOW)
    answer = a.read(b.seal("a", description("answer", 2), NOW, reference=signal.reference), NOW)
    founded = Founded(inviter.membership, "22222-33333", is_made_up=True)
    security = Security("a", "hotel", Enrolment(TrustState(tmp_path), a.membership))

    secrets = [*of_site(SITE), inviter.window.invitation.token, joiner._run[1]._shared, inviter.membership.book.secret.raw()]
    secrets += [half.raw() for one in (newcomer.keys, other.keys, inviter.membership.keys) for half in (one.identity, one.sealing)]
    gc.collect()
    ours = [each for each in gc.get_objects() if str(type(each).__module__).startswith(OURS)]
    kinds = {type(each).__name__ for each in ours}
    assert {"Window", "Joiner", "PairKeys", "Exchange", "Ticket", "GroupSecret", "SigningKey", "Founded", "SealedGuard"} <= kinds
    assert [type(each).__name__ for each in ours if shows(f"{each!r} {each}", secrets, (founded.passphrase, inviter.window.code))] == []
    del ticket, answer, security, signal


@pytest.mark.parametrize("name", [IDENTITY, SECRETS])
@pytest.mark.parametrize("place", [0, 1, 12, 40, -1])
def test_what_is_said_of_a_damaged_file_has_none_of_it(tmp_path: Path, name: str, place: int) -> None:
    state, member = TrustState(tmp_path / "state"), SITE.membership("a")
    state.save_keys(member.keys)
    state.save(member)
    content = (state.folder / name).read_bytes()
    files.write(state.folder / name, content[: place % len(content)] + b"!" + content[place % len(content) + 1 :])
    with pytest.raises(TrustStateError) as caught:
        state.load()
    assert isinstance(caught.value, StateCorrupt)
    told = "".join(traceback.format_exception(caught.value))
    for error in chain(caught.value):
        told += f"{error!r} {error.args} {vars(error)} {getattr(error, '__notes__', '')}"
    assert shows(told, of_site(SITE)) == []


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all that it came from, shown or not."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_folders_and_files_are_their_owners_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    state, member = TrustState(tmp_path / "one" / "two" / "state"), SITE.membership("a")
    before = os.umask(umask)
    try:
        state.save_keys(member.keys)
        state.lock().release()
        state.save(member)
    finally:
        os.umask(before)
    modes = {path.relative_to(tmp_path): stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert {mode for path, mode in modes.items() if len(path.parts) > 3} == {0o600}
    assert modes[Path("one/two/state")] == 0o700
    assert not [path for path, mode in modes.items() if mode & 0o022]


def test_what_a_crash_has_left_half_written_goes_when_the_folder_is_taken(tmp_path: Path) -> None:
    state = TrustState(tmp_path / "state")
    state.save_keys(SITE.membership("a").keys)
    (state.folder / ".secrets.json.new").write_bytes(b'{"secrets": [')
    state.lock().release()
    assert sorted(path.name for path in state.folder.iterdir()) == ["identity.json", "state.lock"]
