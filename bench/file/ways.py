"""Ways to keep small values in files, each with what it does for one get and one set."""

import asyncio
import importlib
from abc import ABC, abstractmethod
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, cast

import aiofiles
import aiofiles.os

from aiocache_kit import Item
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.file import file_storage

KEYS = 1000
VALUE = "0123456789abcdef" * 64
"""A kilobyte."""


class Way(ABC):
    """One way; `begin` fills it with `KEYS` values in an empty folder."""

    name: ClassVar[str]
    package: ClassVar[str] = ""
    settings: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        """Keep files in `folder`."""
        self.folder = folder

    @abstractmethod
    async def begin(self) -> None:
        """Get ready."""

    @abstractmethod
    async def get(self, number: int) -> None:
        """Read one value."""

    @abstractmethod
    async def set(self, number: int) -> None:
        """Write one value."""

    async def miss(self, number: int) -> None:
        """Look for what is not there."""
        await self.get(number + KEYS)

    async def end(self) -> None:
        """Let go."""


class Hop(Way):
    """Nothing but the way to a thread and back: what no other way can go below for one task."""

    name = "one hop"
    settings = "aiofiles.os.wrap of a function that does nothing"

    async def begin(self) -> None:
        """Wrap it."""
        self._hop = aiofiles.os.wrap(lambda: None)

    async def get(self, number: int) -> None:
        """Go there and back."""
        del number
        await self._hop()

    async def set(self, number: int) -> None:
        """Go there and back."""
        await self.get(number)


class Ours(Way):
    """The storage of this package."""

    name = "aiocache_kit"
    settings = "file_storage, json, checksum, one owner"

    async def begin(self) -> None:
        """Open it and fill it."""
        self.storage = file_storage(str(self.folder), Codec(JsonSerializer()), max_entries=10 * KEYS)
        await self.storage.open()
        for number in range(KEYS):
            await self.set(number)

    async def get(self, number: int) -> None:
        """Read."""
        found = await self.storage.read(f"user:{number}")
        assert found is not None or number >= KEYS

    async def set(self, number: int) -> None:
        """Write."""
        await self.storage.write(Item(key=f"user:{number}", value=VALUE, ttl=600.0))

    async def end(self) -> None:
        """Close."""
        await self.storage.close()


class Plain(Way):
    """What one would write by hand with aiofiles."""

    name = "aiofiles"
    settings = "open, read, close; open, write, close, replace"

    async def begin(self) -> None:
        """Fill a folder."""
        self._names = count()
        for number in range(KEYS):
            await self.set(number)

    async def get(self, number: int) -> None:
        """Read."""
        try:
            async with aiofiles.open(self.folder / str(number), "rb") as file:
                await file.read()
        except FileNotFoundError:
            return

    async def set(self, number: int) -> None:
        """Write aside and replace."""
        aside = self.folder / f"{next(self._names)}.tmp"
        async with aiofiles.open(aside, "wb") as file:
            await file.write(VALUE.encode())
        await aiofiles.os.replace(aside, self.folder / str(number))


class Diskcache(Way):
    """diskcache, which is synchronous, in threads."""

    name = "diskcache"
    package = "diskcache"
    settings = "defaults, each call by asyncio.to_thread"

    async def begin(self) -> None:
        """Fill it."""
        module = cast("Any", importlib.import_module("diskcache"))
        self._cache = module.Cache(str(self.folder))
        for number in range(KEYS):
            await self.set(number)

    async def get(self, number: int) -> None:
        """Read."""
        await asyncio.to_thread(self._cache.get, f"user:{number}")

    async def set(self, number: int) -> None:
        """Write."""
        await asyncio.to_thread(self._cache.set, f"user:{number}", VALUE, 600.0)

    async def end(self) -> None:
        """Close."""
        await asyncio.to_thread(self._cache.close)


WAYS: tuple[type[Way], ...] = (Hop, Ours, Plain, Diskcache)
