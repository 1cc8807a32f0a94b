"""Bringing items to where they belong, and away from where they do not, in the background and in small steps.

Rule 1: an item is copied from the owner that decides to one that lacks it, while its key is held and only where nothing
is; and taken back where the first one no longer has it afterwards. So what another process removes meanwhile does not
come back, unless its removals reach the two nodes further apart in time than the copying takes.
Rule 2: a node that is about to get keys which it did not own before is first rid of all keys that it does not own now:
it may have owned those long ago, and hold what was true then.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Final

from aiocache_kit.item import Item
from aiocache_kit.storage.base import IF_ABSENT, if_version
from aiocache_kit.storage.distributed.changes import Changes
from aiocache_kit.storage.distributed.member import Member, side_by_side
from aiocache_kit.storage.distributed.nodes import Nodes
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
                        await _copy(changes, wanted, source, member)
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


async def _copy(changes: Changes, keys: list[str], source: Member, target: Member) -> None:
    there = await target.call(partial(target.storage.read_multi, keys))
    items = await source.call(partial(source.storage.read_multi, [key for key in keys if key not in there]))
    copies = [changes.as_it_is(item) for item in items.values()]
    outcomes = await side_by_side([(target, partial(target.storage.write, copy, IF_ABSENT)) for copy in copies])
    written = [key for key, (done, error) in zip(items, outcomes, strict=True) if done or error is not None]
    after = await source.call(partial(source.storage.read_multi, written)) if written else {}
    for key in written:
        if key not in after or after[key].version != items[key].version:
            await _take_back(target, key, items[key])


async def _take_back(target: Member, key: str, item: Item[object]) -> None:
    """Remove the copy of `item`, but nothing that was written since."""
    copy = await target.call(partial(target.storage.read, key))
    if copy is not None and copy.created_at == item.created_at:
        await target.call(partial(target.storage.remove, key, if_version(copy.version)))


async def _next(keys: AsyncIterator[str]) -> str:
    return await anext(keys, _END)
