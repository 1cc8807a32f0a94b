"""Items as bytes, in msgpack, for a snapshot; each item is two objects of its stream.

    item = [key, ttl, expiration, created_at, cost, tags]  value

Where its loader said something of the state of its source, etag and last_modified follow the tags.

Plain `def`, in steps so short that whoever drives them can let others run in between.

Rule 1: only what comes back equal and of the same type is packed: None, bool, int of 64 bits, float, str, bytes, and
lists and dicts of these, exactly and at every depth. Anything else in a value is an `UnfitError`.
Rule 2: bytes that are not what `Packer` writes are a `DamageError`. Nothing in them runs code or chooses a type.
"""

import struct
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final, Protocol, cast

from aiocache_kit.item import Item, Validators
from aiocache_kit.sentinels import MISSING
from aiocache_kit.storage.frames import DamageError

MOST_LENGTH: Final = 64 * 1024 * 1024
"""Characters of a str, or bytes, that one part of a value may have."""
MOST_PARTS: Final = 2**24
"""Elements that one list or dict within a value may have."""
MOST_DEPTH: Final = 100
"""How deep lists and dicts may lie in one another."""
STEP: Final = 256
"""Parts of a value that are packed in one step; a kilobyte of text counts as one more."""
PIECE: Final = 16 * 1024
"""Bytes that are unpacked in one step: as many small integers, at worst."""
_HEAD_PARTS: Final = 6
_WITH_VALIDATORS: Final = 8
_DRAIN: Final = 64 * 1024
_MOST_BUFFER: Final = 4 * MOST_LENGTH + 1024
"""UTF-8 takes four bytes a character at most."""
_ATOMS: Final = frozenset({type(None), bool, int, float, str, bytes})
_COUNT: Final = struct.Struct(">Q")


class UnfitError(Exception):
    """Raised when a value would not come back the same; the message names the type of what is in the way."""


class _PackerOfMsgpack(Protocol):
    def pack(self, value: object) -> object: ...
    def pack_array_header(self, size: int) -> object: ...
    def pack_map_header(self, size: int) -> object: ...
    def bytes(self) -> bytes: ...
    def reset(self) -> None: ...


class _UnpackerOfMsgpack(Protocol):
    def feed(self, data: bytes) -> None: ...
    def unpack(self) -> object: ...


class _Msgpack(Protocol):
    """What is used of the module, which has no types."""

    Packer: Callable[..., _PackerOfMsgpack]
    Unpacker: Callable[..., _UnpackerOfMsgpack]
    OutOfData: type[Exception]
    UnpackException: type[Exception]


def load_msgpack() -> _Msgpack:
    """Import msgpack, which only those need who have items packed."""
    import msgpack  # type: ignore[import-untyped]  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]  - as said

    return cast("_Msgpack", msgpack)


class Packer:
    """Turns items into bytes."""

    __slots__ = ("_packer", "_parts", "count", "size")

    def __init__(self) -> None:
        """Start without items."""
        # Text may hold lone surrogates, as names of files that are no UTF-8 do.
        self._packer = load_msgpack().Packer(strict_types=True, autoreset=False, unicode_errors="surrogatepass")
        self._parts: list[bytes] = []
        self.size = 0
        """Bytes that `take` would give."""
        self.count = 0
        """Items packed so far."""

    def take(self) -> list[bytes]:
        """Give the bytes of the items since the last call, in parts."""
        parts, self._parts, self.size = self._parts, [], 0
        return parts

    def end(self) -> bytes:
        """Give what tells a reader that it has read everything."""
        return _COUNT.pack(self.count)

    def steps(self, item: Item[object]) -> Iterator[None]:
        """Pack `item`; the iterator gives a chance to rest after each step, and is to be run to its end.

        Raises `UnfitError` where the value would not come back the same, or has changed its size during a rest; nothing
        of it is kept then.
        """
        packer = self._packer
        record: list[bytes] = []
        packer.reset()
        try:
            packer.pack(_head(item))
            for _ in self._walk(item.value):
                data = packer.bytes()
                if len(data) >= _DRAIN:
                    record.append(data)
                    packer.reset()
                yield
        except OverflowError as error:
            raise UnfitError("int") from error  # of more than 64 bits
        except RuntimeError as error:
            raise UnfitError("dict") from error  # its size has changed
        data = packer.bytes()
        self._parts += (*record, data)
        self.size += len(data) + sum(map(len, record))
        self.count += 1

    def _walk(self, value: object) -> Iterator[None]:
        """Pack `value` part by part, without recursion."""
        pack = self._packer.pack
        levels: list[tuple[Iterator[object], int]] = [(iter((value,)), 1)]
        budget = STEP
        while levels:
            parts, left = levels.pop()
            for part in parts:
                left -= 1
                budget -= 1
                kind = type(part)
                if kind not in _ATOMS:
                    levels += [(parts, left), self._start(part, len(levels))]
                    break
                if kind is str or kind is bytes:
                    length = len(cast("str | bytes", part))
                    if length > MOST_LENGTH:
                        raise UnfitError(kind.__name__)
                    budget -= length >> 10
                pack(part)
                if budget < 0:
                    budget = STEP
                    yield
            else:
                if left:
                    raise UnfitError("list")  # its size has changed during a rest

    def _start(self, value: object, depth: int) -> tuple[Iterator[object], int]:
        """Pack the head of a list or dict; give its parts and how many there must be."""
        kind = type(value)
        if kind is list:
            elements = cast("list[object]", value)
            parts, size = iter(elements), len(elements)
        elif kind is dict:
            pairs = cast("dict[object, object]", value)
            parts, size = chain.from_iterable(pairs.items()), len(pairs)
        else:
            raise UnfitError(kind.__name__)
        if depth >= MOST_DEPTH or size > MOST_PARTS:
            raise UnfitError(kind.__name__)
        if kind is list:
            self._packer.pack_array_header(size)
            return parts, size
        self._packer.pack_map_header(size)
        return parts, 2 * size


