"""Prints, as one JSON line at its end (SIGTERM), every IP payload that passes this machine's port, in base64: ``wiretap.py INTERFACE``."""

from __future__ import annotations

import base64
import json
import signal
import socket
import sys

ETH_P_ALL = 3


def main() -> None:
    """Listen until told to stop."""
    heard = bytearray()

    def stop(*_: object) -> None:
        print(json.dumps({"bytes": base64.b64encode(heard).decode()}), flush=True)
        sys.exit(0)

    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as tap:
        tap.bind((sys.argv[1], 0))
        signal.signal(signal.SIGTERM, stop)
        print(json.dumps({"ready": True}), flush=True)
        while True:
            heard += tap.recv(65536)


main()
