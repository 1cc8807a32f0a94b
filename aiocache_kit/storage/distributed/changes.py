"""Changing: all owners of a key get a change, and one that does not is known to have missed it.

Rule 1: a change that needs no condition goes to all owners side by side, and is done where one of them did it.
Rule 2: one with a condition is decided by one owner, the one that is also read first (`Nodes.decider`); the others then
get it without the condition. Where that owner fails, nobody knows whether it was decided, so the error is raised.
Rule 3: an owner that is out, or fails, has missed the key from that moment on; one that did it has not.
Rule 4: with several copies a change holds its key, so that all owners get the changes of this process in one order, and
goes on to its end when its caller is cancelled. With one copy neither is needed, but where something was missed.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable
from functools import partial
from typing import TypeVar, cast

from aiocache_kit.clock import Clock
from aiocache_kit.errors import CacheError, StorageError
from aiocache_kit.item import Item
from aiocache_kit.management.key_locks import KeyLock, KeyLocks
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.distributed.copying import copy_anew
from aiocache_kit.storage.distributed.generations import Generations
from aiocache_kit.storage.distributed.member import Member, side_by_side
from aiocache_kit.storage.distributed.nodes import Nodes, unavailable
from aiocache_kit.storage.errands import Errands

T = TypeVar("T")


class Changes:
    """The changes of one storage."""

    __slots__ = ("_errands", "_generations", "_nodes", "clock", "locks")

    def __init__(self, nodes: Nodes, errands: Errands, generations: Generations, clock: Callable[[], Clock]) -> None:
        """Change what `nodes` hold."""
        self._generations = generations
        self._nodes = nodes
        self._errands = errands
        self.clock = clock
        self.locks = KeyLocks(KeyLock)

    async def everywhere(self, key: str, act: Callable[[Storage], Awaitable[T]]) -> T:
        """Do `act` at all owners of `key`, and give what the first of them said.

        Raises the first error where none of them did it, or where one refused it; then it is undone, as far as it was
        done elsewhere, by removing the item there.
        """
        return await self._held((key,), partial(self._everywhere, key, act))

    async def decided(
        self, key: str, act: Callable[[Member], Awaitable[T]], follow: Callable[[Member, T], Awaitable[object]]
    ) -> T:
        """Let one owner of `key` decide by `act`, and the others do `follow` if what it gave is true or a number.

        Raises what `act` raises, and `StorageUnavailableError` where all owners are out.
        """
        return await self._held((key,), partial(self._decided, key, act, follow))

    async def on_all_members(
        self, act: Callable[[Member], Awaitable[object]], note: Callable[[Member], None]
    ) -> StorageError | None:
        """Do `act` at every node; `note` what those have missed that did not do it.

        Gives an error where there may be keys without any owner that did it.
        """
        return await self._errands.run(self._told(partial(self._on_all_members, act, note)))

    async def many(
        self, keys: Collection[str], call: Callable[[Storage, list[str]], Awaitable[T]]
    ) -> tuple[list[T], set[str]]:
        """Do `call` for the keys of each node: in one call for those that are its own first, and in one for copies.

        Gives what the first owners that are in said, and the keys that no owner did it for. Raises what the first that
        refused it raised.
        """
        return await self._held(keys, partial(self._many, keys, call))

    # --- one key -----------------------------------------------------------------------------------------------------

    def _must_hold(self, keys: Collection[str]) -> bool:
        return self._nodes.replicas > 1 or any(
            member.missed for key in keys for member in self._nodes.owners(key) if member.missed
        )

    async def _held(self, keys: Collection[str], change: Callable[[], Awaitable[T]]) -> T:
        if not self._must_hold(keys):
            return await self._told(change)

        async def hold() -> T:
            async with self.locks.hold(keys):
                return await self._told(change)

        return await self._errands.run(hold())

    async def _told(self, change: Callable[[], Awaitable[T]]) -> T:
        """Do a change, and tell of the nodes that missed it before it is over."""
        try:
            result = await change()
        except Exception:
            if self._generations.has_to_mark:
                await self._generations.mark()
            raise
        if self._generations.has_to_mark:
            await self._generations.mark()
        return result

    async def _everywhere(self, key: str, act: Callable[[Storage], Awaitable[T]]) -> T:
        live = self._live(key, self._nodes.owners(key))
        if not live:
            raise unavailable()
        outcomes = await side_by_side([(member, partial(act, member.storage)) for member in live])
        failed = [error for _, error in outcomes if error is not None]
        refused = [error for error in failed if _is_refusal(error)]
        for member, (_, error) in zip(live, outcomes, strict=True):
            if error is None and not refused:
                member.missed.drop((key,))
            elif error is None or error not in refused:
                member.miss(key)
        if refused or len(failed) == len(live):
            raise (refused or failed)[0]
        return next(cast("T", result) for result, error in outcomes if error is None)

    def _live(self, key: str, owners: Iterable[Member]) -> list[Member]:
        """Give the owners that are in, and note what the others miss."""
        live: list[Member] = []
        for member in owners:
            if member.is_in:
                live.append(member)
            else:
                member.miss(key)
        return live

    async def _decided(
        self, key: str, act: Callable[[Member], Awaitable[T]], follow: Callable[[Member, T], Awaitable[object]]
    ) -> T:
        decider = self._nodes.decider(key)
        try:
            if not decider.may_answer(key):
                await decider.call(partial(decider.storage.remove, key))
                decider.missed.drop((key,))
            result = await act(decider)
        except Exception as error:
            if not _is_refusal(error):
                decider.miss(key)
            raise
        is_no = result is False
        if not is_no:
            await self._follow(key, decider, lambda member: follow(member, result))
        return result

    async def _follow(self, key: str, decider: Member, follow: Callable[[Member], Awaitable[object]]) -> None:
        """Bring a change that `decider` made to the other owners; errors are theirs, and never the caller's."""
        others = self._live(key, [member for member in self._nodes.owners(key) if member is not decider])
        outcomes = await side_by_side([(member, partial(follow, member)) for member in others])
        for member, (_, error) in zip(others, outcomes, strict=True):
            if error is None:
                member.missed.drop((key,))
            else:
                member.miss(key)

    async def counted(self, item: Item[int], delta: int) -> int:
        """Add `delta` at the owner that decides, then at the others; one that has another sum gets the item anew."""
        key = item.key
        deciders: list[Member] = []

        async def count(member: Member) -> int:
            deciders.append(member)
            return await member.call(partial(member.storage.increment, item, delta))

        async def follow(member: Member, total: int) -> None:
            if await member.storage.increment(item, delta) != total:
                await copy_anew((key,), deciders[-1], member, self.clock())

        return await self.decided(key, count, follow)

    # --- many keys ---------------------------------------------------------------------------------------------------

    async def _many(
        self, keys: Collection[str], call: Callable[[Storage, list[str]], Awaitable[T]]
    ) -> tuple[list[T], set[str]]:
        groups: dict[tuple[Member, bool], list[str]] = {}
        for key in keys:
            for place, member in enumerate(self._live(key, self._nodes.owners(key))):
                groups.setdefault((member, place == 0), []).append(key)
        calls = [(member, partial(call, member.storage, group)) for (member, _), group in groups.items()]
        outcomes = await side_by_side(calls)
        refused = [error for _, error in outcomes if error is not None and _is_refusal(error)]
        said: list[T] = []
        done: set[str] = set()
        for ((member, is_first), group), (result, error) in zip(groups.items(), outcomes, strict=True):
            if error is None:
                done.update(group)
                member.missed.drop(group)
                if is_first:
                    said.append(cast("T", result))
            if (error is not None and error not in refused) or (refused and not is_first):
                member.miss_many(group)  # after a refusal nobody knows what was done: one copy may stay
        if refused:
            raise refused[0]
        return said, set(keys) - done

    # --- all nodes ---------------------------------------------------------------------------------------------------

    async def _on_all_members(
        self, act: Callable[[Member], Awaitable[object]], note: Callable[[Member], None]
    ) -> StorageError | None:
        live = [member for member in self._nodes.members.values() if member.is_in]
        failed = [member for member in self._nodes.members.values() if not member.is_in]
        for member in failed:
            note(member)
        outcomes = await side_by_side([(member, partial(act, member)) for member in live])
        cause: Exception | None = None
        for member, (_, error) in zip(live, outcomes, strict=True):
            if error is not None:
                note(member)
                failed.append(member)
                cause = error
        if self._nodes.are_enough(failed):
            return None
        failure = unavailable()
        failure.__cause__ = cause
        return failure


def _is_refusal(error: Exception) -> bool:
    """Whether a node answered that it will not do it, so that nothing has changed there."""
    return isinstance(error, CacheError) and not isinstance(error, StorageError)
