"""What waits, for whom, how old, what died and why, and a second try for it: commands about the outbox and the inbox.

They are answered by a running device over its control socket, and by whoever opens the store of a device that does not run.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from hallway.errors import MisuseError
from hallway.events import bytes_as_json
from hallway.protocol import packed
from hallway.runtime.control.commands import BadCommand, Commands
from hallway.store import DeadLetter, Listed, Place, Queue, Store
from hallway.store.values import Direction

Json = dict[str, Any]

BOXES: dict[str, Direction] = {"outbox": "out", "inbox": "in"}
PAGE = 500
"""Messages or dead letters in one answer, at most."""
PREVIEW_BYTES = 16 * 1024
"""Messages with larger bodies are listed without a word of what is in them."""
PREVIEW_CHARACTERS = 200


class UnknownLetter(MisuseError):
    """There is no such dead letter in that box."""

    code = "unknown-letter"


class History:
    """``retry`` gives dead letters another try and returns for how many that was possible.

    Each box, ``outbox`` and ``inbox``, has five commands; ``peerId`` confines each of them to one peer:

    - ``<box>``: sums by peer (``peers``), the number of dead letters (``letters``) and the latest of them (``lastLetter``, null if none).
    - ``<box>-messages``: at most ``most`` messages behind the place ``after``, and in ``next`` the place for the next page, or null.
    - ``<box>-letters``: the same of dead letters.
    - ``<box>-retry``, ``<box>-drop``: those dead letters whose numbers are in ``letters``, or ``all`` up to number ``upto``.
    """

    def __init__(self, store: Store, retry: Callable[[Sequence[int]], Awaitable[int]]) -> None:
        self._store = store
        self._retry_letters = retry

    def serve(self, commands: Commands) -> None:
        """Take these commands."""
        handlers = {"": self._sums, "-messages": self._messages, "-letters": self._letters, "-retry": self._retry, "-drop": self._drop}
        for box, direction in BOXES.items():
            for ending, handler in handlers.items():
                commands.serve(f"{box}{ending}", partial(handler, direction))

    async def _sums(self, direction: Direction, command: Json) -> Json:
        peer = _peer(command)
        letters = await self._store.letter_ids(direction, peer)
        peers = [_queue(queue) for queue in await self._store.queues(direction, peer)]
        return {"peers": peers, "letters": len(letters), "lastLetter": letters[-1] if letters else None}

    async def _messages(self, direction: Direction, command: Json) -> Json:
        most = _most(command)
        after = Place(*_whole(command.get("after") or (0, 0), "'after' is what 'next' was", 2))
        rows = await self._store.listed(direction, _peer(command), after=after, most=most, body_bytes=PREVIEW_BYTES)
        return {"messages": [_message(row) for row in rows], "next": list(rows[-1].place) if len(rows) == most else None}

    async def _letters(self, direction: Direction, command: Json) -> Json:
        most = _most(command)
        (after,) = _whole([command.get("after") or 0], "'after' is what 'next' was", 1)
        rows = await self._store.dead(direction=direction, peer=_peer(command), after=after, most=most)
        # Large letters make short pages: only an empty one is surely the last.
        return {"letters": [_letter(row) for row in rows], "next": rows[-1].id if rows else None}

    async def _retry(self, direction: Direction, command: Json) -> Json:
        letters = await self._chosen(direction, command)
        retried = await self._retry_letters(letters)
        return {"retried": retried, "left": len(letters) - retried}

    async def _drop(self, direction: Direction, command: Json) -> Json:
        return {"dropped": await self._store.drop(await self._chosen(direction, command))}

    async def _chosen(self, direction: Direction, command: Json) -> list[int]:
        there = await self._store.letter_ids(direction, _peer(command))
        if command.get("all") is True:
            (upto,) = _whole([command.get("upto", 2**63 - 1)], "'upto' is the number of a dead letter", 1)
            return [letter for letter in there if letter <= upto]
        wanted = list(dict.fromkeys(_whole(command.get("letters"), "'letters' has the numbers of dead letters, or 'all' is true")))
        if absent := sorted(set(wanted) - set(there)):
            raise UnknownLetter(
                f"there is no dead letter {', '.join(map(str, absent))} here; nothing was done",
                hint="list them again: one that was retried and died again has a new number",
            )
        return wanted


def _peer(command: Json) -> str | None:
    peer = command.get("peerId")
    if not (peer is None or isinstance(peer, str)):
        raise BadCommand("'peerId' is a text")
    return peer


def _most(command: Json) -> int:
    (most,) = _whole([command.get("most", PAGE)], f"'most' is 1 to {PAGE}", 1)
    if not 1 <= most <= PAGE:
        raise BadCommand(f"'most' is 1 to {PAGE}")
    return most


def _whole(values: Any, meaning: str, count: int | None = None) -> list[int]:
    """Whole numbers as SQLite can hold them."""
    if not isinstance(values, list | tuple) or any(type(value) is not int or not 0 <= value < 2**63 for value in values):
        raise BadCommand(meaning)
    if count is not None and len(values) != count:
        raise BadCommand(meaning)
    return list(values)


def _queue(queue: Queue) -> Json:
    return {
        "peerId": queue.peer_name,
        "messages": queue.messages,
        "bytes": queue.bytes,
        "oldestSeconds": queue.oldest,
        "ttlSeconds": _seconds(queue.ttl_left_ms),
    }


def _message(row: Listed) -> Json:
    return {
        "id": row.message_id.hex(),
        "peerId": row.peer_name,
        "seq": row.seq,
        "bytes": row.size,
        "ageSeconds": row.age,
        "ttlSeconds": _seconds(row.ttl_left_ms),
        "preview": _preview(row.body),
    }


def _letter(letter: DeadLetter) -> Json:
    return {
        "letter": letter.id,
        "id": letter.message_id.hex(),
        "peerId": letter.peer_name,
        "seq": letter.seq,
        "bytes": len(letter.body),
        "ageSeconds": letter.age,
        "reason": letter.reason,
        "preview": _preview(letter.body if len(letter.body) <= PREVIEW_BYTES else None),
    }


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else max(0, milliseconds) / 1000


def _preview(body: bytes | None) -> str | None:
    """How a message begins, as JSON; None if it is too large to look into, or cannot be read."""
    if body is None:
        return None
    try:
        text = json.dumps(packed.unpack(body), ensure_ascii=False, default=bytes_as_json)
    except (packed.BadValue, TypeError, ValueError):
        return None
    return text if len(text) <= PREVIEW_CHARACTERS else f"{text[:PREVIEW_CHARACTERS]}…"
