"""Adding and removing nodes and changing weights, while everybody goes on.

Rule 1: one change of the ring at a time, and each is made in one step, after everything that may fail.
Rule 2: only the keys that move are touched by it: with one copy they are misses at their new node, with several the
other owners have them, and the new one gets copies in the background.
Rule 3: whoever gets keys that it did not own just before holds nothing under them. A node that is added is cleared
first, and one that is there is rid of what it does not own; where that fails, all that it holds is given up. So what
was removed does not come back, whichever way nodes come and go.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from aiocache_kit.clock import Clock
from aiocache_kit.errors import InvalidArgumentError, StorageError
from aiocache_kit.storage.distributed.generations import Generations
from aiocache_kit.storage.distributed.member import Member, Node
from aiocache_kit.storage.distributed.mending import purge
from aiocache_kit.storage.distributed.nodes import Nodes
from aiocache_kit.storage.distributed.recovery import Recovery
from aiocache_kit.storage.distributed.ring import Ring
from aiocache_kit.storage.distributed.settings import Settings

_PATIENCE: Final = 10
"""How many times as long as other calls a node that leaves may take to clear itself."""


class Moves:
    """The changes of one storage's ring."""

    __slots__ = ("_clock", "_generations", "_has_orphans", "_nodes", "_recovery", "_settings", "_turn")

    def __init__(
        self,
        nodes: Nodes,
        recovery: Recovery,
        generations: Generations,
        settings: Settings,
        clock: Callable[[], Clock],
    ) -> None:
        """Change the ring of `nodes`."""
        self._generations = generations
        self._nodes = nodes
        self._recovery = recovery
        self._settings = settings
        self._clock = clock
        self._turn = asyncio.Lock()
        self._has_orphans = False
        """Whether items may lie where they do not belong: out of reach, but taking up room."""

    async def add(self, node: Node) -> None:
        """Open and clear a new node, then let it take its share."""
        async with self._turn:
            ring = self._nodes.ring
            if node.name in ring:
                raise InvalidArgumentError("name of a node must be a new one: there is a node of that name")
            larger = ring.with_weight(node.name, node.weight)
            member = self._settings.member(node, self._see_to)
            self._check(member)
            try:
                await self._begin(member)
                if ring.ketama:  # there, adding one may move keys between others
                    await self._rid(list(self._nodes.members.values()))
            except BaseException:
                self._generations.forget(member)
                await _let_go(member)
                raise
            self._nodes.welcome(member)
            self._change(larger, gaining=[member])

    async def remove(self, name: str) -> None:
        """Let all others take the share of a node, then clear and close it; a node that fails then is closed only."""
        async with self._turn:
            smaller = self._nodes.ring.without(name)
            if len(smaller) < self._nodes.replicas:
                raise InvalidArgumentError(
                    "name must not be that of a node without which there are too few for replicas"
                )
            leaving = self._nodes.members[name]
            rest = [member for member in self._nodes.members.values() if member is not leaving]
            await self._rid(rest)
            self._change(smaller, gaining=rest)
            del self._nodes.members[name]
            self._generations.forget(leaving)
            try:
                await self._recovery.leave(leaving)
                await leaving.finish()
                await self._clear(leaving)
            finally:
                await _let_go(leaving)

    async def set_weight(self, name: str, weight: float) -> None:
        """Let a node take more from the others, or give more to them."""
        async with self._turn:
            ring = self._nodes.ring
            if name not in ring:
                raise InvalidArgumentError("name must be that of a node, and there is none of that name")
            changed = ring.with_weight(name, weight)
            members = self._nodes.members
            others = [member for member in members.values() if member.name != name]
            gaining = [members[name]] if weight > ring.weights[name] else others
            await self._rid(list(members.values()) if ring.ketama else gaining)
            self._change(changed, gaining=gaining)

    async def tidy(self) -> None:
        """Remove what lies where it no longer belongs; the next time again where a node fails."""
        if not self._has_orphans:
            return
        async with self._turn:
            self._has_orphans = False
            for member in self._nodes.members.values():
                try:
                    if member.is_in:
                        await purge(member, self._nodes.ring, self._nodes.replicas)
                except StorageError:
                    self._has_orphans = True

    def _check(self, member: Member) -> None:
        """Refuse a node without something that all others offer, and the storage therefore does."""
        for name in ("leases", "locks", "shortcuts", "tags"):
            others = self._nodes.members.values()
            if getattr(member.storage, name) is None and all(getattr(other.storage, name) for other in others):
                raise InvalidArgumentError(f"storage of a new node must have {name}, as those of all other nodes do")

    async def _begin(self, member: Member) -> None:
        member.storage.clock = member.patience.clock = self._clock()
        await member.storage.open()
        await member.storage.clear()
        member.is_open = True
        await self._generations.begin([member])

    async def _clear(self, member: Member) -> None:
        try:
            if member.is_in:
                await member.patience.within(member.storage.clear, times=_PATIENCE)
        except (StorageError, TimeoutError):
            pass  # whoever adds the node again clears it first

    async def _rid(self, members: list[Member]) -> None:
        """Rid `members` of what they do not own, so that they can be given other keys."""
        for member in members:
            try:
                if member.is_in:
                    await purge(member, self._nodes.ring, self._nodes.replicas)
                    continue
            except StorageError:
                pass
            member.miss_everything()

    def _see_to(self, member: Member) -> None:
        self._generations.note(member)
        self._recovery.see_to(member)

    def _change(self, ring: Ring, gaining: list[Member]) -> None:
        self._nodes.place(ring)
        self._has_orphans = True
        if self._nodes.replicas == 1:
            return
        for member in gaining:
            member.lacks_copies = True
            member.is_cold = member.is_cold or len(gaining) == 1  # where all lack something, their order stays
            self._recovery.see_to(member)
        self._nodes.note_cold()


async def _let_go(member: Member) -> None:
    """Close a node that is none of the storage's, or none any more."""
    try:
        await member.patience.close()
    finally:
        await member.storage.close()
