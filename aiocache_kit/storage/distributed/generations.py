"""What one process tells the others about a node that missed something, in case it ends before that was made up for.

A node whose items outlive a process has a generation: a random text that lies there under a key of its own, and is gone
with everything else when the node is cleared. A process that notes the first change that a node missed writes a mark
on all other nodes: that this generation of that node is not to be trusted.

Rule 1: whoever opens the storage, or lets a node in, looks at the marks. A node whose generation was marked by anybody
else is cleared before it is asked, and gets a new generation, to which no mark fits. With a mark of one's own alone,
what was missed is known, and only that is removed.
Rule 2: a node that was away and has no generation any more was emptied, or has forgotten it: it is cleared as well.
Rule 3: a mark is written before the change that was missed is over. It is not there where no other node is in, and
nobody looks for it but at those times: a process that did not notice that a node was away may read from it until the
first one that did lets it in.
"""

from collections.abc import Callable, Iterable
from functools import partial
from secrets import token_hex
from typing import Final

from aiocache_kit.clock import Clock
from aiocache_kit.item import Item
from aiocache_kit.storage.base import IF_ABSENT, if_version
from aiocache_kit.storage.distributed.member import Member, side_by_side
from aiocache_kit.storage.distributed.nodes import RESERVED, Nodes

_GENERATION: Final = f"{RESERVED}generation"
_MANY: Final = "many"
_EVERY: Final = 60.0
"""Seconds between two looks at whether generations are still there."""


