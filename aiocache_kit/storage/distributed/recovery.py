"""Nursing a node: from its first failure until it can be trusted like any other.

Rule 1: one task a node, and only while there is something to do for it.
Rule 2: a node that is out is asked for a sign of life, ever more seldom. Once it gives one, all that it has missed is
removed there before anybody else asks it; what is missed meanwhile is removed too.
Rule 3: then it is in again, and cold: of several owners the others are asked first until it has got copies of what it
lacks.
Rule 4: a node that is in and missed single keys gets them from another owner, or has them removed where there is none,
at once, and again and again until that works.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import aclosing
from functools import partial
from itertools import islice
from typing import Final

from aiocache_kit.clock import Clock
from aiocache_kit.storage.distributed.changes import Changes
from aiocache_kit.storage.distributed.copying import copy_anew
from aiocache_kit.storage.distributed.generations import Generations
from aiocache_kit.storage.distributed.member import Member
from aiocache_kit.storage.distributed.mending import STEP, bring_copies
from aiocache_kit.storage.distributed.missed import Gaps
from aiocache_kit.storage.distributed.nodes import Nodes

_PAUSE: Final = 0.1
"""Seconds between two tries at a node that is in."""


class Recovery:
    """The nurses of one storage."""

    __slots__ = ("_changes", "_clock", "_generations", "_nodes", "_nurses", "is_open")

    def __init__(self, nodes: Nodes, changes: Changes, generations: Generations, clock: Callable[[], Clock]) -> None:
        """Nurse the members of `nodes`."""
        self._nodes = nodes
        self._changes = changes
        self._clock = clock
        self._generations = generations
        self._nurses: dict[Member, asyncio.Task[None]] = {}
        self.is_open: bool = False

    def see_to(self, member: Member) -> None:
        """Do what is to be done for `member`, in the background."""
        nurse = self._nurses.get(member)
        if self.is_open and (nurse is None or nurse.done()):
            name = "aiocache_kit nurse"
            self._nurses[member] = asyncio.create_task(self._nurse(member), name=name)  # ends by itself, or in `leave`

    def warm(self, member: Member) -> None:
        """Ask other owners first until `member` has copies of what they have."""
        if self._nodes.replicas > 1:
            member.is_cold = member.lacks_copies = True
            self._nodes.note_cold()
            self.see_to(member)

    async def leave(self, member: Member) -> None:
        """Do nothing more for `member`."""
        nurse = self._nurses.pop(member, None)
        if nurse is not None:
            nurse.cancel()
            await asyncio.wait([nurse])

    async def close(self) -> None:
        """End all nurses."""
        self.is_open = False
        nurses, self._nurses = list(self._nurses.values()), {}
        for nurse in nurses:
            nurse.cancel()
        if nurses:
            await asyncio.wait(nurses)

    async def _nurse(self, member: Member) -> None:
        while True:
            if not member.is_in:
                await self._clock().sleep(member.breaker.retry_after(self._clock().monotonic()))
                await self._try_to_let_in(member)
                continue
            try:
                if member.missed:
                    await self._make_up(member)
                elif member.lacks_copies:
                    await self._mend(member)
                elif self._generations.has_marked(member):
                    await self._generations.settle(member)
                else:
                    return
            except Exception:  # noqa: BLE001  - whatever it is, the node has to be tried again
                await self._clock().sleep(_PAUSE)

    async def _try_to_let_in(self, member: Member) -> None:
        clock = self._clock()
        if not member.breaker.allows(clock.monotonic()):
            return
        try:
            await self._prepare(member)
        except asyncio.CancelledError:
            member.breaker.abandoned(clock.monotonic())
            raise
        except Exception:  # noqa: BLE001  - whatever it is, the node is not fit
            member.breaker.failed(clock.monotonic())
        else:
            member.breaker.succeeded(clock.monotonic())
            member.is_in = True
            self.warm(member)

    async def _prepare(self, member: Member) -> None:
        """Make sure that a node answers and holds nothing that it should not; from the last look on nobody waits."""
        if not member.is_open:
            await member.storage.open()
            member.is_open = True
        await member.patience.within(member.storage.ping)
        await self._generations.check(member)
        while member.missed:
            gaps = member.missed.take()
            try:
                await self._remove(member, gaps)
            except BaseException:
                member.missed.put_back()
                raise
            member.missed.done()

    async def _remove(self, member: Member, gaps: Gaps) -> None:
        storage = member.storage
        if gaps.everything:
            await storage.clear()
            await self._generations.renew(member)
            return
        for prefix in gaps.prefixes:
            await storage.clear(prefix)
        if gaps.tags and storage.tags is not None:
            await storage.tags.invalidate(tuple(gaps.tags))
        keys = iter(gaps.keys)
        while batch := list(islice(keys, STEP)):
            await member.patience.within(partial(storage.remove_multi, batch))

    async def _make_up(self, member: Member) -> None:
        """Bring a node that is in what it has missed, or remove it where nobody has it, while nobody changes it."""
        keys = member.missed.some(STEP)
        async with self._changes.locks.hold(keys):
            gaps = member.missed.take(keys)
            try:
                for source, some in self._sources(member, gaps.keys).items():
                    if source is None:
                        await member.call(partial(member.storage.remove_multi, some))
                    else:
                        await copy_anew(some, source, member, self._clock())
            except BaseException:
                member.missed.put_back()
                raise
            member.missed.done()

    def _sources(self, member: Member, keys: Iterable[str]) -> dict[Member | None, list[str]]:
        """Divide keys by the owner to copy them from; None where there is none."""
        sources: dict[Member | None, list[str]] = {}
        for key in keys:
            owners = self._nodes.owners(key)
            source = next((owner for owner in owners if owner is not member and owner.may_answer(key)), None)
            sources.setdefault(source if member in owners else None, []).append(key)
        return sources

    async def _mend(self, member: Member) -> None:
        """Bring `member` what it lacks; what comes in between comes first, and this begins again afterwards."""
        async with aclosing(bring_copies(self._nodes, self._changes, member)) as steps:
            async for _ in steps:
                if member.missed or not member.is_in:
                    return
        member.is_cold = member.lacks_copies = False
        self._nodes.note_cold()
