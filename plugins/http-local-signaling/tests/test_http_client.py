"""The client against servers of every kind."""

import asyncio
import contextlib
import gzip
import ipaddress

import attrs
import pytest

from hallway.errors import BadEnvelope, ClosedError, DeadlineExceeded, Unreachable
from hallway.model import Envelope, Refusal, RefusalCode
from hallway.network import InterfaceAddress, InterfacePolicy, Resolver
from hallway_http_local_signaling.client import HttpClient

OFFER = Envelope("offer", "application/json", b'{"an":"offer"}')


ADDRESSES = {"desk.test": "127.0.0.1", "stranger.test": "198.51.100.7"}


class OneName(Resolver):
    """Knows these names and nothing else."""

    async def resolve(self, host, deadline):
        if host in ADDRESSES:
            return ADDRESSES[host]
        raise Unreachable(f"{host} cannot be resolved")


def soon(seconds=10.0):
    return asyncio.get_running_loop().time() + seconds


@pytest.fixture
async def client():
    client = HttpClient(OneName(), InterfacePolicy(allow=("lo*",)))
    yield client
    await client.aclose()


class FakePeer:
    """A server on loopback that reads one request of each connection and then does as the test says."""

    def __init__(self, act):
        self._act = act
        self._tasks = set()
        self.requests = []
        self.reached = asyncio.Event()
        self.ended = asyncio.Event()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await asyncio.gather(*self._tasks)

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        try:
            self.requests.append(await self._read(reader))
            self.reached.set()
            await self._act(reader, writer)
        except ConnectionError:
            pass
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        self.ended.set()

    @staticmethod
    async def _read(reader):
        head = await reader.readuntil(b"\r\n\r\n")
        length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return head + (await reader.readexactly(int(length[0].split(b":")[1])) if length else b"")


def peer(*chunks):
    """A peer that answers with ``chunks`` as they are, and hangs up."""

    async def act(_, writer):
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()

    return FakePeer(act)


def silent_peer():
    """A peer that never answers."""

    async def act(reader, _):
        await reader.read()

    return FakePeer(act)


def response(status="200 OK", body=b"", *more):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *more, "", ""]
    return "\r\n".join(lines).encode() + body


async def ask(client, chunk, envelope=OFFER):
    async with peer(chunk) as other:
        return await client.request(other.url, envelope, soon())


@pytest.mark.parametrize(("kind", "path"), [("offer", b"/offer"), ("answer", b"/answer"), ("candidate", b"/ice-candidate")])
async def test_each_kind_is_posted_to_its_path(client, kind, path):
    async with peer(response(body=b"{}")) as other:
        await client.request(other.url + "/", Envelope(kind, "application/octet-stream", b"\x00body"), soon())
    head, _, body = other.requests[0].partition(b"\r\n\r\n")

    assert head.startswith(b"POST " + path + b" HTTP/1.1\r\n")
    assert b"content-type: application/octet-stream" in head.lower()
    assert body == b"\x00body"


async def test_nothing_tells_which_software_asks(client):
    async with peer(response("200 OK", b"{}", "Set-Cookie: a=b")) as other:
        await client.request(other.url, OFFER, soon())
        await client.request(other.url, OFFER, soon())

    assert len(other.requests) == 2
    assert b"user-agent" not in other.requests[1].lower()
    assert b"cookie" not in other.requests[1].lower()


async def test_an_answer_comes_back_as_an_envelope(client):
    answer = await ask(client, response("200 OK", b'{"sdp":1}', "Content-Type: application/json"))

    assert answer == Envelope("answer", "application/json", b'{"sdp":1}')


@pytest.mark.parametrize(
    "chunk", [response(body=b""), response(body=b" {}\n"), response("202 Accepted", b"queued"), response("204 No Content")]
)
async def test_a_response_without_content_is_accepted(client, chunk):
    assert (await ask(client, chunk)).kind == "accepted"


async def test_an_answer_or_candidate_is_only_accepted(client):
    for kind in ("answer", "candidate"):
        assert (await ask(client, response(body=b'{"any":1}'), Envelope(kind, "application/json", b"{}"))).kind == "accepted"


async def test_our_refusals_come_back_as_they_were(client):
    refusal = await ask(client, response("404 Not Found", b'{"error":"wrong-device","message":"this device is tablet-9"}'))

    assert refusal == Refusal(RefusalCode.WRONG_DEVICE, "this device is tablet-9")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("301 Moved Permanently", RefusalCode.NOT_FOUND),
        ("404 Not Found", RefusalCode.NOT_FOUND),
        ("409 Conflict", RefusalCode.GLARE),
        ("418 I'm a teapot", RefusalCode.BAD_REQUEST),
        ("503 Service Unavailable", RefusalCode.BUSY),
        ("502 Bad Gateway", RefusalCode.INTERNAL),
    ],
)
async def test_refusals_of_others_come_back_as_the_nearest_code(client, status, code):
    assert await ask(client, response(status, b"<html>", "Location: /offer")) == Refusal(code, f"HTTP {status}")


async def test_a_kind_that_it_cannot_carry_is_refused_unsent(client):
    refusal = await client.request("http://127.0.0.1:1", Envelope("farewell", "application/json", b"{}"), soon())

    assert refusal.code is RefusalCode.UNSUPPORTED_KIND


async def test_silence_ends_with_the_deadline(client):
    async with silent_peer() as other:
        with pytest.raises(DeadlineExceeded, match="in time"):
            await client.request(other.url, OFFER, soon(0.1))


