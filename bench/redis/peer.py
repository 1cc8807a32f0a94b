"""What is compared: a client of Redis, with the loops that are timed.

Rule 1: all are given the same work: bytes that come back as bytes, and a dict that comes back as a dict. Who has no
serializer, or one that is slower, gets orjson around its calls.
Rule 2: what a library has no call for is not there, and it has no part in that comparison.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, ClassVar, Final

from orjson import dumps, loads

from bench.compare.subject import TTL, VALUE
from bench.measure import Loop

PREFIX: Final = "user:"
RECORD: Final[Mapping[str, Any]] = {
    "id": 12345,
    "name": "A name of some length",
    "mail": "somebody@example.org",
    "tags": [1, 2, 3],
    "ok": True,
}
__all__ = ["PREFIX", "RECORD", "TTL", "VALUE", "Peer"]


class Peer(ABC):
    """One library at its best settings. `open` sets `read` and `write`, with which the loops are made."""

    name: ClassVar[str]
    package: ClassVar[str]
    settings: ClassVar[str]
    """What was chosen for it, in words."""
    read: Callable[[str], Awaitable[Any]]
    """Give the bytes under a key."""
    write: Callable[[str, bytes], Awaitable[object]]
    """Store bytes under a key for `TTL` seconds."""

    @abstractmethod
    async def open(self, port: int, exits: AsyncExitStack) -> None:
        """Connect; what ends the connection goes to `exits`."""

    async def get(self, keys: Sequence[str]) -> None:
        """Read bytes."""
        read = self.read
        for key in keys:
            await read(key)

    async def set(self, keys: Sequence[str]) -> None:
        """Store bytes."""
        write = self.write
        for key in keys:
            await write(key, VALUE)

    async def get_record(self, keys: Sequence[str]) -> None:
        """Read dicts."""
        read = self.read
        for key in keys:
            loads(await read(key))

    async def set_record(self, keys: Sequence[str]) -> None:
        """Store dicts."""
        write = self.write
        for key in keys:
            await write(key, dumps(RECORD))

    async def record(self, key: str) -> object:
        """Give the dict under a key."""
        return loads(await self.read(key))

    @abstractmethod
    async def get_multi(self, keys: Sequence[str]) -> None:
        """Read bytes under all keys by one call."""

    @abstractmethod
    async def set_multi(self, keys: Sequence[str]) -> None:
        """Store bytes for `TTL` seconds under all keys by one call."""

    def decorated(self) -> Loop | None:
        """Give a loop over a decorated function whose results are there; None: it has no decorator."""
        return None

    def loop(self, name: str) -> Loop | None:
        """Give the loop by that name, None where there is none."""
        return self.decorated() if name == "decorated" else getattr(self, name)
