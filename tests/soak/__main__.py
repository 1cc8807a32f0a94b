"""Let several processes use all storages for a long time, harm what they use, and report.

make soak                                   # ten minutes
ARGS="--minutes 20 --report FILE" make soak
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

from aiocache_kit import SystemClock
from aiocache_kit.testing import FaultyProxy
from tests.servers.cluster import Cluster
from tests.servers.room import Room
from tests.servers.server import Server
from tests.soak.faults import Faults
from tests.soak.report import Process, lines, told
from tests.soak.subjects import SUBJECTS, Places
from tests.soak.worker import VICTIM

CLOCK: Final = SystemClock()
ROOT: Final = Path(__file__).parents[2]
SETTLING: Final = 20.0
"""Seconds that a process may take beyond its time to close everything."""


async def follow(process: Process, seconds: float, places: dict[str, Any]) -> None:
    """Run a process and take in what it tells."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.soak.worker", process.name, str(seconds), json.dumps(places)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    assert child.stdout is not None
    try:
        async with asyncio.timeout(seconds + 3 * SETTLING):
            async for line in child.stdout:
                what = json.loads(line)
                process.samples += [what["sample"]] if "sample" in what else []
                process.wrong = what["wrong"] if "end" in what else process.wrong + what.get("wrong", [])
                process.end = what.get("end", process.end)
            await child.wait()
        if child.returncode:
            process.wrong.append(f"{process.name} ended with {child.returncode}")
    except TimeoutError:
        process.wrong.append(f"{process.name} did not end")
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def kill_again_and_again(processes: list[Process], faults: Faults, end: float, places: dict[str, Any]) -> None:
    """Start a process, kill it in the midst of its work, and start the next one."""
    for number in count(1):
        left = end - time.monotonic()
        if left < SETTLING:
            return
        process = Process(f"{VICTIM} {number}")
        processes.append(process)
        following = asyncio.create_task(follow(process, left, places))
        await asyncio.wait([following], timeout=min(5.0 + number % 7 * 3, left / 2))
        following.cancel()
        await asyncio.wait([following])
        faults.done["process killed"] += 1


async def counters(places: Places) -> dict[str, int]:
    """Give what the shared counters say at the end."""
    final: dict[str, int] = {}
    for name, subject in SUBJECTS.items():
        if subject.is_shared:
            async with subject.make(places, "counter") as cache:
                final[name] = await cache.get("counter", 0)
    return final


async def soak(seconds: float, workers: int, seed: int, folder: Path) -> dict[str, Any]:
    """Do all of it and give the report."""
    async with AsyncExitStack() as stack:
        room = stack.enter_context(Room())
        mortal, steady, *nodes = (Server(room) for _ in range(5))
        for server in (mortal, steady, *nodes):
            stack.callback(server.kill)
            server.start()
        cluster = Cluster(room)
        stack.callback(cluster.kill)
        proxy = await stack.enter_async_context(FaultyProxy(steady.host, steady.port))
        places = Places(
            mortal=f"{mortal.host}:{mortal.port}",
            steady=f"{proxy.host}:{proxy.port}",
            nodes=tuple(f"{each.host}:{each.port}" for each in nodes),
            cluster=tuple(f"{host}:{port}" for host, port in cluster.addresses),
            folder=str(folder),
        )
        said: dict[str, Any] = {name: getattr(places, name) for name in Places.__slots__}
        processes = [Process(f"worker {number}") for number in range(1, workers + 1)]
        faults = Faults(seed, folder / "undone")
        begun = time.monotonic()
        end = begun + seconds
        following = [asyncio.create_task(follow(process, seconds, said)) for process in processes]
        await asyncio.gather(
            *following,
            faults.again_and_again(end, 8, partial(faults.harm, "server", [mortal])),
            faults.again_and_again(end, 12, partial(faults.harm, "node", nodes)),
            faults.again_and_again(end, 15, partial(faults.harm_cluster, cluster)),
            faults.again_and_again(end, 4, partial(faults.harm_way, proxy)),
            kill_again_and_again(processes, faults, end, said),
            progress(processes, faults, begun, seconds),
        )
        return told(processes, faults.done, await counters(places), seconds)


async def progress(processes: list[Process], faults: Faults, begun: float, seconds: float) -> None:
    """Tell every now and then how far it is."""
    every = 10.0 if sys.stderr.isatty() else 60.0
    while (over := time.monotonic() - begun) < seconds:
        calls, wrong = (sum(each) for each in zip(*((p.calls, len(p.wrong)) for p in processes), strict=True))
        line = f"{over:5.0f} of {seconds:.0f} s: {calls:,} calls, {faults.done.total()} faults, {wrong} wrong"
        sys.stderr.write(f"{line}\n")
        await CLOCK.sleep(min(every, seconds - over))


def main() -> int:
    """Run as the command line says; 1 where something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long; 10")
    parser.add_argument("--workers", type=int, default=3, help="processes that live from beginning to end; 3")
    parser.add_argument("--seed", type=int, default=1, help="of what chance decides; 1")
    parser.add_argument("--report", type=Path, help="a file for the report, as JSON")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        report = asyncio.run(soak(given.minutes * 60, given.workers, given.seed, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write("\n".join([*lines(report), ""]))
    if given.report:
        given.report.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    return 1 if report["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
