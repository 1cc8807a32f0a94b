"""`DistributedStorage`: items spread over nodes by consistent hashing, in one copy or several.

Rule 1: which nodes a key belongs to is told by the ring, from their names and weights alone (`ring`).
Rule 2: reads go to the first owner that answers (`reads`), changes to all owners (`changes`), and a node that misses a
change is not asked for what it missed until that was removed there (`missed`, `recovery`).
Rule 3: where all owners of a key are out, plain reads and writes raise, or are a miss and forgotten where the storage
was told so; what was to be written or removed is then removed when a node returns. Counters, leases, locks and
everything with a condition raise in either case.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import AsyncExitStack, aclosing
from functools import partial
from random import Random
from types import MappingProxyType

from aiocache_kit.errors import InvalidArgumentError, PartialFailureError, StorageError
from aiocache_kit.item import Item
from aiocache_kit.stats import Stats
from aiocache_kit.storage.base import ALWAYS, Capabilities, Condition, ConditionKind, Size, Storage
from aiocache_kit.storage.distributed.changes import Changes
from aiocache_kit.storage.distributed.generations import Generations
from aiocache_kit.storage.distributed.member import Member, Node, side_by_side, together
from aiocache_kit.storage.distributed.mending import batches
from aiocache_kit.storage.distributed.moves import Moves
from aiocache_kit.storage.distributed.nodes import Nodes, unavailable
from aiocache_kit.storage.distributed.reads import Plain, chunks, read, read_multi
from aiocache_kit.storage.distributed.recovery import Recovery
from aiocache_kit.storage.distributed.ring import VIRTUAL_NODES, Ring
from aiocache_kit.storage.distributed.settings import OnFailure, Settings
from aiocache_kit.storage.distributed.shared import in_common, inward, offered
from aiocache_kit.storage.errands import Errands
from aiocache_kit.storage.observer import Observer


class DistributedStorage(Storage):
    """Items on several nodes; each in `replicas` copies, on as many of them."""

    name = "distributed"

    def __init__(
        self,
        nodes: Iterable[Node],
        *,
        replicas: int = 1,
        virtual_nodes: int = VIRTUAL_NODES,
        ketama: bool = False,
        on_failure: OnFailure = "raise",
        timeout: float = 0.5,
        failures: int = 3,
        probe_after: float = 1.0,
        balance: float | None = None,
        random: Random | None = None,
    ) -> None:
        """Spread items over `nodes`, whose names differ.

        A node may take `timeout` seconds for an answer. It is left out after `failures` in a row, or once it answered
        nobody for all of that time; `probe_after` seconds later it is asked for a sign of life, and ever more seldom
        then, at least every 30 seconds. `balance`, above 1, spreads the reads of a key over its copies: none of their
        nodes gets more than that many times its fair share of what is under way; None: reads go to the first one.
        `random` spreads the times of asking. Raises `InvalidArgumentError` for what cannot be.
        """
        given = tuple(nodes)
        settings = Settings(
            replicas=replicas,
            virtual_nodes=virtual_nodes,
            ketama=ketama,
            on_failure=on_failure,
            timeout=timeout,
            failures=failures,
            probe_after=probe_after,
            balance=balance,
            random=random,
        )
        ring = Ring({node.name: node.weight for node in given}, virtual_nodes=virtual_nodes, ketama=ketama)
        if len(ring) < len(given):
            raise InvalidArgumentError("nodes must be of different names")
        if len(ring) < replicas:
            raise InvalidArgumentError(f"replicas must be at most the number of nodes, {len(ring)}, not {replicas}")
        self._degrades = settings.on_failure == "miss"
        self._errors = 0
        self._nodes = Nodes(ring, {node.name: settings.member(node, self._see_to) for node in given}, replicas, balance)
        self._errands = Errands()
        self._generations = Generations(self._nodes, lambda: self.clock)
        self._changes = Changes(self._nodes, self._errands, self._generations, lambda: self.clock)
        self._recovery = Recovery(self._nodes, self._changes, self._generations, lambda: self.clock)
        self._moves = Moves(self._nodes, self._recovery, self._generations, settings, lambda: self.clock)
        self._offer([member.storage.capabilities for member in self._nodes.members.values()])

    def _offer(self, all_of_them: list[Capabilities]) -> None:
        """Offer what all nodes can do, and say what any of them does."""
        self.capabilities = in_common(all_of_them)
        if all(member.storage.shortcuts is not None for member in self._nodes.members.values()):
            self.shortcuts = Plain(self._nodes, self._degrade)
        offers = offered(self.capabilities, self._nodes, self._changes, self._errands)
        self.leases, self.tags, self.locks, self.rates = offers

    def __repr__(self) -> str:
        members = self._nodes.members.values()
        return f"<DistributedStorage of {len(members)} nodes, {sum(member.is_in for member in members)} of them in>"

    def _see_to(self, member: Member) -> None:
        self._generations.note(member)
        self._recovery.see_to(member)

    # --- life --------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open all nodes, side by side; one that cannot be opened is out.

        Where none can be, raises what the first one raised, unless the storage degrades; and any error that is no
        `StorageError`.
        """
        members = list(self._nodes.members.values())
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._open(member)) for member in members]
        errors = [task.result() for task in tasks]
        may_go_on = None in errors or self._degrades
        for error in errors:
            if error is not None and not (may_go_on and isinstance(error, StorageError)):
                raise error
        self._recovery.is_open = True
        for member, error in zip(members, errors, strict=True):
            if error is not None:
                member.put_out()
        for member in await self._generations.begin(members):
            self._recovery.warm(member)

    async def _open(self, member: Member) -> Exception | None:
        member.storage.clock = member.patience.clock = self.clock
        if not member.is_open:
            try:
                await member.storage.open()
            except Exception as error:  # noqa: BLE001  - `open` looks at it
                return error
            member.is_open = True
        return None

    async def close(self) -> None:
        """End what is under way, then close all nodes, side by side; an error of one that is in is raised then.

        If that is cancelled, all of them are closed all the same.
        """
        async with AsyncExitStack() as ends:  # each of them comes, whatever happens to those before it
            ends.push_async_callback(self._close_nodes)
            ends.push_async_callback(self._recovery.close)
            ends.push_async_callback(self._errands.close)

    async def _close_nodes(self) -> None:
        members = self._nodes.members.values()
        closing = [asyncio.create_task(member.close(), name="aiocache_kit leaves a node") for member in members]
        await asyncio.wait(closing)
        for error in [task.result() for task in closing]:
            if error is not None:
                raise error

    async def size(self) -> Size:
        """Add up what all nodes hold that are in and know; of the items, copies are not counted, if all are there."""
        sizes = (await self._sizes()).values()
        total = together(sizes)
        return total._replace(items=-(-total.items // self._nodes.replicas), errors=total.errors + self._errors)

    async def layers(self) -> Mapping[str, Stats]:
        """Give what each node holds, by its name, with its share of the keys and its health."""
        sizes, shares = await self._sizes(), self._nodes.ring.shares()
        members = self._nodes.members.values()
        layers = {
            member.name: member.stats(sizes.get(member, Size(counted=False)), shares[member.name]) for member in members
        }
        return MappingProxyType(layers)

    def observe(self, observer: Observer) -> None:
        """Tell of each node, by its name."""
        super().observe(observer)
        self._nodes.observe(observer)

    async def _sizes(self) -> dict[Member, Size]:
        members = self._nodes.live()
        outcomes = await side_by_side([(member, member.storage.size) for member in members])
        return {member: size for member, (size, _) in zip(members, outcomes, strict=True) if size is not None}

    async def tidy(self) -> None:
        """Let all nodes tidy that are in, and remove what lies where it no longer belongs."""
        await side_by_side([(member, member.storage.tidy) for member in self._nodes.live()])
        await self._moves.tidy()
        await self._generations.look()

    async def sync(self) -> None:
        """Let all nodes write out that are in; raises the first error."""
        for _, error in await side_by_side([(member, member.storage.sync) for member in self._nodes.live()]):
            if error is not None:
                raise error

    async def ping(self) -> None:
        """Return where every key has an owner that answered; raise `StorageUnavailableError` otherwise."""
        members = list(self._nodes.members.values())
        live = self._nodes.live()
        outcomes = await side_by_side([(member, member.storage.ping) for member in live])
        well = [member for member, (_, error) in zip(live, outcomes, strict=True) if error is None]
        if not self._nodes.are_enough([member for member in members if member not in well]):
            raise unavailable()

    # --- the ring ----------------------------------------------------------------------------------------------------

    async def add_node(self, node: Node) -> None:
        """Add a node, which takes its share of keys from all others; nothing else moves.

        It is opened and cleared first. With one copy of each item those that move are misses; with several the other
        nodes have them. Raises `InvalidArgumentError` for a name that is taken and a storage that offers less than all
        others, and `StorageError` where it cannot be opened or cleared; nothing has changed then.
        """
        await self._moves.add(node)

    async def remove_node(self, name: str) -> None:
        """Remove the node `name`, whose keys all others take; nothing else moves. Then it is cleared and closed.

        All others are searched for items that they do not own first, which takes a while where there are many. Raises
        `InvalidArgumentError` where there is no such node, or too few would be left.
        """
        await self._moves.remove(name)

    async def set_weight(self, name: str, weight: float) -> None:
        """Give the node `name` another weight; only its share grows or shrinks. Otherwise as `remove_node`."""
        await self._moves.set_weight(name, weight)

    # --- one key -----------------------------------------------------------------------------------------------------

    async def read(self, key: str) -> Item[object] | None:
        """Give the item under `key` from the first owner that answers."""
        try:
            return await read(self._nodes, key)
        except StorageError as error:
            self._degrade(error)
            return None

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Store `item` at all owners if `condition` holds, which one of them decides."""
        if condition.kind is ConditionKind.ALWAYS:
            try:
                return await self._changes.everywhere(item.key, lambda storage: storage.write(item))
            except StorageError as error:
                self._degrade(error)
                return False

        async def decide(member: Member) -> bool:
            own = self._own(member, item.key, condition)
            return own is not None and await member.call(partial(member.storage.write, item, own))

        return await self._changes.decided(item.key, decide, lambda other, _: other.storage.write(item))

    async def remove(self, key: str, condition: Condition = ALWAYS) -> bool:
        """Remove the item under `key` from all owners if `condition` holds, which one of them decides."""
        if condition.kind is ConditionKind.ALWAYS:
            try:
                return await self._changes.everywhere(key, lambda storage: storage.remove(key))
            except StorageError as error:
                self._degrade(error)
                return False

        async def decide(member: Member) -> bool:
            own = self._own(member, key, condition)
            return own is not None and await member.call(partial(member.storage.remove, key, own))

        return await self._changes.decided(key, decide, lambda other, _: other.storage.remove(key))

    async def increment(self, item: Item[int], delta: int) -> int:
        """Count at the owner that decides, and then at the others."""
        return await self._changes.counted(item, delta)

    async def touch(self, item: Item[None]) -> bool:
        """Move the end at the owner that decides, and then at the others."""
        return await self._changes.decided(
            item.key,
            lambda member: member.call(partial(member.storage.touch, item)),
            lambda other, _: other.storage.touch(item),
        )

    async def expire(self, key: str) -> bool:
        """Expire at the owner that decides, and then at the others."""
        return await self._changes.decided(
            key,
            lambda member: member.call(partial(member.storage.expire, key)),
            lambda other, _: other.storage.expire(key),
        )

    def _own(self, member: Member, key: str, condition: Condition) -> Condition | None:
        """Give a condition as `member` understands it; None where it cannot hold there."""
        if condition.kind is ConditionKind.VERSION:
            version = member.inward(condition.version)
            if version is None:
                self._nodes.keep_steady(key)
                return None
            return condition._replace(version=version)
        if condition.kind is ConditionKind.LEASE:
            lease = inward(member, condition.lease)
            return None if lease is None else condition._replace(lease=lease)
        return condition

    def _degrade(self, error: StorageError) -> None:
        """Count an error that is answered by a miss; raise it where the storage does not degrade."""
        if not self._degrades:
            raise error
        self._errors += 1

    # --- many keys ---------------------------------------------------------------------------------------------------

    async def read_multi(self, keys: Collection[str]) -> dict[str, Item[object]]:
        """Give the items under `keys`, in one call a node, side by side; from the next owners where a node fails.

        Raises `PartialFailureError`, which has what was found and names the others, where all owners of a key failed.
        """
        found: dict[str, Item[object]] = {}
        failed: set[str] = set()
        for chunk in chunks(keys):
            some, lost = await read_multi(self._nodes, chunk)
            found |= some
            failed |= lost
        self._fail_in_part(found, failed)
        return found

    async def write_multi(self, items: Iterable[Item[object]]) -> None:
        """Store each item at all of its owners; `PartialFailureError` names the keys that no owner stored."""
        failed: set[str] = set()
        for chunk in chunks(items):
            failed |= await self._write_some({item.key: item for item in chunk})
        self._fail_in_part({}, failed)

    async def _write_some(self, items: Mapping[str, Item[object]]) -> set[str]:
        async def write(storage: Storage, keys: list[str]) -> None:
            await storage.write_multi([items[key] for key in keys])

        _, lost = await self._changes.many(items, write)
        return lost

    async def remove_multi(self, keys: Iterable[str]) -> int:
        """Remove each key from all of its owners; `PartialFailureError` names those that no owner removed."""
        count = 0
        failed: set[str] = set()
        for chunk in chunks(keys):
            counts, lost = await self._changes.many(
                dict.fromkeys(chunk), lambda storage, some: storage.remove_multi(some)
            )
            count += sum(counts)
            failed |= lost
        self._fail_in_part({}, failed)
        return count

    def _fail_in_part(self, found: dict[str, Item[object]], failed: set[str]) -> None:
        if failed:
            self._degrade(PartialFailureError(found, failed))

    # --- all keys ----------------------------------------------------------------------------------------------------

    async def clear(self, prefix: str = "") -> None:
        """Clear all nodes; one that does not do it is out until it has."""
        error = await self._changes.on_all_members(
            lambda member: member.storage.clear(prefix), lambda member: member.miss_clear(prefix)
        )
        if not prefix:
            await self._generations.after_clear()
        if error is not None:
            self._degrade(error)

    async def scan(self, prefix: str = "") -> AsyncIterator[str]:
        """Give each key from the owner that decides; raises where some keys have no owner that is in."""
        members = list(self._nodes.members.values())
        if not self._nodes.are_enough([member for member in members if not member.is_in]):
            self._degrade(unavailable())
        for member in members:
            if not member.is_in:
                continue
            try:
                async with aclosing(batches(member, prefix)) as found:
                    async for batch in found:
                        for key in batch:
                            if self._is_first(member, key):
                                yield key
            except StorageError as error:
                self._degrade(error)

    def _is_first(self, member: Member, key: str) -> bool:
        for owner in self._nodes.owners(key):
            if owner.may_answer(key):
                return owner is member
        return False
