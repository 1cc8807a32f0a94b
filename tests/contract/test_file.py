"""Both contracts over the file storage, in the shapes that it may be given."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

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

SHAPES: dict[str, Callable[[str], FileStorage | SharedFileStorage]] = {
    "owner": lambda path: file_storage(path, codec()),
    "owner, gathering": lambda path: file_storage(path, codec(), gathers=True),
    "shared": lambda path: file_storage(path, codec(), shared=True),
}


class Placed(Contract):
    """Gives each storage a directory of its own, and waits for its thread where everything is to settle."""

    @pytest.fixture(autouse=True, params=list(SHAPES))
    def choose(self, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        """Run each check for each shape."""
        self.make = SHAPES[request.param]
        self.path = tmp_path
        self.numbers = count()

    def storage(self, clock: FakeClock) -> Storage:
        """Give the storage to check."""
        self.place = f"{self.path}/{next(self.numbers)}"
        return self.again(clock)

    def again(self, clock: FakeClock) -> Storage:
        """Give one more over the same directory."""
        del clock
        self.made = self.make(self.place)
        return self.made

    async def pass_time(self, seconds: float) -> None:
        """Let `seconds` pass a little at a time, so that what is done meanwhile comes to its thread and back."""
        steps = max(min(int(seconds / 0.125), 100), 1)
        for _ in range(steps):
            await super().pass_time(seconds / steps)
            await self.settle()

    async def settle(self) -> None:
        """Let everything run until nothing is ready, and nothing is with the thread."""
        await self.clock.settle()
        while self.made.is_busy:
            await self.made.idle()
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

    async def provider(self, clock: FakeClock) -> Provider:
        """Give the provider to check."""
        return Provider(self.storage(clock), clock=WithShortPauses(clock))


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