def _head(item: Item[object]) -> list[object]:
    ttl = None if item.ttl is None else float(item.ttl)
    expiration = None if item.expiration is None else float(item.expiration)
    return [item.key, ttl, expiration, float(item.created_at), item.cost, list(item.tags), *(item.validators or ())]


class Unpacker:
    """Turns bytes into items, however they are cut."""

    __slots__ = ("_head", "_msgpack", "_unpacker", "count")

    def __init__(self) -> None:
        """Start without bytes."""
        self._msgpack = load_msgpack()
        self._unpacker = self._msgpack.Unpacker(
            strict_map_key=False,
            unicode_errors="surrogatepass",
            max_buffer_size=_MOST_BUFFER,
            max_array_len=MOST_PARTS,
            max_map_len=MOST_PARTS,
            ext_hook=_refuse_type,
        )
        self._head: object = MISSING
        self.count = 0
        """Items unpacked so far."""

    def steps(self, data: bytes, now: float) -> Iterator[Item[object] | None]:
        """Unpack the items that `data`, which follows the bytes before it, makes complete.

        Each has the ttl that is left of it at `now` on the wall clock. None is a chance to rest, or stands for an item
        whose time is over. Raises `DamageError`.
        """
        for start in range(0, len(data), PIECE):
            self._unpacker.feed(data[start : start + PIECE])
            while (found := self._object()) is not MISSING:
                if self._head is MISSING:
                    self._head = found
                else:
                    head, self._head = self._head, MISSING
                    item = _item(head, found, now)
                    self.count += 1
                    yield item
            yield None

    def _object(self) -> object:
        """Give the next object of the stream; `MISSING`: the bytes end in the middle of it, or before it."""
        try:
            return self._unpacker.unpack()
        except self._msgpack.OutOfData:
            return MISSING
        except (self._msgpack.UnpackException, ValueError, TypeError, OverflowError, MemoryError) as error:
            raise DamageError("an item cannot be unpacked") from error

    def end(self, data: bytes) -> None:
        """Raise `DamageError` unless `data` is what `Packer.end` gave after the items unpacked so far."""
        if data != _COUNT.pack(self.count):
            raise DamageError("items are missing")


def _refuse_type(code: int, data: bytes) -> object:
    del data
    raise ValueError(code)


def _item(head: object, value: object, now: float) -> Item[object] | None:
    if not isinstance(head, list) or len(cast("list[object]", head)) not in (_HEAD_PARTS, _WITH_VALIDATORS):
        raise DamageError("an item has no head")
    key, ttl, expiration, created_at, cost, tags, *validators = cast("list[object]", head)
    left = _seconds(ttl)
    if not isinstance(key, str) or not key or not isinstance(created_at, float) or not isinstance(tags, list):
        raise DamageError("an item has no key, no date or no tags")
    until = _seconds(expiration)
    if until is not None:
        left = until - now if left is None else min(until - now, left)
        if not left > 0.0:
            return None
    return Item(
        key=key,
        value=value,
        ttl=left,
        expiration=until,
        tags=_tags(cast("list[object]", tags)),
        cost=_cost(cost),
        created_at=created_at,
        validators=_validators(*validators) if validators else None,
    )


def _seconds(number: object) -> float | None:
    if number is None or isinstance(number, float):
        return number
    raise DamageError("an item ends at no instant")


def _tags(tags: list[object]) -> tuple[str, ...]:
    names = tuple(tag for tag in tags if isinstance(tag, str) and tag)
    if len(names) != len(tags):
        raise DamageError("an item has tags that are none")
    return names


def _validators(etag: object, last_modified: object) -> Validators:
    if not isinstance(etag, str | None) or not isinstance(last_modified, str | None):
        raise DamageError("an item has an etag, or a date of its source, that is none")
    return Validators(etag, last_modified)


def _cost(cost: object) -> int | None:
    if cost is None or (isinstance(cost, int) and cost >= 0):
        return cost
    raise DamageError("an item has a cost that is none")
