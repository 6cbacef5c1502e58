"""Does what ``hallway`` does, with umask 0, and fails at a place: ``crashing.py PLACE WORDS``.

PLACE is ``module:name:how:number``: what fails, whether it raises or the process is killed, and at which of its calls; "" fails nowhere.
The error that is raised shows all that was given to what fails, and what is in there, but for bare texts and octets.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from typing import Any


def plant(place: str) -> None:
    """Have it fail there."""
    module, name, how, number = place.split(":")
    holder: Any = importlib.import_module(module)
    *outer, last = name.split(".")
    for part in outer:
        holder = getattr(holder, part)
    setattr(holder, last, failing(getattr(holder, last), how, int(number)))


def failing(call: Callable[..., Any], how: str, number: int) -> Callable[..., Any]:
    """The same, but for one of its calls."""
    calls = count(1)

    def fail(given: tuple[object, ...]) -> None:
        if next(calls) != number:
            return
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        inside = [value for each in given for value in getattr(each, "__dict__", {}).values()]
        shown = [each for each in (*given, *inside) if not isinstance(each, str | bytes)]
        print(f"injected at {call.__qualname__}", file=sys.stderr, flush=True)
        raise RuntimeError(f"injected: {shown!r}", *shown)

    @functools.wraps(call)
    def wrapper(*arguments: Any, **options: Any) -> Any:
        fail((*arguments, *options.values()))
        return call(*arguments, **options)

    @functools.wraps(call)
    async def later(*arguments: Any, **options: Any) -> Any:
        fail((*arguments, *options.values()))
        return await call(*arguments, **options)

    return later if inspect.iscoroutinefunction(call) else wrapper


if __name__ == "__main__":
    os.umask(0)
    where, *words = sys.argv[1:]
    if where:
        plant(where)
    from hallway.cli.main import cli

    cli(words, prog_name="hallway")
