"""Runs a measurement in a process of its own, so that nothing of before is left in its memory and its collector.

Rule: what is measured there comes back as one line of JSON, the last that the process prints.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]


async def run(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run ``python -m module arguments`` with this Python and give what it found; raise with its words if it fails."""
    return await _finish([sys.executable, "-m", module, *arguments], environment)


async def run_code(code: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a few lines of Python in the same way."""
    return await _finish([sys.executable, "-c", code], environment)


async def _finish(command: Sequence[str], environment: Mapping[str, str] | None) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        printed, said = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command[1:])} failed:\n{said.decode()}")
    found: dict[str, Any] = json.loads(printed.decode().splitlines()[-1])
    return found
