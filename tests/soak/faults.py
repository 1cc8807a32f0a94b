"""What is done to servers, ways and processes while they are used.

Rule: one fault at a time in each group, and time between two of them in which all can be well again.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from aiocache_kit import SystemClock
from aiocache_kit.testing import FaultyProxy
from tests.servers.cluster import Cluster, Node
from tests.servers.server import Server

CLOCK: Final = SystemClock()
CLUSTER_IN_ORDER: Final = 6.0
"""Seconds that a cluster takes to replace a master, or to take a node in again."""


class Faults:
    """All that is done, and how often."""

    def __init__(self, seed: int, undone: Path) -> None:
        """Begin; the instants of lost masters are written to the file `undone`."""
        self.done: Counter[str] = Counter()
        self._random = Random(seed)  # noqa: S311  - a run can be repeated
        self._undone = undone

    async def again_and_again(self, end: float, gap: float, act: Callable[[], Awaitable[None]]) -> None:
        """Do it every `gap` seconds or so."""
        while True:
            await CLOCK.sleep(self._random.uniform(gap / 2, gap * 1.5))
            if time.monotonic() > end - 2 * gap:
                return  # the last of them is long over at the end
            await act()

    async def harm(self, name: str, servers: Sequence[Server]) -> None:
        """Kill a server and start it again, without what it held, or let it stand still for a while."""
        server = self._random.choice(servers)
        if self._random.random() < 0.5:
            self.done[f"{name} killed"] += 1
            await asyncio.to_thread(server.kill)
            await CLOCK.sleep(self._random.uniform(0, 2))
            await asyncio.to_thread(server.start)
        else:
            self.done[f"{name} frozen"] += 1
            await asyncio.to_thread(server.freeze)
            await CLOCK.sleep(self._random.uniform(0.1, 3))
            await asyncio.to_thread(server.thaw)

    async def harm_cluster(self, cluster: Cluster) -> None:
        """Kill a node; where it is a master, its replica takes its place."""
        node: Node = self._random.choice(cluster.nodes)
        role = (await asyncio.to_thread(node.info, "replication"))["role"]
        self.done[f"cluster {role} killed"] += 1
        if role == "master":
            with self._undone.open("a", encoding="ascii") as file:
                file.write(f"{time.monotonic()}\n")
        await asyncio.to_thread(node.kill)
        await CLOCK.sleep(CLUSTER_IN_ORDER)
        await asyncio.to_thread(node.start)
        await CLOCK.sleep(CLUSTER_IN_ORDER)

    async def harm_way(self, proxy: FaultyProxy) -> None:
        """Cut, hold up, delay or refuse the connections to a server that knows nothing of it."""
        ways: list[tuple[str, Callable[[], None]]] = [
            ("cut", proxy.cut),
            ("reset", partial(proxy.cut, reset=True)),
            ("cut within a reply", partial(proxy.cut_after, self._random.randrange(1, 2000))),
            ("cut within a request", partial(proxy.cut_after, self._random.randrange(1, 2000), of="requests")),
            ("held", proxy.hold),
            ("delayed", partial(proxy.delay, self._random.uniform(0.01, 0.2))),
            ("refused", proxy.refuse),
        ]
        name, act = self._random.choice(ways)
        self.done[f"connections {name}"] += 1
        act()
        await CLOCK.sleep(self._random.uniform(0.1, 2.5))
        proxy.heal()
