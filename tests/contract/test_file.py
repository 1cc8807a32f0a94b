"""Both contracts over the file storage, in the shapes that it may be given."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TypeAlias

import pytest

from aiocache_kit import Provider
from aiocache_kit.clock import SystemClock
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.file import FileStorage, SharedFileStorage, file_storage
from aiocache_kit.testing import FakeClock, ProviderContract, StorageContract
from aiocache_kit.testing.contract import Contract
from aiocache_kit.testing.provider_contract.case import ProviderCase
from tests.contract.within import InNamespace


def codec() -> Codec:
    """Make a codec as the default configuration has it."""
    return Codec(JsonSerializer())


SHORT = 0.1
"""Seconds of the longest pause between two looks at a lease."""

Files: TypeAlias = FileStorage | SharedFileStorage
SHAPES: dict[str, Callable[[str, int | None, int | None], Files]] = {
    "owner": lambda path, entries, size: file_storage(path, codec(), max_entries=entries, max_size=size),
    "owner, gathering": lambda path, entries, size: file_storage(
        path, codec(), max_entries=entries, max_size=size, gathers=True
    ),
    "shared": lambda path, entries, size: file_storage(path, codec(), max_entries=entries, max_size=size, shared=True),
}
ROOM = 10_000
STEPS = 20
"""Parts that a longer time passes in."""


class Placed(Contract):
    """Gives each storage a directory of its own, and waits for its thread where everything is to settle."""

    @pytest.fixture(autouse=True, params=list(SHAPES))
    def choose(self, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        """Run each check for each shape."""
        self.make = SHAPES[request.param]
        self.path = tmp_path
        self.numbers = count()
        self.made: list[Files] = []

    def storage(self, clock: FakeClock) -> Storage:
        """Give the storage to check."""
        self.place = f"{self.path}/{next(self.numbers)}"
        return self.again(clock)

    def again(self, clock: FakeClock) -> Storage:
        """Give one more over the same directory."""
        del clock
        return self.place_at(self.place, ROOM, None)

    def bounded(self, clock: FakeClock, entries: int | None, size: int | None) -> Storage | None:
        """Give one with small bounds; those who share a directory keep theirs roughly, and do not say to be bounded."""
        del clock
        made = self.place_at(f"{self.path}/{next(self.numbers)}", entries, size)
        return made if isinstance(made, FileStorage) else None

    def place_at(self, place: str, entries: int | None, size: int | None) -> Files:
        """Make a storage, and wait for it from now on as well."""
        self.made.append(self.make(place, entries, size))
        return self.made[-1]

    async def pass_time(self, seconds: float) -> None:
        """Let `seconds` pass a little at a time, so that what is done meanwhile comes to its thread and back."""
        steps = max(min(int(seconds / 0.25), STEPS), 1)
        for _ in range(steps):
            await super().pass_time(seconds / steps)
            await self.settle()

    async def settle(self) -> None:
        """Let everything run until nothing is ready, and nothing is with the thread."""
        await self.clock.settle()
        while busy := [each for each in self.made if each.is_busy]:
            for each in busy:
                await each.idle()
            await self.clock.settle()


class TestFiles(Placed, StorageContract):
    """The file storage keeps the contract of storages."""


class WithShortPauses:
    """A clock turned by hand, on which short pauses pass by themselves, as between two looks at a lease."""

    def __init__(self, clock: FakeClock) -> None:
        self.monotonic = clock.monotonic
        self.time = clock.time
        self._clock = clock

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await (SystemClock().sleep(seconds) if 0.0 < seconds <= SHORT else self._clock.sleep(seconds))


class OverFiles(Placed, ProviderCase):
    """A provider over files."""

    def over(self, storage: Storage, clock: FakeClock) -> Provider:
        """Give the provider to check."""
        return Provider(storage, clock=WithShortPauses(clock))


class TestProviderOverFiles(OverFiles, ProviderContract):
    """A provider over files keeps the contract of providers."""


class TestNamespaces(InNamespace, OverFiles, ProviderContract):
    """A namespace over files is a provider like any other."""

    @pytest.fixture(autouse=True, params=["owner"])
    def choose(self, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        """Run each check for one shape."""
        self.make = SHAPES[request.param]
        self.path = tmp_path
        self.numbers = count()
        self.made: list[Files] = []