async def test_a_deadline_in_the_past_sends_nothing(client):
    async with peer(response()) as other:
        with pytest.raises(DeadlineExceeded):
            await client.request(other.url, OFFER, soon(-1))

    assert other.requests == []


async def test_a_closed_port_and_a_connection_that_breaks_are_unreachable(client):
    async with peer(b"") as other:
        with pytest.raises(Unreachable):
            await client.request(other.url, OFFER, soon())
    with pytest.raises(Unreachable, match="cannot be reached: Connection refused"):
        await client.request(other.url, OFFER, soon())


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1", "http://", "nonsense", "http://[bad", "http://127.0.0.1:99999", "http://127.1:80", "http://a:b@127.0.0.1:1"]
)
async def test_what_is_no_endpoint_is_unreachable(client, url):
    with pytest.raises(Unreachable):
        await client.request(url, OFFER, soon())


@pytest.mark.parametrize(
    "chunks",
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n",),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", bytes(100_000)),
        (b"HTTP/1.1 200 OK\r\n\r\n", *[bytes(10_000)] * 10),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",),
        (response("200 OK", gzip.compress(bytes(1_000_000)), "Content-Encoding: gzip"),),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",),
    ],
)
async def test_what_cannot_be_read_or_is_too_large_is_a_bad_envelope(client, chunks):
    async with peer(*chunks) as other:
        with pytest.raises(BadEnvelope):
            await client.request(other.url, OFFER, soon())


async def test_names_go_through_the_resolver_and_keep_their_host_header(client):
    async with peer(response(body=b"{}")) as other:
        port = other.url.rpartition(":")[2]
        await client.request(f"http://desk.test:{port}", OFFER, soon())

    assert f"host: desk.test:{port}".encode() in other.requests[0].lower()


async def test_a_name_that_leads_out_of_the_lan_is_not_asked(client):
    with pytest.raises(Unreachable, match="not of this LAN"):
        await client.request("http://stranger.test:8090", OFFER, soon())


@pytest.mark.parametrize("name", ["tablet-1.local", "TABLET-1.LOCAL.", "unknown.test"])
async def test_names_that_cannot_be_resolved_are_unreachable(client, name):
    with pytest.raises(Unreachable, match="cannot be resolved"):
        await client.request(f"http://{name}:8090", OFFER, soon())


async def test_proxies_of_the_environment_are_not_used(client, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    assert (await ask(client, response(body=b'{"a":1}'))).kind == "answer"


async def test_closing_ends_requests_under_way(client):
    async with silent_peer() as other:
        request = asyncio.create_task(client.request(other.url, OFFER, soon()))
        await other.reached.wait()
        await client.aclose()
        with pytest.raises(ClosedError):
            await request


async def test_a_closed_client_says_so_and_closing_twice_is_silent(client):
    await client.aclose()
    await client.aclose()

    with pytest.raises(ClosedError):
        await client.request("http://127.0.0.1:1", OFFER, soon())


async def test_a_cancelled_request_leaves_nothing(client):
    async with silent_peer() as other:
        request = asyncio.create_task(client.request(other.url, OFFER, soon()))
        await other.reached.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        await other.ended.wait()


@attrs.frozen
class At(InterfacePolicy):
    """A device with these addresses; what it looks at is counted."""

    interfaces: tuple[str, ...] = ()
    looks: list[None] = attrs.field(factory=list)

    def addresses(self):
        self.looks.append(None)
        parsed = map(ipaddress.ip_interface, self.interfaces)
        return tuple(InterfaceAddress("eth0", 2, one.ip, one.network) for one in parsed)


OUTSIDE = [
    *("8.8.8.8", "198.51.100.9", "100.64.0.1", "[2606:4700::1111]", "[::ffff:8.8.8.8]", "127.0.0.1", "[::1]", "0.0.0.0", "224.0.0.1"),
    *("10.0.0.255", "[fe80::1]", "[fe80::1%25eth0]", "%31%32%37.0.0.1", "\uff11\uff12\uff17.0.0.1", "\u2460\u2461\u2466.0.0.1"),
    *("2130706433", "127.1", "127.0.1", "0177.0.0.1", "127.0.0.1.", "[::1.]"),
]


@pytest.mark.parametrize("host", OUTSIDE)
async def test_an_address_outside_of_the_lan_is_unreachable_and_never_asked(host):
    policy = At(interfaces=("10.0.0.7/24", "fd00::7/64"))
    async with contextlib.aclosing(HttpClient(OneName(), policy)) as client, silent_peer() as other:
        port = other.url.rpartition(":")[2]
        with pytest.raises(Unreachable, match=r"not of this LAN|no http URL|no URL|no address|cannot be resolved"):
            await client.request(f"http://{host}:{port}", OFFER, soon())
        assert not other.requests


async def test_the_lan_is_looked_at_once_for_each_request():
    policy = At(interfaces=("127.0.0.1/8",))
    async with contextlib.aclosing(HttpClient(OneName(), policy)) as client:
        for count in (1, 2):
            await ask(client, response(body=b"{}"))
            assert len(policy.looks) == count


async def test_addresses_that_cannot_be_read_make_an_endpoint_unreachable():
    class Unreadable(InterfacePolicy):
        def addresses(self):
            raise OSError("no netlink")

    async with contextlib.aclosing(HttpClient(OneName(), Unreadable())) as client:
        with pytest.raises(Unreachable, match="no netlink"):
            await client.request("http://10.0.0.9:8090", OFFER, soon())
