"""The client: one session, made ahead of time, that reaches only addresses of the LAN, and names that DNS leads there.

An endpoint comes from discovery, and there from anybody on the network: no record may make this device send to a stranger.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.typedefs import LooseHeaders

from hallway.errors import BadEnvelope, ClosedError, DeadlineExceeded, NetworkError, Unreachable
from hallway.model import Envelope, Refusal, RefusalCode
from hallway.network import InterfacePolicy, Lan, Resolver
from hallway.network.interfaces import Address
from hallway_http_local_signaling._limits import Bounds
from hallway_http_local_signaling._requests import HEALTH, PATHS
from hallway_http_local_signaling._status import refusal_from
from hallway_http_local_signaling.errors import mapped

_DNS_TIME = 5.0
_EMPTY = {b"", b"{}"}
_HEADERS: LooseHeaders = {"Accept": "application/json, application/octet-stream", "Accept-Encoding": "identity"}


class _Names(AbstractResolver):
    """hallway's resolver for aiohttp: no thread, and no `.local` name, which only discovery can answer."""

    def __init__(self, resolver: Resolver, check: Callable[[str, Address], None]) -> None:
        self._resolver = resolver
        self._check = check

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        if host.lower().rstrip(".").endswith(".local"):
            raise Unreachable(f"{host} cannot be resolved here", hint="give the device's address; discovery resolves .local names")
        address = await self._resolver.resolve(host, asyncio.get_running_loop().time() + _DNS_TIME)
        self._check(host, ipaddress.ip_address(address))
        found = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [ResolveResult(hostname=host, host=address, port=port, family=found, proto=0, flags=socket.AI_NUMERICHOST)]

    async def close(self) -> None:
        """Nothing to release: the resolver is the context's."""


class HttpClient:
    """Carries envelopes to other devices.

    Each request has a connection of its own: signaling is one exchange, and a kept connection to a peer that has restarted would fail the
    next one. Addresses must be of the LAN by the interface policy, as it is when the request begins.
    """

    def __init__(self, resolver: Resolver, interfaces: InterfacePolicy, bounds: Bounds | None = None) -> None:
        self._resolver = resolver
        self._interfaces = interfaces
        self._bounds = bounds or Bounds()
        self._session: aiohttp.ClientSession | None = None
        self._scopes: set[asyncio.Timeout] = set()
        self._closed = False

    def open(self) -> aiohttp.ClientSession:
        """Make the session, if it is not there yet.

        Raises:
            ClosedError: after `aclose`.

        """
        if self._closed:
            raise ClosedError("the signaling client was closed")
        if self._session is None:
            names = _Names(self._resolver, self._check_place)
            connector = aiohttp.TCPConnector(resolver=names, use_dns_cache=False, force_close=True, limit=0)
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_HEADERS,
                skip_auto_headers=("User-Agent",),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    async def request(self, endpoint: str, envelope: Envelope, deadline: float) -> Envelope | Refusal:
        """As `hallway.interfaces.Signaling.request`."""
        path = PATHS.get(envelope.kind)
        if path is None:
            return Refusal(RefusalCode.UNSUPPORTED_KIND, f"http-local cannot carry {envelope.kind!r}")
        self.open()
        if (ip := _address(_parts(endpoint).hostname or "")) is not None:
            self._check_place(endpoint, ip)
        status, reason, content_type, body = await self._exchange("POST", endpoint, path, envelope, deadline)
        if not 200 <= status < 300:
            return refusal_from(status, reason, body)
        said_nothing = status in {202, 204} or body.strip() in _EMPTY
        kind = "answer" if envelope.kind == "offer" and not said_nothing else "accepted"
        return Envelope(kind, content_type, body)

    def _check_place(self, endpoint: str, ip: Address) -> None:
        with mapped(endpoint):
            lan = Lan.of(self._interfaces.addresses())
        if not lan.holds(ip):
            raise Unreachable(f"{endpoint} is not of this LAN", hint="look at [network] interfaces, and at who advertises this address")

    async def warm_up(self, endpoint: str, deadline: float) -> None:
        """Ask our own `/health` once, so that the first offer does not pay for what Python loads at first use. Failing is no harm."""
        try:
            await self._exchange("GET", endpoint, HEALTH, None, deadline)
        except (NetworkError, BadEnvelope, ClosedError):
            return

    async def _exchange(
        self, method: str, endpoint: str, path: str, envelope: Envelope | None, deadline: float
    ) -> tuple[int, str, str, bytes]:
        session = self.open()
        if deadline <= asyncio.get_running_loop().time():
            raise DeadlineExceeded(f"the deadline had passed before {endpoint} was asked")
        headers = {"Content-Type": envelope.content_type} if envelope else None
        data = envelope.body if envelope else None
        scope = asyncio.timeout_at(deadline)
        try:
            with mapped(endpoint):
                async with scope:
                    self._scopes.add(scope)
                    async with session.request(method, _url(endpoint, path), data=data, headers=headers, allow_redirects=False) as response:
                        body = await self._read(response, self._bounds.pair_response if path == PATHS["pair"] else self._bounds.response)
                        return response.status, response.reason or "", response.headers.get("Content-Type", ""), body
        except (NetworkError, BadEnvelope) as error:
            if self._closed:
                raise ClosedError("the signaling client was closed") from error
            raise
        finally:
            self._scopes.discard(scope)

    async def _read(self, response: aiohttp.ClientResponse, most: int) -> bytes:
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise BadEnvelope(f"{response.url} answered compressed, which was not asked for")
        body = bytearray()
        while chunk := await response.content.readany():
            body += chunk
            if len(body) > most:
                raise BadEnvelope(f"{response.url} answered more than {most} bytes")
        return bytes(body)

    async def aclose(self) -> None:
        """End requests under way with `ClosedError` and release the session. Closing twice is silent."""
        self._closed = True
        now = asyncio.get_running_loop().time()
        for scope in self._scopes:
            if not scope.expired():
                scope.reschedule(now)
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _parts(endpoint: str) -> SplitResult:
    """The parts of an endpoint whose host everybody reads alike: no user, no escapes, no characters that IDNA would turn into digits."""
    try:
        parts = urlsplit(endpoint)
        usable = (
            parts.scheme == "http" and parts.hostname and parts.port != 0 and parts.netloc.isascii() and not set("@%") & set(parts.netloc)
        )
    except ValueError as error:
        raise Unreachable(f"{endpoint} is no URL: {error}") from error
    if not usable:
        raise Unreachable(f"{endpoint} is no http URL with a host and a port")
    return parts


def _address(host: str) -> Address | None:
    """The address that ``host`` is, or None if it is a name.

    Raises:
        Unreachable: it is neither: the system would read ``134744072`` and ``8.8.2056`` as addresses (inet_aton).

    """
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        if ":" in host or host.rstrip(".").rpartition(".")[2].isdigit():
            raise Unreachable(f"{host} is no address") from None
        return None


def _url(endpoint: str, path: str) -> str:
    return f"http://{_parts(endpoint).netloc}{path}"
