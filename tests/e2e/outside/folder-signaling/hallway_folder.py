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
from hallway.model import Envelope, Gone, IcePolicy, Mode, Origin, PeerRecord, Refusal, RefusalCode, Seen, is_device_id
from hallway.plugins import SignalingProvider, codec, hookimpl

POLL, MAX_REQUEST = 0.01, 32 * 1024


@attrs.frozen
class FolderConfig:
    path: str = option(help="a folder that every device of the site can read and write")


def write(path, value):
    path.with_suffix(".part").write_bytes(codec.dumps(value))
    path.with_suffix(".part").rename(path)


class FolderSignaling(Signaling):
    def __init__(self, config, context):
        self._folder, self._closed, self._watching = Path(config.path), False, None
        self._home = self._folder / context.device.device_id.lower()
        self._record = PeerRecord(endpoints=(f"folder://{context.device.device_id}",), **attrs.asdict(context.device))

    def _check(self):
        if self._closed:
            raise errors.ClosedError("folder signaling was closed")

    async def start(self, host):
        self._check()
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            write(self._home / "device", self._record)
        except OSError as error:
            raise errors.SignalingUnavailable(f"{self._home} cannot be written: {error.strerror}") from error
        host.up(self._record.endpoints)
        self._watching = asyncio.create_task(self._watch(host))

    async def request(self, endpoint, envelope, deadline):
        self._check()
        name = endpoint.removeprefix("folder://").lower()
        if len(envelope.body) > MAX_REQUEST:
            return Refusal(RefusalCode.TOO_LARGE, f"a body has at most {MAX_REQUEST} bytes")
        ask = self._folder / (name if is_device_id(name) else "nobody.") / f"{secrets.token_hex(16)}.ask"
        try:
            async with asyncio.timeout_at(deadline):
                write(ask, envelope)
                while not ask.with_suffix(".reply").exists():
                    await asyncio.sleep(POLL)
                    self._check()
                    ask.with_name("device").stat()
            return codec.loads(ask.with_suffix(".reply").read_bytes())
        except OSError as error:
            kind = errors.DeadlineExceeded if isinstance(error, TimeoutError) else errors.Unreachable
            raise kind(f"{endpoint!r} does not answer: {error or 'no time is left'}") from error
        finally:
            for path in ask.parent.glob(f"{ask.stem}.*"):
                path.unlink(missing_ok=True)

    async def aclose(self):
        if self._watching is not None and not self._closed:
            shutil.rmtree(self._home, ignore_errors=True)
            self._watching.cancel()
        self._closed = True
        await asyncio.gather(*filter(None, [self._watching]), return_exceptions=True)

    async def _watch(self, host):
        seen = {}
        async with asyncio.TaskGroup() as group:
            while True:
                found = dict.fromkeys(seen) | {record.device_id: record for record in self._others()}
                for device_id, record in found.items() - seen.items():
                    host.report(Seen(record) if record else Gone(device_id))
                seen = found
                for ask in self._home.glob("*.ask"):
                    group.create_task(self._answer(host, ask.rename(ask.with_suffix(".taken"))))
                await asyncio.sleep(POLL)

    def _others(self):
        for path in self._folder.glob("*/device"):
            with contextlib.suppress(OSError, errors.BadEnvelope):
                record = codec.loads(path.read_bytes(), PeerRecord)
                if record.property_id == self._record.property_id and path.parent != self._home:
                    yield record

    async def _answer(self, host, ask):
        try:
            reply = await host.handle(codec.loads(ask.read_bytes(), Envelope), Origin("folder"))
        except Exception as error:
            reply = Refusal(RefusalCode.BAD_REQUEST, f"it could not be handled: {error}")
        if ask.exists():
            write(ask.with_suffix(".reply"), reply)


@hookimpl
def hallway_signaling():
    provider = {"name": "folder", "config_class": FolderConfig, "factory": FolderSignaling, "schemes": frozenset({"folder"})}
    return [SignalingProvider(**provider, mode=Mode.LOCAL, ice_policy=IcePolicy.LAN)]
