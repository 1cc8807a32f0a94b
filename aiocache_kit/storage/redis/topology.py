"""The nodes of a cluster as they are known: a channel for each, and the owner of each slot.

Rule 1: whoever needs to know more asks for it; however many do, one node is asked at a time, and not again at once.
Rule 2: nodes are asked in an order by chance, those last that were silent of late; the addresses of the configuration
are among them for ever, so that a cluster that has moved as a whole is found again.
Rule 3: a node that is of the cluster no more keeps its channel until the calls are over that may be under way there.
Rule 4: after `close` nothing is asked and no channel is made: a call that is still under way finds no node.
"""

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final, NamedTuple

from aiocache_kit.clock import stopwatch
from aiocache_kit.errors import CacheError, StorageError, StorageUnavailableError
from aiocache_kit.storage.redis.attempts import Times, anew, spread
from aiocache_kit.storage.redis.dial import Dialer, Host
from aiocache_kit.storage.redis.link import Channel
from aiocache_kit.storage.redis.question import ask
from aiocache_kit.storage.redis.replies import failure, is_final
from aiocache_kit.storage.redis.slots import SLOTS, Share, shares_in

_PAUSE: Final = 0.2
"""Seconds, or up to a half less, between two times that the nodes are asked."""
_LEAST_ASKED: Final = 0.5
"""Seconds that one node is given before another one is asked; half of the time to connect, where that is more."""
_NO_CLUSTER: Final = "cluster support disabled"
_random: Final = Random()  # noqa: S311  - spreads load, guards nothing


class Node(NamedTuple):
    """A node that has, or had, slots of its own."""

    place: Host
    channel: Channel


class Topology:
    """What is known of one cluster."""

    def __init__(
        self, seeds: Sequence[Host], dialer: Dialer, new_channel: Callable[[Host], Channel], *, times: Times
    ) -> None:
        """Begin with the nodes at `seeds`; `new_channel` makes the channel to one node."""
        self.owners: Final[list[Node | None]] = [None] * SLOTS
        self._seeds = list(seeds)
        self._dialer = dialer
        self._new_channel = new_channel
        self._times = times
        self._nodes: dict[Host, Node] = {}
        self._others: set[Host] = set()
        """Replicas, which can be asked as well."""
        self._silent: set[Host] = set()
        self._asking: asyncio.Task[None] | None = None
        self._asked_at: float | None = None
        self._error: CacheError | None = None
        """Why nobody could be asked the last time."""
        self._leaving: dict[Host, asyncio.Task[None]] = {}
        self._is_closed = False

    @property
    def primaries(self) -> list[Node]:
        """The nodes that have slots, each once."""
        return list({node.place: node for node in self.owners if node is not None}.values())

    @property
    def reachable_first(self) -> list[Node]:
        """The same, those last that were silent of late."""
        return sorted(self.primaries, key=lambda node: node.place in self._silent)

    def node_at(self, place: Host) -> Node:
        """Give the node at a place, which may be new; raise `StorageUnavailableError` after `close`."""
        if self._is_closed:
            raise StorageUnavailableError("the connection to Redis is closed")
        leaving = self._leaving.pop(place, None)
        if leaving is not None:
            leaving.cancel()
        node = self._nodes.get(place)
        if node is None:
            node = self._nodes[place] = Node(place, self._new_channel(place))
        return node

    def note_moved(self, slot: int, to: Host) -> None:
        """Know that a slot is at another place, and look around what else has changed."""
        self.owners[slot] = self.node_at(to)
        self.look_around()

    def note_silent(self, node: Node) -> None:
        """Know that a node cannot be reached, so that it is asked last."""
        self._silent.add(node.place)

    # --- asking ------------------------------------------------------------------------------------------------------

    def look_around(self) -> None:
        """Have the nodes asked, soon, without waiting."""
        if not self._is_closed:
            _ = self._look()

    def _look(self) -> "asyncio.Task[None]":
        """Give the task that asks; it ends without an error, whatever it meets."""
        loop = asyncio.get_running_loop()
        if self._asking is None or self._asking.done() or self._asking.get_loop() is not loop:
            self._asking = loop.create_task(self._ask_after_pause(), name="aiocache_kit looks at the cluster")
        return self._asking

    async def refresh(self) -> None:
        """Wait until the nodes were asked; whether one of them has answered is another matter."""
        if not self._is_closed:
            await asyncio.wait([self._look()])

    def check_known(self) -> None:
        """Raise why no owner of any slot is known, if so."""
        if not any(self.owners):
            raise anew(self._error or StorageUnavailableError("no node of the cluster has told who has the keys"))

    async def _ask_after_pause(self) -> None:
        if self._asked_at is not None:
            await asyncio.sleep(max(self._asked_at + spread(_PAUSE) - stopwatch(), 0.0))
        try:
            await self._ask_around()
        finally:
            self._asked_at = stopwatch()

    async def _ask_around(self) -> None:
        limit = max(self._times.connect / 2, _LEAST_ASKED)
        for place in self._candidates():
            try:
                reply: Any = await ask(self._dialer, place, (b"CLUSTER", b"SLOTS"), timeout=limit)
                if self._is_closed:  # redis-py, on Python 3.11, may swallow that it was cancelled
                    return
                shares = shares_in(reply, place)
            except Exception as error:  # noqa: BLE001  - mapped; whatever redis-py raises
                self._silent.add(place)
                self._error = failure(error)
                if _NO_CLUSTER in str(error.__cause__):
                    self._error = StorageError("the server is no node of a cluster: see redis_config.cluster")
                if is_final(self._error):
                    return
            else:
                self._silent.discard(place)
                if shares:
                    self._error = None
                    self._take(shares)
                    return
                self._error = StorageUnavailableError("the nodes of the cluster have no slots, or are no cluster")

    def _candidates(self) -> list[Host]:
        places = list({*self._nodes, *self._others, *self._seeds})
        _random.shuffle(places)
        return sorted(places, key=lambda place: place in self._silent)

    def _take(self, shares: Sequence[Share]) -> None:
        owners: list[Node | None] = [None] * SLOTS
        for share in shares:
            owners[share.first : share.last + 1] = [self.node_at(share.primary)] * (share.last + 1 - share.first)
        self.owners[:] = owners
        primaries = {share.primary for share in shares}
        self._others = {replica for share in shares for replica in share.replicas} - primaries
        self._silent &= primaries | self._others | set(self._seeds)
        for place, node in self._nodes.items():
            if place not in primaries and place not in self._leaving:
                self._leaving[place] = asyncio.create_task(self._leave(node), name="aiocache_kit leaves a node")

    async def _leave(self, node: Node) -> None:
        await asyncio.sleep(self._times.whole)
        del self._leaving[node.place]
        await self._nodes.pop(node.place).channel.close()

    # --- life --------------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Let go of all nodes; if that is cancelled, it goes on by itself."""
        self._is_closed = True
        tasks = {*self._leaving.values(), *([self._asking] if self._asking is not None else [])}
        for task in tasks:
            task.cancel()
        nodes = list(self._nodes.values())
        self._leaving.clear()
        self._nodes.clear()
        self.owners[:] = [None] * SLOTS
        tasks |= {asyncio.create_task(node.channel.close(), name="aiocache_kit leaves a node") for node in nodes}
        if tasks:
            await asyncio.wait(tasks)
