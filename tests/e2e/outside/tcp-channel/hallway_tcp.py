"""A hallway channel over a plain TCP connection: the answer names a listening socket, and whoever takes it connects to that."""

import asyncio
import ipaddress
import secrets
import socket

import attrs

from hallway.errors import BadDescription, Unreachable
from hallway.interfaces import Connector, Dialing
from hallway.model import Description
from hallway.network import Lan
from hallway.plugins import ChannelProvider, hookimpl
from hallway.plugins.streams import StreamChannel, accept

TcpConfig = attrs.make_class("TcpConfig", [], frozen=True)


async def greet(say, expect, streams):
    try:
        async with asyncio.timeout(1):
            streams[1].write(say.encode())
            if await streams[0].readexactly(len(expect)) == expect.encode():
                return streams
            raise ConnectionError("a stranger")
    except BaseException:
        streams[1].close()
        raise


async def connect(host, port, say, expect):
    return await greet(say, expect, await asyncio.open_connection(host, port))


@attrs.frozen
class TcpDialing(Dialing):
    lan: Lan
    offer: Description

    async def accept(self, answer):
        try:
            host, port, token = answer.sdp.split()
            if (answer.kind, answer.type) != ("tcp", "answer") or not self.lan.holds(ipaddress.ip_address(host)):
                raise ValueError("it is of another kind, or from elsewhere")
            return StreamChannel("tcp", connect(host, int(port), self.offer.sdp, token))
        except ValueError as error:
            raise BadDescription("this is no answer with an address of the LAN") from error

    async def aclose(self):
        """An offer holds nothing."""


@attrs.frozen
class TcpConnector(Connector):
    context: object

    async def prepare(self):
        """Nothing takes time."""

    async def dial(self, policy):
        return TcpDialing(Lan.of(self.context.interfaces.addresses()), Description("tcp", "offer", secrets.token_hex(16)))

    async def answer(self, offer, policy):
        if (offer.kind, offer.type) != ("tcp", "offer") or len(offer.sdp) != 32 or not offer.sdp.isascii():
            raise BadDescription("this is no offer of a TCP channel")
        host = next((str(address.ip) for address in self.context.interfaces.addresses() if address.ip.version == 4), None)
        if host is None:
            raise Unreachable("no allowed interface has an IPv4 address")
        listening, token = socket.create_server((host, 0)), secrets.token_hex(16)
        channel = StreamChannel("tcp", accept(listening, lambda streams: greet(token, offer.sdp, streams)), release=listening.close)
        return Description("tcp", "answer", f"{host} {listening.getsockname()[1]} {token}"), channel

    async def aclose(self):
        """Nothing is kept."""


@hookimpl
def hallway_channel():
    return [ChannelProvider(name="tcp", config_class=TcpConfig, factory=lambda _, context: TcpConnector(context), kind="tcp")]
