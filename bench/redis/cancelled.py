"""Calls of which some are cancelled on their way: does anybody get the reply that was meant for somebody else?

Every value tells its key. A call that is cancelled was begun, and had one to three turns of the loop; its caller goes
on with the next one at once, as a server does whose client has hung up. Those whose reply was
there by then are not counted.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from random import Random
from time import perf_counter
from typing import Any, Final

from redis.asyncio import Redis

from bench.redis.peer import Peer

TASKS: Final = 64
SHARE: Final = 0.05
_KEYS: Final = 512


@dataclass(frozen=True, slots=True)
class Storm:
    """What came of it."""

    calls: int
    cancelled: int
    wrong: int
    """Replies that were another key's, or none."""
    errors: int
    connects: int
    """Connections that were made meanwhile."""
    us: float
    """Microseconds by the watch for a call."""


async def storm(peer: Peer, calls: int, admin: Redis) -> Storm:
    """Make so many calls by `TASKS` tasks."""
    for number in range(_KEYS):
        await peer.write(_key(number), _key(number).encode())
    connects = await _connects(admin)
    counts = {"cancelled": 0, "wrong": 0, "errors": 0}
    start = perf_counter()
    await asyncio.gather(*[_caller(peer.read, calls // TASKS, Random(number), counts) for number in range(TASKS)])
    seconds = perf_counter() - start
    made = calls // TASKS * TASKS
    return Storm(
        calls=made,
        cancelled=counts["cancelled"],
        wrong=counts["wrong"],
        errors=counts["errors"],
        connects=await _connects(admin) - connects,
        us=round(seconds / made * 1e6, 2),
    )


async def _caller(read: Callable[[str], Awaitable[Any]], calls: int, draw: Random, counts: dict[str, int]) -> None:
    for _ in range(calls):
        key = _key(draw.randrange(_KEYS))
        try:
            if draw.random() < SHARE:
                was_on_its_way = await _left(_call(read, key), 1 + draw.randrange(3))
                counts["cancelled"] += was_on_its_way
            else:
                found = await read(key)
                counts["wrong"] += found != key.encode()
        except Exception:  # noqa: BLE001  - each library has its own
            counts["errors"] += 1


async def _left(call: Coroutine[Any, Any, Any], turns: int) -> bool:
    """Begin a call and cancel it; tell whether it was still on its way."""
    task = asyncio.get_running_loop().create_task(call)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    return task.cancelled()


async def _call(read: Callable[[str], Awaitable[Any]], key: str) -> object:
    return await read(key)


def _key(number: int) -> str:
    return f"storm:{number}"


async def _connects(admin: Redis) -> int:
    return int((await admin.info("stats"))["total_connections_received"])
