"""hallway signaling over a shared folder: a device is a sub-folder, a request a file in it, the response a file beside that."""

import asyncio
import contextlib
import secrets
import shutil
from pathlib import Path

import attrs

from hallway import errors
from hallway.config.options import option
from hallway.interfaces import Signaling
from hallway.model import IcePolicy, Mode, Origin, is_device_id
from hallway.plugins import SignalingProvider, codec, hookimpl


@attrs.frozen
class FolderConfig:
    path: str = option(help="a folder that every device of the site can read and write")


class FolderSignaling(Signaling):
    def __init__(self, config, context):
        self._home, self._watching, self._closed = Path(config.path, context.device.device_id.lower()), None, False

    def _check(self):
        if self._closed:
            raise errors.ClosedError("folder signaling was closed")

    async def start(self, host):
        self._check()
        async with codec.mapped(errors.SignalingUnavailable, "the shared folder"):
            self._home.mkdir(parents=True, exist_ok=True)
        host.up((f"folder://{self._home.name}",))
        self._watching = asyncio.create_task(self._watch(host))

    async def request(self, endpoint, envelope, deadline):
        self._check()
        name = endpoint.removeprefix("folder://").lower()
        ask = self._home.with_name(name if is_device_id(name) else "nobody.") / f"{secrets.token_hex(16)}.ask"
        part, reply = ask.with_suffix(".part"), ask.with_suffix(".reply")
        async with codec.mapped(errors.Unreachable, endpoint, deadline):
            try:
                part.write_bytes(codec.dumps(envelope))
                part.rename(ask)
                while not reply.exists():
                    await asyncio.sleep(0.01)
                    self._check()
                    ask.parent.stat()
                return codec.loads(reply.read_bytes())
            finally:
                for path in ask.parent.glob(f"{ask.stem}.*"):
                    path.unlink(missing_ok=True)

    async def aclose(self):
        self._closed = True
        if self._watching is not None and self._watching.cancel():
            shutil.rmtree(self._home, ignore_errors=True)
            await asyncio.wait([self._watching])

    async def _watch(self, host):
        async with asyncio.TaskGroup() as group:
            while True:
                for ask in self._home.glob("*.ask"):
                    group.create_task(self._answer(host, ask))
                await asyncio.sleep(0.01)

    async def _answer(self, host, ask):
        with contextlib.suppress(OSError):  # the one who asked has left
            taken = ask.rename(ask.with_suffix(".taken"))
            reply = await codec.respond(host, taken.read_bytes(), Origin("folder"))
            taken.rename(ask.with_suffix(".part")).write_bytes(reply)
            ask.with_suffix(".part").rename(ask.with_suffix(".reply"))


@hookimpl
def hallway_signaling():
    provider = {"name": "folder", "config_class": FolderConfig, "factory": FolderSignaling, "schemes": frozenset({"folder"})}
    return [SignalingProvider(**provider, mode=Mode.LOCAL, ice_policy=IcePolicy.LAN)]
