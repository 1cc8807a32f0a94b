"""Redis on uvloop, the event loop that uvicorn takes where it is installed."""

import asyncio

import pytest
import uvloop

from tests.integration.redis.ways import WAYS, to
from tests.servers.fixtures import StartServer


@pytest.mark.parametrize("way", list(WAYS))
def test_calls_work_on_uvloop(start_server: StartServer, way: str) -> None:
    """Many tasks at once, small values and large ones, and a call that is cancelled: each gets what is its own."""
    server = start_server()
    large = bytes(200_000)

    async def calls() -> None:
        async with to(server, multiplexed=WAYS[way]) as cache:
            await cache.set("large", large, 60)
            await asyncio.gather(*[cache.set(f"key {number}", number, 60) for number in range(100)])
            left = asyncio.get_running_loop().create_task(cache.get("key 0"))
            await asyncio.sleep(0)
            left.cancel()
            found = await asyncio.gather(*[cache.get(f"key {number}") for number in range(100)])
            assert found == list(range(100))
            assert await cache.get("large") == large
            await asyncio.wait([left])

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(calls())
