"""What a sealed device lets a description say: one policy, applied before we sign our own and after a peer's was verified.

A member may be hostile or taken over: a signature says who wrote a description, not that it is harmless (RFC 8826 section 4.2.4).
"""

from __future__ import annotations

from typing import Literal

import attrs

from hallway.errors import BadDescription
from hallway.trust.reasons import Reason, refused
from hallway.webrtc.candidates import CandidateFilter, Reach
from hallway.webrtc.sdp import read_description


@attrs.frozen
class Allowed:
    """A description in our own words with nothing in it but what is allowed, and the certificate's ``fingerprint`` (as in `Binding`)."""

    sdp: str
    fingerprint: str


def apply(sdp: str, kind: Literal["offer", "answer"], reach: Reach) -> Allowed:
    """Hold a description to the policy: one data channel, one certificate named by one sha-256 fingerprint, and candidates within reach.

    Candidates that only this attempt cannot use are left out; one that no honest device offers (loopback, multicast, broadcast) condemns
    the description. Applying it twice changes nothing more.

    Raises:
        Untrusted: the policy forbids the description (``description``).

    """
    try:
        read = read_description(sdp, kind)
        if sdp.count("a=fingerprint:") != 1:
            raise BadDescription("a sealed description names one fingerprint, and no other")
        kept = CandidateFilter(reach).take(read.candidates)
    except BadDescription as error:
        raise refused(Reason.DESCRIPTION, str(error)) from error
    fingerprint = read.sha256
    session = int(fingerprint.value.replace(":", "")[:12], 16)
    return Allowed(read.rewritten((one.attribute for one in kept), session), f"{fingerprint.algorithm} {fingerprint.value}")
