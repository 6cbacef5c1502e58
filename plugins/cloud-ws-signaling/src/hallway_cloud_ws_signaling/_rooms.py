"""Rooms: who is in which, and what each is told. Events in, messages out; `now` is an argument, connections are opaque keys."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

import attrs

from hallway.protocol.bucket import Bucket
from hallway_cloud_ws_signaling import _wire as wire
from hallway_cloud_ws_signaling._limits import Limits
from hallway_cloud_ws_signaling._messages import Ending, Join, Member, WireError

Key = TypeVar("Key", bound=Hashable)


@attrs.frozen
class Send(Generic[Key]):
    """Send ``text`` to ``to``."""

    to: Key
    text: str


@attrs.frozen
class _Place(Generic[Key]):
    key: Key
    room: str
    member: Member
    bucket: Bucket


class Rooms(Generic[Key]):
    """Every room of one server. A room exists while somebody is in it; rooms know nothing of each other.

    Methods return what is to be sent, in order. `WireError` says that the connection in question must end.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rooms: dict[str, dict[str, _Place[Key]]] = {}
        self._places: dict[Key, _Place[Key]] = {}

    @property
    def rooms(self) -> int:
        """How many rooms there are."""
        return len(self._rooms)

    @property
    def devices(self) -> int:
        """How many devices are in them."""
        return len(self._places)

    def holder(self, join: Join) -> Key | None:
        """The connection that has the id which ``join`` asks for, if any. Case does not count."""
        place = self._rooms.get(join.room, {}).get(join.member.device_id.lower())
        return place.key if place is not None else None

    def join(self, key: Key, join: Join, now: float) -> list[Send[Key]]:
        """Let a connection in.

        Raises:
            WireError: its id is taken, or the room is full.

        """
        if self.holder(join) is not None:
            raise WireError(f"another device is {join.member.device_id} here", Ending.ID_TAKEN)
        others = tuple(self._rooms.get(join.room, {}).values())
        if len(others) >= self._limits.room:
            raise WireError(f"a room takes {self._limits.room} devices", Ending.ROOM_FULL)
        place = _Place(key, join.room, join.member, Bucket(self._limits.rate, self._limits.burst, now))
        self._rooms.setdefault(join.room, {})[join.member.device_id.lower()] = place
        self._places[key] = place
        welcome = wire.joined(tuple(other.member for other in others), self._limits.rate, self._limits.burst)
        return [Send(key, welcome), *_to_all(others, wire.peer_joined(join.member))]

    def leave(self, key: Key) -> list[Send[Key]]:
        """A connection has ended; saying so twice, or of one that never joined, is silent."""
        place = self._places.pop(key, None)
        if place is None:
            return []
        room = self._rooms[place.room]
        del room[place.member.device_id.lower()]
        if not room:
            del self._rooms[place.room]
        return _to_all(room.values(), wire.peer_left(place.member.device_id))

    def receive(self, key: Key, text: str | bytes, now: float) -> list[Send[Key]]:
        """Relay a message of a connection that has joined.

        Raises:
            WireError: it is malformed, names another sender, or comes too fast.

        """
        place = self._places.get(key)
        if place is None:
            return []  # it had to make way, and what it said before is still read
        if not place.bucket.take(now):
            raise WireError(f"{self._limits.rate:g} messages a second are allowed", Ending.RATE_LIMITED)
        relay = wire.read_relay(text, place.member.device_id)
        target = self._rooms[place.room].get(relay.to.lower())
        if target is not None and target is not place:
            carried = wire.relayed(relay, place.member.device_id)
            wire.check_size(carried)  # written anew, a number may be longer than it was
            return [Send(target.key, carried)]
        # Whoever does not wait for an answer needs no word of its failure.
        return [Send(key, wire.failed(relay.id, f"{relay.to} is not here"))] if relay.fields["type"] == "request" else []


def _to_all(places: Iterable[_Place[Key]], text: str) -> list[Send[Key]]:
    return [Send(place.key, text) for place in places]
