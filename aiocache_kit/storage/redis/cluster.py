"""The way to a Redis Cluster: each command goes to the node that has its key, and follows the key where it has moved.

Rule 1: a call ends in its time, whatever has to be asked or followed meanwhile.
Rule 2: a node that cannot be reached is the trouble of its own keys alone. Its calls look around whether somebody else
has taken its place, and fail if nobody has; calls of many keys give what the others have said (`PartialFailureError`).
Rule 3: what a node may have done is done again only where that is allowed (see `attempts`). A redirection says that
nothing was done, so it is always followed.
Rule 4: while a key moves, the question to its new node (ASKING) and the command leave together, by one connection.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final

from hiredis import ReplyError

from aiocache_kit.clock import stopwatch
from aiocache_kit.errors import CacheError, PartialFailureError, StorageError, StorageUnavailableError
from aiocache_kit.storage.redis.attempts import FIRST_PAUSE, LONGEST_PAUSE, Times, anew, spread
from aiocache_kit.storage.redis.dial import Dialer, Host
from aiocache_kit.storage.redis.link import Channel, Command
from aiocache_kit.storage.redis.replies import LATER, as_cause, checked, code_of, failure, is_final, refusal
from aiocache_kit.storage.redis.slots import redirection, slot_of
from aiocache_kit.storage.redis.topology import Node, Topology
from aiocache_kit.storage.redis.unreached import name_text
from aiocache_kit.storage.redis.wire import Lost

_ASKING: Final = (b"ASKING",)
_REDIRECTED: Final = frozenset({"MOVED", "ASK", *LATER})
"""Codes of refusals that do not end a call."""
_AT_ONCE: Final = 3
"""Redirections that are followed without a pause."""


class Cluster:
    """Connections to all primaries of one cluster."""

    def __init__(
        self, seeds: Sequence[Host], dialer: Dialer, new_channel: Callable[[Host], Channel], *, times: Times
    ) -> None:
        """Find the nodes by asking those at `seeds`; `new_channel` makes the channel to one node.

        Such a channel gives every refusal at once, since what is to be done about it is decided here.
        """
        self._topology = Topology(seeds, dialer, new_channel, times=times)
        self._owners = self._topology.owners
        self._times = times
        self._closed = False

    # --- calls -------------------------------------------------------------------------------------------------------

    async def call(self, command: Command, *, key: bytes = b"", again: bool = False, large: bool = False) -> Any:  # noqa: ANN401, D102  - see Channel
        start = stopwatch()
        if not key:
            return await self._anywhere(command, again=again, start=start)
        node = self._owners[slot_of(key)]
        try:
            if node is not None:
                return await node.channel.call(command, key=key, again=again, large=large)
        except StorageError as error:
            return await self._follow(command, key, again=again, start=start, large=large, asked=node, error=error)
        return await self._follow(command, key, again=again, start=start, large=large)

    def ask(self, packed: bytes, key: bytes) -> "asyncio.Future[Any] | None":  # noqa: D102  - see Channel
        node = self._owners[slot_of(key)]
        return None if node is None else node.channel.ask(packed, key)

    async def call_many(self, commands: Sequence[Command], *, keys: Sequence[bytes], again: bool = False) -> list[Any]:  # noqa: D102  - see Channel
        start = stopwatch()
        replies: list[Any] = [None] * len(commands)

        async def one(position: int, node: Node | None, error: CacheError | None) -> None:
            command, key = commands[position], keys[position]
            try:
                replies[position] = await self._follow(command, key, again=again, start=start, asked=node, error=error)
            except CacheError as wrong:
                replies[position] = wrong

        async def part(node: Node | None, positions: list[int]) -> None:
            left: list[tuple[int, CacheError | None]] = []
            try:
                found = [] if node is None else await _asked(node, commands, keys, positions, again=again)
            except CacheError as error:
                left = [(position, error) for position in positions]
            else:
                for position, reply in zip(positions, found, strict=node is not None):
                    replies[position] = reply
                    if isinstance(reply, ReplyError) and code_of(reply) in _REDIRECTED:
                        left.append((position, _as_error(reply)))
                left.extend((position, None) for position in positions if node is None)
            await _side_by_side(one(position, node, error) for position, error in left)

        parts: dict[Node | None, list[int]] = {}
        for position, key in enumerate(keys):
            parts.setdefault(self._owners[slot_of(key)], []).append(position)
        await _side_by_side(part(node, positions) for node, positions in parts.items())
        return _replied(replies, keys)

    async def read_many(self, names: Sequence[bytes]) -> list[bytes | None]:  # noqa: D102  - see Channel
        try:
            replies = await self.call_many([(b"GET", name) for name in names], keys=names, again=True)
        except PartialFailureError as partial:
            found = {name: _payload(reply) for name, reply in partial.found.items()}
            raise PartialFailureError(found, partial.failed) from partial.__cause__
        return [_payload(reply) for reply in replies]

    def servers(self) -> Sequence[Channel]:  # noqa: D102  - see Channel
        primaries = self._topology.primaries
        return [_Primary(self, node) for node in primaries] if primaries else [self]

    # --- following ---------------------------------------------------------------------------------------------------

    async def _anywhere(self, command: Command, *, again: bool, start: float) -> Any:  # noqa: ANN401  - what Redis answers
        """Ask any node that can be reached."""
        error: CacheError | None = None
        try:
            async with asyncio.timeout(self._left(start)):
                await self._find()
                for node in self._topology.reachable_first:
                    try:
                        return await node.channel.call(command, again=again)
                    except StorageUnavailableError as wrong:
                        self._note_lost(node)
                        error = wrong
                        if _may_be_done(wrong, again=again):
                            break
        except _Final as final:
            raise final.error from final.error.__cause__
        except TimeoutError as late:
            raise anew(error or failure(late)) from late
        raise error or StorageUnavailableError("no node of the cluster can be reached")

    async def _follow(
        self,
        command: Command,
        key: bytes,
        *,
        again: bool,
        start: float,
        large: bool = False,
        asked: Node | None = None,
        error: CacheError | None = None,
    ) -> Any:  # noqa: ANN401  - what Redis answers
        """Go on with a call after `asked` gave `error`, or when nobody is known to ask, until the time is over."""
        slot = slot_of(key)
        pauses = _Pauses()
        try:
            async with asyncio.timeout(self._left(start)):
                while True:
                    try:
                        if error is not None and asked is not None:
                            new_node = await self._consider(error, asked, slot, again=again)
                            await pauses.after(error)
                            if new_node is not None:
                                asked = new_node
                                return await _of_new_node(new_node, command, key, again=again)
                        asked = self._owners[slot]
                        if asked is not None:
                            return await asked.channel.call(command, key=key, again=again, large=large)
                        await self._find(slot)
                        await pauses.after(None)
                    except _Final as final:
                        raise final.error from final.error.__cause__
                    except StorageError as wrong:
                        error = wrong
        except TimeoutError as late:
            raise anew(error or StorageUnavailableError("no node of the cluster has this key now")) from late

    async def _consider(self, error: CacheError, asked: Node, slot: int, *, again: bool) -> Node | None:
        """Learn from what went wrong; give the node that a key is just moving to, and raise what ends the call."""
        reply = error.__cause__
        if isinstance(reply, ReplyError):
            return self._heed(reply, asked, slot, error)
        self._note_lost(asked)
        if is_final(error) or not isinstance(error, StorageUnavailableError) or _may_be_done(error, again=again):
            raise _Final(error)
        await self._topology.refresh()
        if self._owners[slot] is asked:
            raise _Final(error)
        return None

    def _heed(self, reply: ReplyError, asked: Node, slot: int, error: CacheError) -> Node | None:
        code = code_of(reply)
        if code not in _REDIRECTED:
            raise _Final(error)
        to = redirection(reply, asked.place)
        if to is not None and code == "ASK":
            return self._topology.node_at(to)
        if to is not None:
            self._topology.note_moved(slot, to)
        elif code != "TRYAGAIN":
            self._topology.look_around()
        return None

    def _note_lost(self, node: Node) -> None:
        self._topology.note_silent(node)
        self._topology.look_around()

    async def _find(self, slot: int | None = None) -> None:
        """Ask who has the keys, if it is not known; raise why nobody told."""
        if self._closed:
            raise _Final(StorageUnavailableError("the connection to Redis is closed"))
        if (self._owners[slot] is None) if slot is not None else not any(self._owners):
            await self._topology.refresh()
            try:
                self._topology.check_known()
            except CacheError as error:
                raise _Final(error) from error

    def _left(self, start: float) -> float:
        return max(start + self._times.whole - stopwatch(), 0.0)

    # --- life --------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Find the nodes and connect to them; raise what is in the way of all of them, or what only you can mend."""
        await self._topology.refresh()
        self._topology.check_known()
        nodes = self._topology.primaries
        errors: list[CacheError] = []

        async def connect(node: Node) -> None:
            try:
                await node.channel.open()
            except CacheError as error:
                self._note_lost(node)
                errors.append(error)

        await _side_by_side(connect(node) for node in nodes)
        for error in errors:
            if is_final(error) or len(errors) == len(nodes):
                raise error

    async def close(self) -> None:
        """End the connections; who waits for a reply gets `StorageUnavailableError`."""
        self._closed = True
        await self._topology.close()


