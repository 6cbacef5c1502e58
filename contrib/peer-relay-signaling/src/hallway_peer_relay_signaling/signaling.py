"""The carrier `peer-relay`: requests go to a linked peer, which brings them to one of its own."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from hallway.errors import BadEnvelope, ClosedError, DeadlineExceeded, HallwayError, MessageTooLarge, SignalingUnavailable, Unreachable
from hallway.interfaces import Signaling, SignalingHost
from hallway.model import Envelope, Origin, Refusal, RefusalCode, Sighting, is_device_id, same_device
from hallway.plugins import PluginContext
from hallway.protocol.bucket import PeerBuckets
from hallway_peer_relay_signaling import _messages as messages
from hallway_peer_relay_signaling._limits import MAX_BODY, MAX_RESPONSE, Bounds
from hallway_peer_relay_signaling._messages import Answer, Delivery, Failure, Parcel, RelayRequest
from hallway_peer_relay_signaling.config import NAME, SCHEME, PeerRelayConfig
from hallway_peer_relay_signaling.errors import closed, raise_failure, raise_first_step
from hallway_peer_relay_signaling.presence import Presence
from hallway_peer_relay_signaling.relaying import Relay
from hallway_peer_relay_signaling.underway import Underway

logger = logging.getLogger(__name__)


class PeerRelaySignaling(Signaling):
    """Signaling through linked peers, in both directions, relaying for others, and presence. It is up while a peer is linked."""

    def __init__(self, config: PeerRelayConfig, context: PluginContext, *, bounds: Bounds | None = None) -> None:
        self._config = config
        self._device = context.device
        self._bus = context.bus
        self._bounds = bounds or Bounds()
        self._underway = Underway()
        self._host: SignalingHost | None = None
        self._presence: Presence | None = None
        self._relay: Relay | None = None
        self._buckets = PeerBuckets(self._bounds.handle_rate, self._bounds.handle_burst)
        self._handled = 0
        self._is_up: bool | None = None
        self._closed = False

    async def start(self, host: SignalingHost) -> None:
        """As `Signaling.start`; without a linked peer it calls ``host.down``, and ``host.up`` once there is one.

        Raises:
            SignalingUnavailable: there is no control bus: the plugin is used outside of a running device.

        """
        if self._closed:
            raise closed()
        bus = self._bus
        if bus is None:
            raise SignalingUnavailable("peer-relay has no control bus", hint="it works inside of a running device only")
        self._host = host
        self._presence = Presence(bus, self._device, self._report, self._underway, self._bounds, relay=self._config.relay)
        self._relay = Relay(bus, self._device, self._underway, self._bounds, willing=self._config.relay)
        bus.serve(messages.NEWS, self._presence.take)
        bus.serve(messages.RELAY, self._relay.take)
        bus.serve(messages.DELIVER, self._deliver)
        bus.watch(self._links_changed)
        self._links_changed()

    def _links_changed(self) -> None:
        if self._closed:
            return
        assert self._bus is not None
        assert self._host is not None
        assert self._presence is not None
        assert self._relay is not None
        linked = self._bus.linked
        self._relay.linked(linked)
        self._buckets.keep(linked)
        if bool(linked) is not self._is_up:
            self._is_up = bool(linked)
            if linked:
                self._host.up(())
            else:
                self._host.down("no peer is linked")
        self._presence.linked(linked)

    def _report(self, sighting: Sighting) -> None:
        if not self._closed and self._host is not None:
            self._host.report(sighting)

    # What we ask.

    async def request(self, endpoint: str, envelope: Envelope, deadline: float) -> Envelope | Refusal:
        """As `Signaling.request`. ``endpoint`` is ``peer-relay:<relay>/<target>``; ``//`` after the colon does no harm."""
        if self._closed:
            raise closed()
        relay, target = self._ends(endpoint)
        if len(envelope.body) > MAX_BODY:
            return Refusal(RefusalCode.TOO_LARGE, f"peer-relay carries {MAX_BODY} bytes at most")
        try:
            outcome = await self._ask(relay, target, envelope, deadline)
        except MessageTooLarge:
            return Refusal(RefusalCode.TOO_LARGE, "the envelope does not fit a message to the relay")
        except HallwayError as error:
            raise_first_step(error, relay, target)
        if isinstance(outcome, Failure):
            raise_failure(outcome, relay, target)
        return outcome

    def _ends(self, endpoint: str) -> tuple[str, str]:
        """The relay, as the bus names it, and the target of an endpoint."""
        scheme, _, path = endpoint.partition(":")
        relay, _, target = path.removeprefix("//").partition("/")
        if scheme != SCHEME or not (is_device_id(relay) and is_device_id(target)):
            raise Unreachable(f"{messages.printable(endpoint)} is no {SCHEME} endpoint")
        if len({relay.lower(), target.lower(), self._device.device_id.lower()}) < 3:
            raise Unreachable(f"{endpoint} does not name two other devices")
        linked = self._bus.linked if self._bus is not None else ()
        for peer in linked:
            if same_device(peer, relay):
                return peer, target
        raise Unreachable(f"the relay {relay} is not linked", hint="it takes a device that both ends have a link to")

    async def _ask(self, relay: str, target: str, envelope: Envelope, deadline: float) -> Envelope | Refusal | Failure:
        assert self._bus is not None
        patience = deadline - asyncio.get_running_loop().time()
        if patience <= 0:
            raise DeadlineExceeded(f"there was no time left to ask {relay}")
        request = messages.write_relay_request(RelayRequest(target, patience, Parcel.of(envelope)))
        asking = self._bus.request(relay, messages.RELAY, request, deadline)
        try:
            outcome = messages.read_outcome(await self._underway.run(asking, f"peer-relay by {relay}"))
            return outcome.unpack() if isinstance(outcome, Parcel) else outcome
        except messages.Malformed as error:
            raise BadEnvelope(f"the answer of {target} through the relay {relay} cannot be read: {error}") from error

    # What others ask.

    async def _deliver(self, relay: str, body: Any) -> dict[str, Any]:
        """Take in what a relay brings: the handler of `messages.DELIVER`. Whatever is wrong becomes a refusal."""
        try:
            if not self._buckets.take(relay, asyncio.get_running_loop().time()):
                answer: Answer = Refusal(RefusalCode.RATE_LIMITED, f"{self._device.device_id} gets too many requests by this relay")
            elif self._handled >= self._bounds.handled:
                answer = Refusal(RefusalCode.BUSY, "too many requests at once; try again in a second")
            else:
                delivery = messages.read_delivery(body)
                answer = await self._underway.run(self._answer(relay, delivery), f"peer-relay request of {delivery.sender}")
        except messages.Malformed as error:
            answer = Refusal(RefusalCode.BAD_REQUEST, str(error))
        except ClosedError:
            answer = Refusal(RefusalCode.CLOSING, f"{self._device.device_id} is closing")
        return messages.write_answer(answer)

    async def _answer(self, relay: str, delivery: Delivery) -> Answer:
        assert self._host is not None
        envelope = delivery.parcel.unpack()
        self._handled += 1
        try:
            async with asyncio.timeout(min(delivery.patience, self._bounds.patience)):
                outcome = await self._host.handle(envelope, Origin(NAME))
        except TimeoutError:
            return Refusal(RefusalCode.TOO_SLOW, "it took too long to answer")
        except Exception:
            logger.exception("handling a request of %s, brought by %s, failed", delivery.sender, relay)
            return Refusal(RefusalCode.INTERNAL, "handling the request failed")
        finally:
            self._handled -= 1
        if isinstance(outcome, Refusal):
            return outcome
        if len(outcome.body) > MAX_RESPONSE:
            return Refusal(RefusalCode.TOO_LARGE, f"the answer has {len(outcome.body)} bytes, and a relay carries {MAX_RESPONSE} at most")
        return Parcel.of(outcome)

    async def aclose(self) -> None:
        """As `Signaling.aclose`."""
        self._closed = True
        if self._presence is not None:
            self._presence.close()
        await self._underway.aclose()
