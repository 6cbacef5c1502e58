"""Writes down every frame that passes an interface of its host: ``sniffer.py FILE``, until SIGTERM. Prints ``ready`` once it listens."""

from __future__ import annotations

import json
import signal
import socket
import struct
import sys
from pathlib import Path

EVERYTHING = 0x0003


def main(path: str) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERYTHING)) as tap, Path(path).open("wb", buffering=0) as file:
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024 * 1024)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        print(json.dumps({"event": "ready"}), flush=True)
        while True:
            frame = tap.recv(65536)
            file.write(struct.pack("!I", len(frame)) + frame)


main(sys.argv[1])
