"""Runs a measurement in a process of its own, so that nothing of before is left in its memory and its collector.

Rule 1: what is measured there comes back as one line of JSON, the last that the process prints.
Rule 2: what measures runs alone; only where figures mean nothing may several processes run at once.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
QUICKLY: Final = 8
"""How many may run at once where figures mean nothing."""


async def run(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run ``python -m module arguments`` with this Python and give what it found; raise with its words if it fails."""
    return await _finish([sys.executable, "-m", module, *arguments], environment)


async def run_code(code: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a few lines of Python in the same way."""
    return await _finish([sys.executable, "-c", code], environment)


async def run_many(
    module: str, jobs: Iterable[Sequence[str]], *, at_once: int, note: Callable[[], None]
) -> list[dict[str, Any]]:
    """Run the module once with each of the arguments of `jobs`, so many `at_once`; `note` is called after each."""
    gate = asyncio.Semaphore(at_once)

    async def one(arguments: Sequence[str]) -> dict[str, Any]:
        async with gate:
            found = await run(module, *arguments)
        note()
        return found

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(arguments)) for arguments in jobs]
    return [task.result() for task in tasks]


async def _finish(command: Sequence[str], environment: Mapping[str, str] | None) -> dict[str, Any]:
    """Wait in a thread: an event loop that is left while it starts a process may wait for it for ever."""
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[1:])} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