class _Primary:
    """One node, for what concerns no key; what concerns keys goes where they are by then."""

    def __init__(self, cluster: Cluster, node: Node) -> None:
        self._cluster = cluster
        self._node = node
        self.call_many = cluster.call_many
        self.read_many = cluster.read_many
        self.ask = cluster.ask

    async def call(self, command: Command, *, key: bytes = b"", again: bool = False, large: bool = False) -> Any:  # noqa: ANN401  - what Redis answers
        if key:
            return await self._cluster.call(command, key=key, again=again, large=large)
        return await self._node.channel.call(command, again=again, large=large)

    def servers(self) -> Sequence[Channel]:
        return (self,)

    async def open(self) -> None:
        """Nothing: the cluster is."""

    async def close(self) -> None:
        """Nothing: the cluster does."""


class _Final(Exception):  # noqa: N818  - it carries what ends a call out of the loop that follows it
    def __init__(self, error: CacheError) -> None:
        super().__init__()
        self.error = error


class _Pauses:
    """Pauses that grow, none before the first redirections."""

    def __init__(self) -> None:
        self._count = 0
        self._pause = FIRST_PAUSE

    async def after(self, error: CacheError | None) -> None:
        """Wait, if what happened asks for it."""
        self._count += 1
        cause = None if error is None else error.__cause__
        if isinstance(cause, ReplyError) and code_of(cause) in {"MOVED", "ASK"} and self._count <= _AT_ONCE:
            return
        await asyncio.sleep(spread(self._pause))
        self._pause = min(self._pause * 2, LONGEST_PAUSE)


