"""The state folder: what a device keeps of its enrolment. Mode 0700, each file 0600, each replaced as a whole::

    identity.json      the device's two private keys
    membership.json    the property's root (public) and name, the device's credential chain, and the floor under its clock
    roster.json        the roster in force, what else is revoked, and the branches of a fork
    secrets.json       group secrets, the one in force first
    founding.json      while `hallway init` is not done: the id of the property that it makes
    state.lock         held by the process that uses the folder
    control            the control socket of the device, while it runs

The property's private root is in none of them: it is in the recovery file only (`hallway.trust.recovery`).
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import attrs

from hallway.errors import NotEnrolled, StateBusy, StateCorrupt, StoreBusy, Untrusted
from hallway.model import is_name
from hallway.store.lock import Lock
from hallway.trust import files, jws
from hallway.trust.claims import Claims, b64
from hallway.trust.credential import MAX_CHAIN, MAX_CREDENTIAL, verify_chain
from hallway.trust.group import GroupSecret
from hallway.trust.keys import KEY_BYTES, DeviceKeys, SealingKey, SigningKey
from hallway.trust.membership import Membership
from hallway.trust.roster import MAX_ROSTER, Revocation, verify_roster
from hallway.trust.roster_book import MAX_BRANCHES, MAX_SECRETS, MAX_UNION, HeldSecret, RosterBook

FORMAT = 1
IDENTITY, MEMBERSHIP, ROSTER, SECRETS, FOUNDING = "identity.json", "membership.json", "roster.json", "secrets.json", "founding.json"

Made = TypeVar("Made")


class TrustState:
    """The state folder of one device. Every method may raise `StateExposed`, `StateUnusable` or, when it writes, `StorageFull`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._saving = threading.Lock()

    @property
    def control(self) -> Path:
        """Where the control socket of a device that runs on this state is."""
        return self.folder / "control"

    def lock(self) -> Lock:
        """Take the folder for this process, until `Lock.release`; a folder that is missing is made.

        Raises:
            StateBusy: another process has it.

        """
        files.make_folder(self.folder)
        try:
            lock = Lock(self.folder / "state")
        except StoreBusy as busy:
            raise StateBusy(
                f"{self.folder} is in use by another process, such as `hallway up` or `hallway invite`",
                hint=f"end it, or wait until it has ended; its id is in {self.folder / 'state.lock'}",
            ) from busy
        except OSError as error:
            raise files.unusable(self.folder, error) from error
        try:
            files.sweep(self.folder)
        except BaseException:
            lock.release()
            raise
        return lock

    @property
    def is_enrolled(self) -> bool:
        """Whether the folder holds an enrolment, whole or not: then open security is a step down."""
        return (self.folder / MEMBERSHIP).exists()

    def save_keys(self, keys: DeviceKeys) -> None:
        """Write the device's keys, which are made once and before everything else."""
        self._write(IDENTITY, {"identity": b64(keys.identity.raw()), "sealing": b64(keys.sealing.raw())})

    def load_keys(self) -> DeviceKeys | None:
        """The device's keys, or None if it has none yet.

        Raises:
            StateCorrupt: the file is not what was written.

        """
        return self._read(IDENTITY, _keys)

    def begin_founding(self, property_id: bytes) -> None:
        """Note which property is being made, before anything of it is on disk."""
        self._write(FOUNDING, {"property": b64(property_id)})

    def founding(self) -> bytes | None:
        """The id of the property that is being made, or whose making was interrupted; None if there is none.

        Raises:
            StateCorrupt: the file is not what was written.

        """
        return self._read(FOUNDING, lambda content: content.octets("property", jws.DIGEST))

    def end_founding(self) -> None:
        """All is made, and told."""
        files.remove(self.folder / FOUNDING)

    def save(self, membership: Membership) -> None:
        """Write everything but the keys. Whatever interrupts it, what is there can be loaded: `membership.json`, which makes a device a
        member, comes last. Threads that save at once do so one after the other.
        """
        book = membership.book
        secrets = [{"ep": one.epoch, "secret": b64(one.secret.raw()), **_times(one)} for one in book.secrets]
        revoked = [{**one.json(), "named": one.named} for one in book.revocations.values()]
        kept = {"roster": book.current.text, "revoked": revoked, "branches": [one.text for one in book.branches]}
        with self._saving:
            self._write(SECRETS, {"secrets": secrets})
            self._write(ROSTER, kept)
            own = {"root": b64(membership.root), "chain": list(membership.chain.tokens), "floor": membership.floor}
            self._write(MEMBERSHIP, own | {"property": membership.property_name})

    def load(self) -> Membership:
        """What `save` has written.

        Raises:
            NotEnrolled: the folder is missing or empty, or the enrolment was not finished.
            StateCorrupt: a file is not what was written.

        """
        if not self.folder.exists() or not self.is_enrolled:
            raise self._not_enrolled()
        keys = self.load_keys()
        if keys is None:
            raise self._corrupt(IDENTITY, "it is missing")
        root, tokens, floor, name = self._needed(MEMBERSHIP, _membership)
        texts, revoked = self._needed(ROSTER, _rosters)
        secrets = self._needed(SECRETS, _secrets)
        chain = self._checked(MEMBERSHIP, lambda: verify_chain(tokens, root, None))
        current, *branches = self._checked(ROSTER, lambda: [verify_roster(text, root, None) for text in texts])
        if chain.leaf.identity != keys.identity.public or chain.leaf.sealing != keys.sealing.public:
            raise self._corrupt(MEMBERSHIP, "it is for other keys than identity.json has")
        book = self._checked(ROSTER, lambda: RosterBook(root, keys, current, secrets, revoked, branches))
        return Membership(keys, root, chain, book, floor, name)

    def _write(self, name: str, content: dict[str, Any]) -> None:
        files.make_folder(self.folder)
        files.write(self.folder / name, json.dumps({"format": FORMAT, **content}).encode() + b"\n")

    def _read(self, name: str, make: Callable[[Claims], Made]) -> Made | None:
        if not self.folder.exists():
            return None
        files.check_folder(self.folder)
        content = files.read(self.folder / name)
        if content is None:
            return None
        return self._checked(name, lambda: make(_parse(content)))

    def _needed(self, name: str, make: Callable[[Claims], Made]) -> Made:
        made = self._read(name, make)
        if made is None:
            raise self._corrupt(name, "it is missing")
        return made

    def _checked(self, name: str, make: Callable[[], Made]) -> Made:
        try:
            return make()
        except (Untrusted, ValueError) as error:
            # What is wrong is told without the content, and without a cause that could show it.
            raise self._corrupt(name, "it is not what was written to it") from (error if isinstance(error, Untrusted) else None)

    def _corrupt(self, name: str, problem: str) -> StateCorrupt:
        return StateCorrupt(
            f"{self.folder / name} cannot be used: {problem}",
            hint="restore the whole folder from a backup, or move it away and enrol the device again (`hallway join`)",
        )

    def _not_enrolled(self) -> NotEnrolled:
        return NotEnrolled(
            f"{self.folder} holds no enrolment",
            hint="check the folder; `hallway init` makes a property, `hallway join` joins one",
        )