class Generations:
    """The generations of the nodes, and the marks of this process."""

    __slots__ = ("_clock", "_known", "_looked_at", "_marked", "_me", "_nodes", "_to_mark")

    def __init__(self, nodes: Nodes, clock: Callable[[], Clock]) -> None:
        """Start without knowing any."""
        self._nodes = nodes
        self._clock = clock
        self._me = token_hex(8)
        """What this process signs marks with."""
        self._known: dict[Member, str] = {}
        self._marked: set[Member] = set()
        self._to_mark: set[Member] = set()
        self._looked_at = 0.0

    def note(self, member: Member) -> None:
        """Note that `member` missed something, if it did; the others are told when there is time to wait."""
        if member.missed and member in self._known and member not in self._marked:
            self._to_mark.add(member)

    @property
    def has_to_mark(self) -> bool:
        """Whether `mark` has anything to do."""
        return bool(self._to_mark)

    def has_marked(self, member: Member) -> bool:
        """Whether there is something for `settle` to do."""
        return member in self._marked

    async def begin(self, members: Iterable[Member]) -> list[Member]:
        """Learn the generations of nodes that were just opened, clear those that were marked, and give these.

        A node that fails is not to be trusted with anything.
        """
        kept = [member for member in members if member.is_open and _outlives(member)]
        outcomes = await side_by_side([(member, partial(self._begin, member)) for member in kept])
        for member, (_, error) in zip(kept, outcomes, strict=True):
            if error is not None:
                member.miss_everything()
        return [member for member, (is_cleared, _) in zip(kept, outcomes, strict=True) if is_cleared]

    async def check(self, member: Member) -> None:
        """See, before `member` is let in, whether what this process knows is all that it missed."""
        if not _outlives(member):
            return
        item = await member.patience.within(partial(member.storage.read, _GENERATION))
        generation = "" if item is None else str(item.value)
        if generation:
            self._know(member, generation)
        marks = await self._marks(member)
        if not generation or any(mark == generation and by != self._me for mark, by in marks):
            member.missed.note_everything()

    async def renew(self, member: Member) -> None:
        """Give a node that was just cleared a new generation, so that no mark fits it."""
        if _outlives(member):
            await self._learn(member, outdated=self._known.get(member))

    async def settle(self, member: Member) -> None:
        """Take back the marks of this process: what `member` missed was made up for."""
        self._marked.discard(member)
        self._to_mark.discard(member)
        for other in self._others(member):
            item = await other.call(partial(other.storage.read, _mark_of(member)))
            if item is not None and _read(item)[1] == self._me:
                await other.call(partial(other.storage.remove, item.key, if_version(item.version)))

    async def after_clear(self) -> None:
        """Put back what a clear of everything took away: generations, which stay the same, and marks."""
        calls = [
            (member, partial(member.storage.write, self._item(_GENERATION, generation), IF_ABSENT))
            for member, generation in self._known.items()
            if member.is_in
        ]
        await side_by_side(calls)
        self._to_mark |= self._marked

    async def look(self) -> None:
        """See to it, now and then, that no node has lost its generation, as where it evicts what is seldom read.

        One that another process has cleared has another generation since.
        """
        now = self._clock().monotonic()
        if now - self._looked_at >= _EVERY:
            self._looked_at = now
            await self.after_clear()
            known = [member for member in self._known if member.is_in]
            await side_by_side([(member, partial(self._look_at, member)) for member in known])

    async def mark(self) -> None:
        """Tell the other nodes of those that missed something."""
        while self._to_mark:
            member = self._to_mark.pop()
            self._marked.add(member)
            await side_by_side([(other, partial(self._mark, other, member)) for other in self._others(member)])

    def forget(self, member: Member) -> None:
        """Forget a node that is no more."""
        self._known.pop(member, None)
        self._marked.discard(member)
        self._to_mark.discard(member)

    async def _begin(self, member: Member) -> bool:
        generation = await self._learn(member)
        if all(mark != generation for mark, _ in await self._marks(member)):
            return False
        await member.storage.clear()
        await self._learn(member, outdated=generation)
        return True

    async def _learn(self, member: Member, outdated: str | None = None) -> str:
        """Give the generation of a node, a new one if it has none, or still has the one that is `outdated`.

        A clear need not take it away: Redis keeps what lies under such keys.
        """
        while True:
            item = await member.storage.read(_GENERATION)
            if item is not None and item.value != outdated:
                self._know(member, str(item.value))
                return self._known[member]
            condition = IF_ABSENT if item is None else if_version(item.version)
            await member.storage.write(self._item(_GENERATION, token_hex(8)), condition)

    async def _look_at(self, member: Member) -> None:
        item = await member.storage.read(_GENERATION)
        if item is not None and member in self._known:
            self._know(member, str(item.value))

    def _know(self, member: Member, generation: str) -> None:
        if member in self._marked and self._known[member] != generation:
            self._to_mark.add(member)  # the mark does not fit it any more
        self._known[member] = generation

    async def _marks(self, member: Member) -> list[tuple[str, str]]:
        """Give what other nodes say of `member`: the generation not to be trusted, and who says so."""
        others = self._others(member)
        outcomes = await side_by_side([(other, partial(other.storage.read, _mark_of(member))) for other in others])
        return [_read(item) for item, _ in outcomes if item is not None]

    async def _mark(self, other: Member, member: Member) -> None:
        while True:
            item = await other.storage.read(_mark_of(member))
            condition, by = IF_ABSENT, self._me
            if item is not None:
                condition = if_version(item.version)
                generation, who = _read(item)
                by = self._me if generation != self._known[member] or who == self._me else _MANY
            if await other.storage.write(self._item(_mark_of(member), f"{self._known[member]} {by}"), condition):
                return

    def _others(self, member: Member) -> list[Member]:
        members = self._nodes.members.values()
        return [other for other in members if other is not member and other.is_in and other.is_open]

    def _item(self, key: str, value: str) -> Item[object]:
        return Item(key=key, value=value, created_at=self._clock().time())


def _outlives(member: Member) -> bool:
    """Whether what a node holds may be met by a process that does not know what it missed."""
    return member.storage.capabilities.shared or member.storage.capabilities.persistent


def _mark_of(member: Member) -> str:
    return f"{RESERVED}mark:{member.name}"


def _read(item: Item[object]) -> tuple[str, str]:
    generation, _, by = str(item.value).partition(" ")
    return generation, by
