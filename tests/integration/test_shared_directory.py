"""Several processes use one directory: what one does the others see at once, and what is atomic is so among them."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from aiocache_kit import Config, FileConfig, Provider, new_provider

ROUNDS = 60
PROCESSES = 3
PROGRAM = f"""
import asyncio, json, sys
from aiocache_kit import Config, FileConfig, new_provider

async def main(path, name):
    config = Config(provider="file", file_config=FileConfig(dir=path, shared=True))
    async with new_provider(config) as cache:
        totals, added, swapped, loads, fences = [], 0, 0, 0, []

        async def load():
            nonlocal loads
            loads += 1
            await asyncio.sleep(0)
            return name

        for number in range({ROUNDS}):
            totals.append(await cache.increment("counter"))
            added += await cache.add(f"one:{{number}}", name)
            while True:
                item = await cache.get_item("swapped")
                if await cache.compare_and_set("swapped", item.value + 1, item.version):
                    swapped += 1
                    break
            await cache.update("updated", lambda value: value + 1)
            await cache.get_or_set(f"loaded:{{number}}", load)
            async with cache.lock("door") as lease:
                inside = await cache.get("inside")
                await cache.set("inside", inside + 1)
                fences.append(lease.fencing)
        print(json.dumps([totals, added, swapped, loads, fences]))

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


async def shared(path: Path) -> Provider:
    """Open a provider on a shared directory."""
    cache = new_provider(Config(provider="file", file_config=FileConfig(dir=path, shared=True)))
    await cache.ping()
    return cache


async def test_processes_count_together(tmp_path: Path) -> None:
    """No increment, addition, exchange, update, load or lock of several processes is lost or done twice."""
    cache = await shared(tmp_path)
    for key in ("swapped", "updated", "inside"):
        await cache.set(key, 0)

    def run() -> list[tuple[list[int], int, int, int, list[int]]]:
        commands = [[sys.executable, "-c", PROGRAM, str(tmp_path), str(number)] for number in range(PROCESSES)]
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
        return [json.loads(process.communicate()[0]) for process in running]

    outcomes = await asyncio.to_thread(run)
    totals = [total for each, *_ in outcomes for total in each]
    fences = [fence for *_, each in outcomes for fence in each]

    assert sorted(totals) == list(range(1, PROCESSES * ROUNDS + 1))
    assert sum(added for _, added, *_ in outcomes) == ROUNDS
    assert sum(loads for _, _, _, loads, _ in outcomes) == ROUNDS
    assert [await cache.get(key) for key in ("swapped", "updated", "inside")] == [PROCESSES * ROUNDS] * 3
    assert len(set(fences)) == len(fences)
    await cache.close()


async def test_others_see_at_once(tmp_path: Path) -> None:
    """A write, a removal, an invalidation and a clear of one provider hold for the next call of another one."""
    one, other = await shared(tmp_path), await shared(tmp_path)
    await one.set("k", 1, tags=["t"])
    assert await other.get("k") == 1
    await other.set("k", 2, tags=["t"])
    assert await one.get("k") == 2
    await one.delete("k")
    assert await other.get("k") is None
    await one.set("k", 3, tags=["t"])
    await other.invalidate_tags("t")
    assert await one.get("k") is None
    await one.set("k", 4)
    await other.clear()
    assert await one.get("k") is None
    left = [key async for key in one.keys()]  # noqa: SIM118  - it is no dict
    assert left == []
    await one.close()
    await other.close()


async def test_bounds_hold_roughly(tmp_path: Path) -> None:
    """However much two providers write, little more than the bound is there, and after tidying no more."""
    config = Config(provider="file", file_config=FileConfig(dir=tmp_path, shared=True), max_entries=200)
    one, other = new_provider(config), new_provider(config)
    for number in range(600):
        await (one if number % 2 else other).set(f"k{number}", number)
        if number % 50 == 0:
            assert (await one.stats()).items <= 200 + 2 * 65
    storage = one._core.storage
    storage_cleaned = (await one.stats()).items
    await storage.tidy()

    assert storage_cleaned <= 330
    assert await one.get("k599") == 599
    await one.close()
    await other.close()