def _times(one: HeldSecret) -> dict[str, int]:
    times = {"until": one.until, "since": one.since}
    return {name: int(time) for name, time in times.items() if time is not None}


def _parse(content: bytes) -> Claims:
    # Outside of the handler: an error of the reader has the content in it, and would go along.
    value: Any = None
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(content)
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise ValueError("not JSON, or of another format")
    return Claims(value)


def _keys(content: Claims) -> DeviceKeys:
    return DeviceKeys(SigningKey(content.octets("identity", KEY_BYTES)), SealingKey(content.octets("sealing", KEY_BYTES)))


def _membership(content: Claims) -> tuple[bytes, tuple[str, ...], int, str]:
    chain, name = content.texts("chain", MAX_CHAIN, MAX_CREDENTIAL), content.values.get("property", "")
    if not isinstance(name, str) or (name and not is_name(name)):
        raise ValueError("no name of a property")
    return content.octets("root", KEY_BYTES), chain, content.number("floor"), name


def _rosters(content: Claims) -> tuple[tuple[str, ...], tuple[Revocation, ...]]:
    size = MAX_ROSTER + MAX_CREDENTIAL + 1
    branches = content.texts("branches", MAX_BRANCHES, size) if content.has("branches") else ()
    return (content.text("roster", size), *branches), content.each("revoked", MAX_UNION, _revocation)


def _revocation(content: Claims) -> Revocation:
    return attrs.evolve(Revocation.read(content), named=content.number("named") if content.has("named") else 0)


def _secrets(content: Claims) -> tuple[HeldSecret, ...]:
    secrets = content.each("secrets", MAX_SECRETS, _secret)
    if not secrets:
        raise ValueError("there is no secret")
    return secrets


def _secret(content: Claims) -> HeldSecret:
    until = float(content.number("until")) if content.has("until") else None
    since = content.number("since") if content.has("since") else None
    return HeldSecret(content.number("ep"), GroupSecret(content.octets("secret", KEY_BYTES)), until, since)
