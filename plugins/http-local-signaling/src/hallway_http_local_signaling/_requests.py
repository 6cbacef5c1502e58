"""What a request may look like before its body is read. Pure: headers in, a decision out."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from enum import Enum

import attrs

from hallway.model import Refusal, RefusalCode

PATHS: Mapping[str, str] = {"offer": "/offer", "answer": "/answer", "candidate": "/ice-candidate", "roster": "/roster", "pair": "/pair"}
"""Envelope kinds and where they are posted."""

_OPEN = {PATHS[kind]: kind for kind in ("offer", "answer", "candidate")}
_COVERED = {PATHS[kind]: kind for kind in ("offer", "answer", "roster", "pair")}

HEALTH = "/health"

CONTENT_TYPES = frozenset({"application/json", "application/octet-stream"})
"""What a body may be. No HTML form can send these, so a foreign page's post needs a preflight, which is never granted."""

_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]+\]|[^\[\]:]+)(?::(?P<port>[0-9]{1,5})?)?")


@attrs.frozen(kw_only=True)
class Head:
    """A request without its body. Header fields that may come once only are given with all their values."""

    method: str
    path: str
    hosts: tuple[str, ...]
    origins: tuple[str, ...] = ()
    content_types: tuple[str, ...] = ()
    content_encodings: tuple[str, ...] = ()
    length: int | None = None


class Route(Enum):
    """What is asked for."""

    HEALTH = "health"
    OFFER = "offer"
    ANSWER = "answer"
    CANDIDATE = "candidate"
    ROSTER = "roster"
    PAIR = "pair"


@attrs.frozen
class Rejection:
    """A refusal that was decided before the body was read, so that the connection must end with it.

    ``status`` stands for the refusal's own where HTTP has a finer word; ``headers`` go with it.
    """

    refusal: Refusal
    status: int | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)


def reject(code: RefusalCode, message: str) -> Rejection:
    """A plain rejection."""
    return Rejection(Refusal(code, message))


def too_large(most: int) -> Rejection:
    """The rejection of a body of more than ``most`` bytes."""
    return reject(RefusalCode.TOO_LARGE, f"the body must not exceed {most} bytes")


def judge(head: Head, device_id: str | None, max_body: int) -> Route | Rejection:
    """Whether a request may bring its body, and where it goes. ``device_id`` is None for a device that does not show its name."""
    kinds = _OPEN if device_id is not None else _COVERED
    return (
        _judge_caller(head, device_id)
        or _judge_target(head, kinds)
        or _judge_body(head, max_body)
        or (Route.HEALTH if head.path == HEALTH else Route(kinds[head.path]))
    )


def _judge_caller(head: Head, device_id: str | None) -> Rejection | None:
    if len(head.hosts) != 1 or not is_our_host(head.hosts[0], device_id):
        name = f", localhost or {device_id}.local" if device_id is not None else " or localhost"
        return reject(RefusalCode.FORBIDDEN, f"the Host header must be an address{name}")
    if any(not is_same_origin(origin, head.hosts[0]) for origin in head.origins):
        return reject(RefusalCode.FORBIDDEN, "pages of other origins may not ask")
    return None


def _judge_target(head: Head, kinds: Mapping[str, str]) -> Rejection | None:
    if head.path != HEALTH and head.path not in kinds:
        known = ", ".join([HEALTH, *kinds])
        return reject(RefusalCode.NOT_FOUND, f"nothing here; there are {known}")
    allowed = "GET" if head.path == HEALTH else "POST"
    if head.method != allowed:
        refusal = Refusal(RefusalCode.BAD_REQUEST, f"{head.path} takes {allowed} only")
        return Rejection(refusal, 405, {"Allow": allowed})
    return None


def _judge_body(head: Head, max_body: int) -> Rejection | None:
    if head.length is not None and head.length > max_body:
        return too_large(max_body)
    if head.path == HEALTH:
        return None
    if any(coding.strip().lower() != "identity" for coding in head.content_encodings):
        return reject(RefusalCode.UNSUPPORTED_KIND, "the body must not be compressed")
    if content_type(head) not in CONTENT_TYPES:
        return reject(RefusalCode.UNSUPPORTED_KIND, "the Content-Type must be " + " or ".join(sorted(CONTENT_TYPES)))
    return None


def content_type(head: Head) -> str:
    """The media type in lower case without parameters; "" if it is absent or given twice."""
    return head.content_types[0].partition(";")[0].strip().lower() if len(head.content_types) == 1 else ""


def is_our_host(host: str, device_id: str | None) -> bool:
    """Whether a Host header (RFC 9110 section 7.2) can only mean this device.

    A page that rebinds its own name to our address still sends its own name, so names other than ours are refused. An address is as good as
    our name: no DNS answer can put it there.
    """
    match = _AUTHORITY.fullmatch(host.strip())
    if match is None:
        return False
    name = match["host"].lower().removesuffix(".")
    own = set() if device_id is None else {f"{device_id.lower()}.local"}
    return name in {"localhost"} | own or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        if name.startswith("["):
            ipaddress.IPv6Address(name[1:-1])
        else:
            ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True


def is_same_origin(origin: str, host: str) -> bool:
    """Whether an Origin header (RFC 6454 section 7) names the very host that was asked."""
    return origin.strip().lower() == f"http://{host.strip().lower()}"
