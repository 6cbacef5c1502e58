"""What the lab's own tests run on hosts: plain sockets that report in JSON lines.

``probe.py listen ADDRESS PORT [GROUP]``      prints ``ready``, then every datagram that comes
``probe.py send ADDRESS PORT TEXT COUNT``     sends datagrams
``probe.py shout GROUP ADDRESS PORT TEXT``    sends one multicast datagram from ADDRESS
``probe.py ask ADDRESS PORT SECONDS``         sends a datagram from a connected socket and prints reply, error or silence
``probe.py call ADDRESS PORT SECONDS``        connects by TCP and prints connected, error or silence
"""

from __future__ import annotations

import errno
import json
import socket
import sys
from collections.abc import Callable
from contextlib import closing

_SO_RCVBUFFORCE = 33  # asm-generic/socket.h: more than rmem_max, for root
_IP_RECVERR = 11  # linux/in.h: the socket is told of every ICMP error


def report(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


def family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def listen(address: str, port: str, group: str = "") -> None:
    with closing(socket.socket(family(address), socket.SOCK_DGRAM)) as sock:
        sock.bind((group or address, int(port)))
        # What a slow reader loses must not count as lost on the way.
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 2**24)
        if group:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton(address))
        report(event="ready")
        while True:
            data, sender = sock.recvfrom(2048)
            report(event="datagram", text=data.decode(), sender=sender[0])


def send(address: str, port: str, text: str, count: str = "1") -> None:
    with closing(socket.socket(family(address), socket.SOCK_DGRAM)) as sock:
        for _ in range(int(count)):
            sock.sendto(text.encode(), (address, int(port)))


def shout(group: str, address: str, port: str, text: str) -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        sock.sendto(text.encode(), (group, int(port)))


def ask(address: str, port: str, seconds: str) -> None:
    with closing(socket.socket(family(address), socket.SOCK_DGRAM)) as sock:
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        report(outcome=_outcome(sock, address, port, seconds, "reply"))


def call(address: str, port: str, seconds: str) -> None:
    with closing(socket.socket(family(address), socket.SOCK_STREAM)) as sock:
        report(outcome=_outcome(sock, address, port, seconds, "connected"))


def _outcome(sock: socket.socket, address: str, port: str, seconds: str, success: str) -> str:
    sock.settimeout(float(seconds))
    try:
        sock.connect((address, int(port)))
        if sock.type == socket.SOCK_DGRAM:
            sock.send(b"question")
            sock.recv(2048)
    except TimeoutError:
        return "silence"
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return success


COMMANDS: dict[str, Callable[..., None]] = {"listen": listen, "send": send, "shout": shout, "ask": ask, "call": call}

if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    COMMANDS[command](*arguments)
