"""Reading: from the first owner that answers; many keys in one call a node, side by side.

Rule 1: what an owner that may answer says, a miss included, is the answer; only one that fails, or may not answer, is
passed over.
Rule 2: a key is a miss, and not a failure, where the only owner that is in has missed a change of it: what it holds is
about to be removed.
"""

from collections.abc import Collection, Iterator
from functools import partial
from typing import Final

from aiocache_kit.errors import StorageError
from aiocache_kit.item import Item
from aiocache_kit.storage.distributed.member import Member, side_by_side
from aiocache_kit.storage.distributed.nodes import Nodes, unavailable

CHUNK: Final = 1000
"""Keys that are worked on together: finding the owners of more would hold the event loop too long."""


async def read(nodes: Nodes, key: str) -> Item[object] | None:
    """Give the item under `key`; `StorageUnavailableError` where no owner answers."""
    failure: StorageError | None = None
    is_out = False
    for member in nodes.to_read(key):
        if not member.is_in:
            is_out = True
        elif member.may_answer(key):
            try:
                item = await member.call(partial(member.storage.read, key))
            except StorageError as error:
                failure = error
                continue
            return None if item is None else member.outward(item)
    if is_out or failure is not None:
        raise unavailable() from failure
    return None


async def read_multi(nodes: Nodes, keys: Collection[str]) -> tuple[dict[str, Item[object]], set[str]]:
    """Give the items under `keys`, and the keys of which no owner answered."""
    found: dict[str, Item[object]] = {}
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
        answers = await _ask(groups) if groups else {}
        left = {key: left[key] for member, answer in answers.items() if answer is None for key in groups[member]}
        for asking in left.values():
            asking.has_failed = True
        for member, answer in answers.items():
            for key, item in (answer or {}).items():
                found[key] = member.outward(item)
    return found, failed


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


async def _ask(groups: dict[Member, list[str]]) -> dict[Member, dict[str, Item[object]] | None]:
    """Give what each member holds of its keys; None for one that failed."""
    calls = [(member, partial(member.storage.read_multi, keys)) for member, keys in groups.items()]
    answers: dict[Member, dict[str, Item[object]] | None] = {}
    for member, (answer, error) in zip(groups, await side_by_side(calls), strict=True):
        if error is not None and not isinstance(error, StorageError):
            raise error
        answers[member] = answer
    return answers
