"""What every machine of the lab is: a namespace in which programs run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Unpack

from netlab.namespaces import Namespaces
from netlab.process import DEFAULT_TIMEOUT, Finished, Process, ProcessError, StartOptions, start
from netlab.system import ip


class Premises:
    """What all machines of one lab share: its namespaces, and every process that was started in them."""

    def __init__(self) -> None:
        self.namespaces = Namespaces()
        self.processes: list[Process] = []
        self.services: list[Process] = []
        """Processes of the lab itself (responders), which no test has to stop."""


class Node:
    """A machine of the lab, reached by `spawn` and `run`; ``namespace`` is its name for `ip netns`."""

    def __init__(self, premises: Premises, name: str) -> None:
        self.name = name
        self.namespace = premises.namespaces.create(name)
        self._premises = premises

    async def spawn(self, argv: Sequence[str], **options: Unpack[StartOptions]) -> Process:
        """Start a program here.

        The test must see it end (`Process.terminate`, `kill` or `wait`), or else the fixture fails.
        """
        process = await start(self.name, ("ip", "netns", "exec", self.namespace), argv, **options)
        self._premises.processes.append(process)
        return process

    async def run(self, argv: Sequence[str], timeout: float = DEFAULT_TIMEOUT, **options: Unpack[StartOptions]) -> Finished:
        """Run a program here to its end, which must come within ``timeout`` seconds, and return what it left."""
        process = await self.spawn(argv, **options)
        try:
            status = await process.wait(timeout)
        except BaseException:
            with suppress(ProcessError):
                await process.kill()
            raise
        return Finished(status, "\n".join(line.text for line in process.unread), "\n".join(process.stderr_lines))

    def ip(self, *commands: str) -> None:
        """Run `ip` commands inside this machine's namespace (``"addr add 10.0.0.1/24 dev eth0"``)."""
        ip(commands, self.namespace)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"
