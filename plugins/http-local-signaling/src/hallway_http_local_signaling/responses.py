"""Responses: envelopes, refusals and rejections as HTTP."""

from __future__ import annotations

from aiohttp import hdrs, web

from hallway.model import Envelope, Refusal, RefusalCode
from hallway_http_local_signaling._requests import Rejection
from hallway_http_local_signaling._status import STATUS, body_of

_JSON = "application/json"
_ALWAYS = {hdrs.CACHE_CONTROL: "no-store", "X-Content-Type-Options": "nosniff"}


class Response(web.Response):
    """A response that does not tell which software, in which version, runs here."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.popall(hdrs.SERVER, None)


def respond(outcome: Envelope | Refusal | Rejection, *, last: bool = False) -> Response:
    """The response for ``outcome``; ``last`` ends the connection with it."""
    response = _make(outcome)
    if last:
        response.force_close()
    return response


def _make(outcome: Envelope | Refusal | Rejection) -> Response:
    match outcome:
        case Envelope():
            return Response(body=outcome.body, headers={**_ALWAYS, hdrs.CONTENT_TYPE: outcome.content_type})
        case Rejection():
            return _refuse(outcome.refusal, outcome.status, dict(outcome.headers))
        case Refusal():
            return _refuse(outcome, None, {})


def _refuse(refusal: Refusal, status: int | None, extra: dict[str, str]) -> Response:
    headers = {**_ALWAYS, hdrs.CONTENT_TYPE: _JSON, **extra}
    if refusal.code is RefusalCode.RATE_LIMITED:
        headers.setdefault(hdrs.RETRY_AFTER, "1")
    return Response(status=status or STATUS[refusal.code], body=body_of(refusal), headers=headers)
