"""The two sides of a channel beside which replies are kept (`tracking`): what is read there, and what is written.

Rule 1: only what is asked for to be given to callers is answered from what is kept. Conditions, leases and locks are
decided by what Redis says now.
Rule 2: of items, their envelopes and that there is none are kept; no lease, which is gone in a moment, and no bare
integer, which does not say how long it lives. Of tags, their generations, but never that there is none.
Rule 3: what is large comes by a connection that is not tracked. So its length is asked for first, by the one that is:
what changes from then on is told.
Rule 4: whoever reads what is kept without ever waiting gives the event loop a turn now and then: nothing that the
server tells is heard otherwise.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from aiocache_kit.errors import PartialFailureError
from aiocache_kit.storage.redis.link import LARGE, Channel, Command
from aiocache_kit.storage.redis.tracking import Tracking

_LONG: Final = LARGE // 2
"""Bytes of names from which on a command may not go by the tracked connection."""
_TURNS: Final = 256
"""How many answers are given from what is kept, all in all, before the event loop is given a turn."""


class Sides(NamedTuple):
    """A channel, seen by those who use it."""

    items: Channel
    """For reading items that callers are given."""
    tags: Channel
    """For reading generations, for the sake of such items."""
    writes: Channel
    """For whatever changes something."""


def sides_of(channel: Channel, tracking: Tracking | None) -> Sides:
    """Give the sides of `channel`; without tracking, all of them are the channel itself."""
    if tracking is None:
        return Sides(channel, channel, channel)
    return Sides(
        items=_KeptReads(channel, tracking, _is_item, counts=True),
        tags=_KeptReads(channel, tracking, _is_there, counts=False),
        writes=_ToldWrites(channel, tracking),
    )


class Side(Channel):
    """A channel that hands everything on."""

    def __init__(self, channel: Channel, tracking: Tracking) -> None:
        self.channel: Final = channel
        self._tracking = tracking

    async def call(self, command: Command, *, key: bytes = b"", again: bool = False, large: bool = False) -> Any:  # noqa: ANN401, D102  - see Channel
        return await self.channel.call(command, key=key, again=again, large=large)

    def ask(self, packed: bytes, key: bytes) -> "asyncio.Future[Any] | None":  # noqa: ARG002, D102  - see Channel
        return None

    async def call_many(self, commands: Sequence[Command], *, keys: Sequence[bytes], again: bool = False) -> list[Any]:  # noqa: D102  - see Channel
        return await self.channel.call_many(commands, keys=keys, again=again)

    async def read_many(self, names: Sequence[bytes]) -> list[bytes | None]:  # noqa: D102  - see Channel
        return await self.channel.read_many(names)

    def servers(self) -> Sequence[Channel]:  # noqa: D102  - see Channel
        return self.channel.servers()

    async def open(self) -> None:  # noqa: D102  - see Channel
        await self.channel.open()

    async def close(self) -> None:  # noqa: D102  - see Channel
        await self.channel.close()


class _KeptReads(Side):
    """Answers GET, and `read_many`, from what is kept."""

    def __init__(
        self, channel: Channel, tracking: Tracking, is_kept: Callable[[bytes | None], bool], *, counts: bool
    ) -> None:
        super().__init__(channel, tracking)
        self._is_kept = is_kept
        self._counts = counts
        self._left = _TURNS

    async def call(self, command: Command, *, key: bytes = b"", again: bool = False, large: bool = False) -> Any:  # noqa: ANN401  - as above
        if command[0] != b"GET":
            return await self.channel.call(command, key=key, again=again, large=large)
        tracking = self._tracking
        kept = tracking.find(key)
        if kept is None:
            tracking.misses += self._counts
            return await self._fetched(command, key, large=large)
        tracking.hits += self._counts
        self._left -= 1
        if self._left <= 0:
            await self._give_way()
        return kept.data

    async def read_many(self, names: Sequence[bytes]) -> list[bytes | None]:
        tracking = self._tracking
        found = tracking.find_many(names)
        left = [name for name, kept in zip(names, found, strict=True) if kept is None]
        if self._counts:
            tracking.hits += len(names) - len(left)
            tracking.misses += len(left)
        self._left -= len(names)
        if not left:
            if self._left <= 0:
                await self._give_way()
            return [kept.data for kept in found if kept is not None]
        try:
            fetched = iter(await self._fetched_many(left))
        except PartialFailureError as partial:
            here: dict[str, object] = {
                _text(name): kept.data for name, kept in zip(names, found, strict=True) if kept is not None
            }
            raise PartialFailureError(here | partial.found, partial.failed) from partial.__cause__
        return [next(fetched) if kept is None else kept.data for kept in found]

    async def _fetched(self, command: Command, name: bytes, *, large: bool) -> bytes | None:
        """Read from the server, and keep what it gives."""
        tracking, channel = self._tracking, self.channel
        mark = tracking.ask((name,))
        try:
            is_tracked = len(name) < _LONG
            if large and tracking.takes(LARGE):
                large = await channel.call((b"STRLEN", name), key=name, again=True) >= LARGE
            elif large:
                is_tracked = False
            data: bytes | None = await channel.call(command, key=name, again=True, large=large)
            if large or not is_tracked:
                tracking.drop(name)  # what came by another connection may be newer than what is kept
            if is_tracked and self._is_kept(data):
                tracking.answered(mark, name, data)
        finally:
            tracking.leave(mark, (name,))
        return data

    async def _fetched_many(self, names: Sequence[bytes]) -> list[bytes | None]:
        tracking = self._tracking
        mark = tracking.ask(names)
        try:
            found = await self.channel.read_many(names)
            is_tracked = sum(map(len, names)) + len(names) * 16 < _LONG
            for name, data in zip(names, found, strict=True):
                if not is_tracked:
                    tracking.drop(name)
                elif self._is_kept(data):
                    tracking.answered(mark, name, data)
        finally:
            tracking.leave(mark, names)
        return found

    async def _give_way(self) -> None:
        self._left = _TURNS
        await asyncio.sleep(0)


class _ToldWrites(Side):
    """Drops what is kept of that which a command concerns, once it is done or may have been done."""

    async def call(self, command: Command, *, key: bytes = b"", again: bool = False, large: bool = False) -> Any:  # noqa: ANN401  - as above
        try:
            return await self.channel.call(command, key=key, again=again, large=large)
        finally:
            if key:
                self._tracking.forget(key)

    async def call_many(self, commands: Sequence[Command], *, keys: Sequence[bytes], again: bool = False) -> list[Any]:
        try:
            return await self.channel.call_many(commands, keys=keys, again=again)
        finally:
            for key in keys:
                self._tracking.forget(key)

    def ask(self, packed: bytes, key: bytes) -> "asyncio.Future[Any] | None":
        answer = self.channel.ask(packed, key)
        if answer is not None:
            answer.add_done_callback(lambda _: self._tracking.forget(key))  # before whoever waits for it goes on
        return answer

    def servers(self) -> Sequence[Channel]:
        return [_ToldWrites(server, self._tracking) for server in self.channel.servers()]


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogatepass")


def _is_item(data: bytes | None) -> bool:
    return data is None or data[:1] == b"\xac"


def _is_there(data: bytes | None) -> bool:
    return data is not None
