"""Bringing items to where they belong, and away from where they do not, in the background and in small steps.

Rule 1: an item is copied from the owner that decides to one that lacks it, while its key is held (`copying`).
Rule 2: a node that is about to get keys which it did not own before is first rid of all keys that it does not own now:
it may have owned those long ago, and hold what was true then.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Final

from aiocache_kit.storage.distributed.changes import Changes
from aiocache_kit.storage.distributed.copying import copy_missing
from aiocache_kit.storage.distributed.member import Member
from aiocache_kit.storage.distributed.nodes import RESERVED, Nodes
from aiocache_kit.storage.distributed.ring import Ring

STEP: Final = 100
"""Keys that are worked on at once."""
_END: Final = ""


async def batches(member: Member, prefix: str = "") -> AsyncGenerator[list[str]]:
    """Give the live keys of a node that begin with `prefix`, some at a time; `StorageError` where it fails."""
    keys = member.storage.scan(prefix)
    batch: list[str] = []
    try:
        while key := await member.call(partial(_next, keys)):
            if not key.startswith(RESERVED):
                batch.append(key)
            if len(batch) >= STEP:
                yield batch
                batch = []
        if batch:
            yield batch
    finally:
        if isinstance(keys, AsyncGenerator):
            await keys.aclose()


async def bring_copies(nodes: Nodes, changes: Changes, member: Member) -> AsyncGenerator[None]:
    """Copy to `member` what it lacks, from all other nodes that are in; stops for a moment after each step."""
    for source in [other for other in nodes.members.values() if other is not member and other.is_in]:
        async with aclosing(batches(source)) as found:
            async for batch in found:
                wanted = [key for key in batch if _is_to_copy(nodes, key, source, member)]
                if wanted:
                    async with changes.locks.hold(wanted):
                        await copy_missing(wanted, source, member, changes.clock())
                yield


async def purge(member: Member, ring: Ring, replicas: int) -> None:
    """Remove from `member` what it does not own on `ring`."""
    async with aclosing(batches(member)) as found:
        async for batch in found:
            foreign = [key for key in batch if member.name not in ring.owners(key, replicas)]
            if foreign:
                await member.call(partial(member.storage.remove_multi, foreign))


def _is_to_copy(nodes: Nodes, key: str, source: Member, target: Member) -> bool:
    owners: Sequence[Member] = nodes.owners(key)
    return target in owners and source.may_answer(key) and target.may_answer(key) and nodes.decider(key) is source


async def _next(keys: AsyncIterator[str]) -> str:
    return await anext(keys, _END)
