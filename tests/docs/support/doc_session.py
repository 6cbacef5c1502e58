"""Runs the blocks of a page in one session, as if typed into ``python -m asyncio``. Usage: doc_session.py BLOCK_FILE..."""

from __future__ import annotations

import ast
import asyncio
import inspect
import sys
from pathlib import Path


async def main(files: list[str]) -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    for file in files:
        code = compile(Path(file).read_text(), file, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)
        if inspect.isawaitable(result):
            await result


asyncio.run(main(sys.argv[1:]))
