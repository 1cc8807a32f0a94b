"""Reading: from the first owner that answers; many keys in one call a node, side by side.

Rule 1: what an owner that may answer says, a miss included, is the answer; only one that fails, or may not answer, is
passed over.
Rule 2: a key is a miss, and not a failure, where the only owner that is in has missed a change of it: what it holds is
about to be removed.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Final, TypeVar, cast

from aiocache_kit.errors import PartialFailureError, StorageError
from aiocache_kit.item import Item
from aiocache_kit.sentinels import MISSING
from aiocache_kit.storage.base import Shortcuts
from aiocache_kit.storage.distributed.member import Member, side_by_side
from aiocache_kit.storage.distributed.nodes import Nodes, unavailable

T = TypeVar("T")
CHUNK: Final = 1000
"""Keys that are worked on together: finding the owners of more would hold the event loop too long."""


async def read(nodes: Nodes, key: str) -> Item[object] | None:
    """Give the item under `key`; `StorageUnavailableError` where no owner answers."""
    member, item = await ask(nodes, key, lambda member: member.storage.read(key), None)
    return None if item is None or member is None else member.outward(item)


async def ask(nodes: Nodes, key: str, act: Callable[[Member], Awaitable[T]], nothing: T) -> tuple[Member | None, T]:
    """Give what the first owner of `key` that answers gives, and which one that is; `nothing` where none may answer."""
    failure: StorageError | None = None
    is_out = False
    for member in nodes.to_read(key):
        if not member.is_in:
            is_out = True
        elif member.may_answer(key):
            try:
                return member, await member.call(partial(act, member))
            except StorageError as error:
                failure = error
    if is_out or failure is not None:
        raise unavailable() from failure
    return None, nothing


async def read_multi(nodes: Nodes, keys: Collection[str]) -> tuple[dict[str, Item[object]], set[str]]:
    """Give the items under `keys`, and the keys of which no owner answered."""
    found: dict[str, Item[object]] = {}
    failed = await ask_many(
        nodes,
        keys,
        lambda member, some: member.storage.read_multi(some),
        lambda member, items: found.update((key, member.outward(item)) for key, item in items.items()),
    )
    return found, failed


async def ask_many(
    nodes: Nodes,
    keys: Collection[str],
    act: Callable[[Member, list[str]], Awaitable[T]],
    take: Callable[[Member, T], None],
) -> set[str]:
    """Let `take` have what the first owners that answer give for their keys; give the keys of which none answered."""
    failed: set[str] = set()
    left = {key: _Asking(nodes, key) for key in keys}
    while left:
        groups: dict[Member, list[str]] = {}
        for key, asking in left.items():
            member = asking.next()
            if member is not None:
                groups.setdefault(member, []).append(key)
            elif asking.has_failed:
                failed.add(key)
        outcomes = await side_by_side([(member, partial(act, member, some)) for member, some in groups.items()])
        for member, (answer, error) in zip(groups, outcomes, strict=True):
            if error is None:
                take(member, cast("T", answer))
            elif not isinstance(error, StorageError):
                raise error
        left = {
            key: left[key]
            for some, (_, error) in zip(groups.values(), outcomes, strict=True)
            if error is not None
            for key in some
        }
        for asking in left.values():
            asking.has_failed = True
    return failed


class Plain:
    """The nodes' own shortcuts to plain values, where all of them have some; writing goes the long way."""

    __slots__ = ("_degrade", "_nodes")

    def __init__(self, nodes: Nodes, degrade: Callable[[StorageError], None]) -> None:
        """Read from `nodes`; `degrade` raises an error that is not to be answered by a miss."""
        self._nodes = nodes
        self._degrade = degrade

    async def value(self, key: str) -> object:
        """Give the live value under `key`, `MISSING` where there is none."""
        try:
            _, value = await ask(self._nodes, key, lambda member: shortcuts(member).value(key), cast("object", MISSING))
        except StorageError as error:
            self._degrade(error)
            return MISSING
        return value

    async def values(self, keys: Collection[str]) -> dict[str, object]:
        """Give the live values under `keys` by key; raises as `read_multi` does, with values instead of items."""
        found: dict[str, object] = {}
        failed: set[str] = set()
        for chunk in chunks(keys):
            failed |= await ask_many(
                self._nodes,
                chunk,
                lambda member, some: shortcuts(member).values(some),
                lambda _, values: found.update(values),
            )
        if failed:
            self._degrade(PartialFailureError(found, failed))
        return found

    async def put(self, key: str, value: object, ttl: float | None) -> bool:
        """Leave it to `write`."""
        del key, value, ttl
        return False

    async def put_multi(self, values: Mapping[str, object], ttl: float | None) -> bool:
        """Leave it to `write_multi`."""
        del values, ttl
        return False


def shortcuts(member: Member) -> Shortcuts:
    """Give the shortcuts of a node that has some."""
    assert member.storage.shortcuts is not None  # noqa: S101  - all nodes have some, or `Plain` is not offered
    return member.storage.shortcuts


class _Asking:
    """Whom to ask for a key, one after the other."""

    __slots__ = ("_key", "_members", "has_failed")

    def __init__(self, nodes: Nodes, key: str) -> None:
        self._key = key
        self._members: Iterator[Member] = iter(nodes.to_read(key))
        self.has_failed = False

    def next(self) -> Member | None:
        for member in self._members:
            if not member.is_in:
                self.has_failed = True
            elif member.may_answer(self._key):
                return member
        return None


def chunks(many: Iterable[T]) -> Iterator[list[T]]:
    """Divide keys or items so that working on a part does not hold the event loop for long."""
    rest = iter(many)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
