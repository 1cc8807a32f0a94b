"""Reads without a round trip: what was read is kept in the process until Redis tells that it has changed."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from bench.record import Track
from bench.redis.ours import OursKept
from bench.redis.peer import PREFIX, RECORD, VALUE, Peer
from bench.redis.turns import Crowd, Effort, Timing, interleave

KEYS: Final = [f"{PREFIX}{number}" for number in range(100)]
LOOPS: Final = {
    "get": "100 bytes",
    "get_record": "a small dict as JSON",
    "get_multi": "100 values of 100 bytes by one call",
    "decorated": "call of a cached function",
}
"""What is read by each loop."""
TASKS: Final = (1, 64)
Found = dict[str, dict[str, dict[str, Timing]]]
"""By loop, by number of tasks, by client."""


@asynccontextmanager
async def keepers(port: int) -> AsyncGenerator[list[Peer]]:
    """Give the clients that keep what they read: ours first."""
    async with AsyncExitStack() as exits:
        peers: list[Peer] = [OursKept()]
        try:
            from bench.redis.for_cashews import CashewsKept  # noqa: PLC0415  - it may not be installed
        except ModuleNotFoundError:
            pass
        else:
            peers.append(CashewsKept())
        for peer in peers:
            await peer.open(port, exits)
        yield peers


async def measure(peers: list[Peer], plain: Peer, effort: Effort, track: Track) -> Found:
    """Measure them beside `plain`, which asks each time."""
    note = track("reads of what is kept", effort.rounds * len(LOOPS) * len(TASKS))
    found: Found = {}
    for name in LOOPS:
        everybody = [*peers, plain]
        for peer in everybody:
            await _fill(peer, name)
        loops = {peer.name: loop for peer in everybody if (loop := peer.loop(name)) is not None}
        found[name] = {}
        for tasks in TASKS:
            whole = name == "get_multi"
            crowds = [Crowd(loop, KEYS, 1 if whole else tasks, whole=whole) for loop in loops.values()]
            found[name][str(tasks)] = dict(zip(loops, await interleave(crowds, effort, note), strict=True))
    return found


async def _fill(peer: Peer, name: str) -> None:
    """Store, and read once what is to be kept."""
    if name == "get_record":
        await peer.set_record(KEYS)
        assert await peer.record(KEYS[0]) == RECORD
    else:
        await peer.set(KEYS)
        assert await peer.read(KEYS[0]) == VALUE
    loop = peer.loop(name)
    assert loop is not None
    for _ in range(2):
        await loop(KEYS)


def table(found: Found) -> tuple[str, tuple[str, ...], list[list[str]]]:
    """Give the figures in processor time."""
    rows = [
        [
            LOOPS[name],
            who,
            *(f"{found[name][str(tasks)][who].cpu_us:,.1f}" for tasks in TASKS),
            *(f"{found[name][str(tasks)][who].cpu_ratio:.2f}" for tasks in TASKS),
        ]
        for name in found
        for who in found[name][str(TASKS[0])]
    ]
    crowds = ("1 task", "64 tasks")
    columns = ("read", "by", *(f"{crowd}, µs" for crowd in crowds), *(f"{crowd}, times" for crowd in crowds))
    return "reads of what the process keeps: processor time of a call", columns, rows