async def _asked(
    node: Node, commands: Sequence[Command], keys: Sequence[bytes], positions: list[int], *, again: bool
) -> list[Any]:
    return await node.channel.call_many(
        [commands[position] for position in positions], keys=[keys[position] for position in positions], again=again
    )


async def _of_new_node(node: Node, command: Command, key: bytes, *, again: bool) -> Any:  # noqa: ANN401  - what Redis answers
    """Ask the node that a key is just moving to."""
    _, reply = await node.channel.call_many((_ASKING, command), keys=(key, key), again=again)
    return checked(reply)


async def _side_by_side(calls: Iterable[Coroutine[Any, Any, None]]) -> None:
    waiting = list(calls)
    if len(waiting) == 1:
        await waiting[0]
    elif waiting:
        await asyncio.gather(*waiting)


def _may_be_done(error: CacheError, *, again: bool) -> bool:
    """Whether a command that ended with `error` must not be sent once more."""
    cause = error.__cause__
    return isinstance(cause, Lost) and (cause.late or (cause.sent and not again))


def _as_error(reply: ReplyError) -> CacheError:
    error = refusal(reply)
    error.__cause__ = as_cause(reply)
    return error


def _payload(reply: object) -> bytes | None:
    return reply if isinstance(reply, bytes) else None  # a list, say, is no item, as to MGET


def _replied(replies: list[Any], keys: Sequence[bytes]) -> list[Any]:
    """Give the replies, refusals among them; raise where one did not come."""
    failed: dict[int, CacheError] = {}
    for position, reply in enumerate(replies):
        if not isinstance(reply, CacheError):
            continue
        if isinstance(reply.__cause__, ReplyError):
            replies[position] = reply.__cause__
        else:
            failed[position] = reply
    if not failed:
        return replies
    first = next(iter(failed.values()))
    if len(failed) == len(replies) or not all(isinstance(each, StorageUnavailableError) for each in failed.values()):
        raise next((each for each in failed.values() if not isinstance(each, StorageUnavailableError)), first)
    found = {name_text(key): replies[position] for position, key in enumerate(keys) if position not in failed}
    raise PartialFailureError(found, [name_text(keys[position]) for position in failed]) from first
