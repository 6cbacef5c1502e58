"""The errors of websockets and of the system as ours: who failed, in hallway's words."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from hallway.errors import DeadlineExceeded, SignalingUnavailable, Unreachable
from hallway_cloud_ws_signaling._messages import WireError
from hallway_cloud_ws_signaling._wire import printable


@contextmanager
def mapped(url: str) -> Iterator[None]:
    """Turn what connecting to ``url`` and joining there raises into one error.

    Raises:
        SignalingUnavailable: whatever it was; the message says which step failed.

    """
    try:
        yield
    except TimeoutError as error:
        raise SignalingUnavailable(f"{url} did not answer in time") from error
    except (Unreachable, DeadlineExceeded) as error:
        raise SignalingUnavailable(str(error), hint=error.hint) from error
    except ssl.SSLCertVerificationError as error:
        raise SignalingUnavailable(
            f"{url} has a certificate that is not trusted: {error.verify_message}",
            hint="see that the URL has the name of the certificate, and that this device trusts its issuer and has the right time",
        ) from error
    except InvalidStatus as error:
        raise SignalingUnavailable(
            f"{url} answered HTTP {error.response.status_code}", hint="see that the URL is a signal server's"
        ) from error
    except ConnectionClosed as error:
        raise SignalingUnavailable(f"{url} did not let us in: {said(error)}") from error
    except WireError as error:
        raise SignalingUnavailable(f"{url} does not speak as a signal server does: {error}") from error
    except (OSError, WebSocketException, ValueError) as error:
        raise SignalingUnavailable(f"{url} cannot be reached: {_cause(error)}") from error


def said(error: ConnectionClosed) -> str:
    """Why a connection ended, as a clause."""
    if error.rcvd is not None:
        reason = printable(error.rcvd.reason)
        return f"it closed with {error.rcvd.code}" + (f" ({reason})" if reason else "")
    if error.sent is not None:
        return f"we closed it with {error.sent.code} ({printable(error.sent.reason)})"
    return "the connection was lost"


def _cause(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return printable(text) or type(error).__name__
