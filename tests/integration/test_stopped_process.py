"""A process that is stopped and continued gives nothing whose time is over, and does not catch up on its sleep."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from aiocache_kit import SystemClock
from tests.integration.stopped_process import PERIOD, TTL

CLOCK = SystemClock()
ROOT = Path(__file__).parents[2]
STOPPED = 2.5


async def test_a_stopped_process_goes_on_with_what_is_true_now(tmp_path: Path) -> None:
    """After SIGSTOP and SIGCONT no value is older than its ttl, and no more is done than in any second."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.stopped_process",
        str(tmp_path),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(50):
            assert await process.stdout.readline() == b"ready\n"
            process.send_signal(signal.SIGSTOP)
            await CLOCK.sleep(STOPPED)
            process.send_signal(signal.SIGCONT)
            told = json.loads(await process.stdout.readline())
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert set(told) == {"memory", "files", "layered"}
    for seen in told.values():
        assert seen["written"] is False
        assert seen["age"] < TTL
        assert 1 <= seen["asked"] <= 4  # once at first, then about every half of the ttl
        assert seen["slept"] <= 4 / PERIOD
