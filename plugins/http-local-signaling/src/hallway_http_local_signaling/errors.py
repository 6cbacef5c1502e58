"""aiohttp's errors as ours: who failed, in hallway's words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp

from hallway.errors import BadEnvelope, DeadlineExceeded, Unreachable


@contextmanager
def mapped(endpoint: str) -> Iterator[None]:
    """Turn what a request to ``endpoint`` raises into errors of `hallway.errors`; these pass through as they are.

    Raises:
        DeadlineExceeded: nothing came in time.
        Unreachable: no connection, or it broke before the answer.
        BadEnvelope: what came is no HTTP.

    """
    try:
        yield
    except TimeoutError as error:
        raise DeadlineExceeded(f"{endpoint} did not answer in time") from error
    except (aiohttp.ClientConnectionError, aiohttp.InvalidURL, OSError) as error:
        raise Unreachable(f"{endpoint} cannot be reached: {_cause(error)}") from error
    except aiohttp.ClientError as error:
        raise BadEnvelope(f"{endpoint} answered with what cannot be read: {_cause(error)}") from error


def _cause(error: Exception) -> str:
    number = getattr(error, "errno", None)
    # asyncio's own text is "Connect call failed", whatever the reason was. Negative numbers are those of look-ups.
    text = os.strerror(number) if number and number > 0 else getattr(error, "strerror", None) or str(error)
    return text or type(error).__name__
