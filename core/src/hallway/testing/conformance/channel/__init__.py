"""The suite of the role channel: `hallway.interfaces.Channel`, `Dialing` and `Connector`."""

from hallway.testing.conformance.channel.cancelling import Cancelling
from hallway.testing.conformance.channel.closing import Closing
from hallway.testing.conformance.channel.connecting import Connecting
from hallway.testing.conformance.channel.flow import Flow
from hallway.testing.conformance.channel.messages import Messages
from hallway.testing.conformance.channel.negotiation import Negotiation
from hallway.testing.conformance.channel.sending_now import SendingNow
from hallway.testing.conformance.suite import published


@published
class ChannelConformance(Negotiation, Connecting, Closing, Cancelling, Flow, SendingNow, Messages):
    """Holds a channel plugin to its promises. See `hallway.testing.conformance`."""


__all__ = ["ChannelConformance"]
