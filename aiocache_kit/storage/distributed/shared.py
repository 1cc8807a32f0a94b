"""What nodes offer for the sake of other processes, offered by all of them together: leases, tags, locks and rates.

Rule 1: a lease is given by the owner that decides about the key, and holds nowhere else: where another one decides by
the time of writing, the write is refused, and the loaded value is not kept.
Rule 2: tags are invalidated on all nodes; one that does not do it is out until it has.
Rule 3: a lock is given by the first owner of its name, and by no other one: while that one is out nobody gets it, since
two nodes could give it to two. A lock is lost where its node loses it, or where it belongs to another node from now on.
Rule 4: so it is with the bucket of a rate limit; one that belongs to another node from now on is full there.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial

from aiocache_kit.management.rate_limit import Rate, RateDecision
from aiocache_kit.storage.agreements import SharedLocks, SharedRates
from aiocache_kit.storage.base import ELSEWHERE, Capabilities, Grant, Leases, SharedTags
from aiocache_kit.storage.distributed.changes import Changes
from aiocache_kit.storage.distributed.member import Member, side_by_side
from aiocache_kit.storage.distributed.nodes import Nodes, unavailable
from aiocache_kit.storage.errands import Errands


def _leases(member: Member) -> Leases:
    assert member.storage.leases is not None  # noqa: S101  - all nodes have them, or the storage offers none
    return member.storage.leases


def _locks(member: Member) -> SharedLocks:
    assert member.storage.locks is not None  # noqa: S101  - as above
    return member.storage.locks


def _tags(member: Member) -> SharedTags:
    assert member.storage.tags is not None  # noqa: S101  - as above
    return member.storage.tags


def in_common(each_one: Sequence[Capabilities]) -> Capabilities:
    """Give what a storage can do whose nodes can do these: what all can, and what has to be reckoned with in any."""
    return Capabilities(
        stores=any(each.stores for each in each_one),
        shared=any(each.shared for each in each_one),
        persistent=any(each.persistent for each in each_one),
        by_reference=any(each.by_reference for each in each_one),
        leases=all(each.leases for each in each_one),
        tags=all(each.tags for each in each_one),
        locks=all(each.locks for each in each_one),
        rates=all(each.rates for each in each_one),
        bounded=all(each.bounded for each in each_one),
    )


def offered(
    capabilities: Capabilities, nodes: Nodes, changes: Changes, errands: Errands
) -> "tuple[Leases | None, SharedTags | None, SharedLocks | None, SharedRates | None]":
    """Give what is offered by nodes that have these in common."""
    return (
        DistributedLeases(nodes, errands) if capabilities.leases else None,
        DistributedTags(changes) if capabilities.tags else None,
        DistributedLocks(nodes) if capabilities.locks else None,
        DistributedRates(nodes) if capabilities.rates else None,
    )


class DistributedLeases(Leases):
    """Leases of the nodes that decide."""

    def __init__(self, nodes: Nodes, errands: Errands) -> None:
        """Ask `nodes`; what nobody waits for any more is one of `errands`."""
        self._nodes = nodes
        self._errands = errands
        self.ttl = min(_leases(member).ttl for member in nodes.members.values())

    async def take(self, keys: Collection[str], tags: tuple[str, ...] = (), *, anew: bool = False) -> dict[str, Grant]:
        """Ask the nodes that decide, side by side; raises where one of them cannot be reached.

        What the others gave is given back then, and so it is where the caller is cancelled. A node that missed a change
        of a key is not asked for it: it may hold what was removed, and has to get rid of that.
        """
        groups: dict[Member, list[str]] = {}
        grants: dict[str, Grant] = {}
        for key in keys:
            member = self._nodes.decider(key)
            if member.may_answer(key):
                groups.setdefault(member, []).append(key)
            else:
                grants[key] = ELSEWHERE
        given: dict[Member, dict[str, Grant]] = {}

        async def ask(member: Member, group: list[str]) -> None:
            given[member] = await _leases(member).take(group, tags, anew=anew)

        try:
            await _all_of([(member, partial(ask, member, group)) for member, group in groups.items()])
        except BaseException:
            await self._errands.run(_give_back(given))
            raise
        for member, some in given.items():
            for key, grant in some.items():
                grants[key] = _outward(member, grant)
        return grants

    async def extend(self, key: str, lease: str) -> bool:
        """Extend where it was given, if that is still where the key is decided."""
        member = self._nodes.decider(key)
        own = inward(member, lease)
        return own is not None and await member.call(partial(_leases(member).extend, key, own))

    async def drop(self, key: str, lease: str) -> None:
        """End it where it was given; it ends by itself where that cannot be reached."""
        for member in self._nodes.owners(key):
            own = inward(member, lease)
            if own is not None and member.is_in:
                await member.call(partial(_leases(member).drop, key, own))


class DistributedTags(SharedTags):
    """Tags that all nodes heed."""

    def __init__(self, changes: Changes) -> None:
        """Invalidate by `changes`."""
        self._changes = changes

    async def invalidate(self, tags: Collection[str]) -> None:
        """Invalidate on all nodes; raises where there may be keys without any owner that did it."""
        error = await self._changes.on_all_members(
            lambda member: _tags(member).invalidate(tags), lambda member: member.miss_tags(tags)
        )
        if error is not None:
            raise error


class DistributedLocks(SharedLocks):
    """Locks of the first owners of their names."""

    def __init__(self, nodes: Nodes) -> None:
        """Ask `nodes`."""
        self._nodes = nodes

    async def acquire(self, name: str, token: str, ttl: float) -> int | None:
        """Take the lock of the node that it belongs to."""
        member = _home(self._nodes, name)
        return await member.call(partial(_locks(member).acquire, name, token, ttl))

    async def extend(self, name: str, token: str, ttl: float) -> bool:
        """Extend it there."""
        member = _home(self._nodes, name)
        return await member.call(partial(_locks(member).extend, name, token, ttl))

    async def release(self, name: str, token: str) -> bool:
        """Release it there."""
        member = _home(self._nodes, name)
        return await member.call(partial(_locks(member).release, name, token))


class DistributedRates(SharedRates):
    """Buckets of the first owners of their names."""

    def __init__(self, nodes: Nodes) -> None:
        """Ask `nodes`."""
        self._nodes = nodes

    async def take(self, name: str, rate: Rate, tokens: int, patience: int) -> RateDecision:
        """Take from the bucket of the node that it belongs to."""
        member = _home(self._nodes, name)
        assert member.storage.rates is not None  # noqa: S101  - as above
        return await member.call(partial(member.storage.rates.take, name, rate, tokens, patience))


def _home(nodes: Nodes, name: str) -> Member:
    member = nodes.members[nodes.ring.owners(name)[0]]
    if not member.is_in:
        raise unavailable()
    return member


async def _all_of(calls: Sequence[tuple[Member, Callable[[], Awaitable[None]]]]) -> None:
    """Make calls side by side, and raise the first error when all of them have ended."""
    for _, error in await side_by_side(calls):
        if error is not None:
            raise error


async def _give_back(given: Mapping[Member, Mapping[str, Grant]]) -> None:
    """End leases that nobody will load under; those of a node that fails now end by themselves."""
    await side_by_side(
        [
            (member, partial(_leases(member).drop, key, grant.lease))
            for member, grants in given.items()
            for key, grant in grants.items()
            if grant.lease
        ]
    )


def _outward(member: Member, grant: Grant) -> Grant:
    """Give what `member` granted as it is known outside, where leases and versions are no other node's."""
    if grant.item is not None:
        return Grant(item=member.outward(grant.item))
    return Grant(lease=f"{member.tag:08x}{grant.lease}") if grant.lease else ELSEWHERE


def inward(member: Member, lease: str) -> str | None:
    """Give the node's own lease; None where it is another node's."""
    mark = f"{member.tag:08x}"
    return lease.removeprefix(mark) if lease.startswith(mark) else None
