"""The file system refuses one call after the other: each `open`, `read`, `write`, `rename` ... that a call makes of it.

The method is that of `test_faults`: the first of them fails, then, from the beginning, the second, and so on until the
provider's call needs no more of them. Index and files agree afterwards, and no half of a file is left.
"""

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from random import Random
from secrets import token_hex
from typing import Any, Final

import pytest

from aiocache_kit import MISSING, CacheError, LockLostError, Provider, StorageError
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.file import directory, file_storage, freeing
from tests.concurrency.quiet import is_quiet, nothing_stays, works
from tests.concurrency.subjects import CALLS, clock_of, is_old_new_or_gone, provider
from tests.concurrency.wholes import is_done

REFUSED: Final = frozenset(
    (
        *("open", "mkdir", "chmod", "fchmod", "stat", "fstat", "pread", "pwrite", "fsync", "read", "write", "writev"),
        *("rename", "unlink", "rmdir", "listdir", "scandir", "utime", "close"),
    )
)
"""What the directory asks the system for."""


class System:
    """The calls of the system, in the place of the module `os`; one of them is refused when it is ordered.

    A descriptor is closed even if closing it says that something went wrong, as on Linux.
    """

    def __init__(self) -> None:
        self.made = 0
        """How many calls there were since the last order."""
        self.at = 0
        self.number = errno.EIO

    def refuse(self, at: int, number: int) -> None:
        """Refuse the call `at`, counted from 1 and from now; 0: none."""
        self.made, self.at, self.number = 0, at, number

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  - of `os`
        function: Any = getattr(os, name)
        return self._counted(name, function) if name in REFUSED else function

    def _counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401  - whatever it takes
            self.made += 1
            is_struck = self.made == self.at
            if is_struck and name != "close":
                raise OSError(self.number, os.strerror(self.number))
            result = function(*arguments, **options)
            if is_struck:
                raise OSError(self.number, os.strerror(self.number))
            return result

        return call


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    """Stand between directories and the system."""
    system = System()
    for module in (directory, freeing):
        monkeypatch.setattr(module, "os", system)
    yield system
    system.refuse(0, 0)


SHAPES: Final[dict[str, dict[str, Any]]] = {
    "written through": {},
    "shared": {"shared": True},
    "gathered": {"gathers": True},
    "synced": {"fsync": True},
}
over_shapes = pytest.mark.parametrize("shape", SHAPES)
REASONS: Final = {"broken": errno.EIO, "full": errno.ENOSPC, "refused": errno.EACCES}


def made(path: object, shape: str) -> Any:  # noqa: ANN401  - one of two classes
    """Make a storage in a directory of its own."""
    return file_storage(f"{path}/{token_hex(6)}", Codec(JsonSerializer()), janitor_interval=1e-9, **SHAPES[shape])


async def ended(cache: Provider, call: str) -> object:
    """Wait for a call to end; give what it gave, or its error, which says that the storage failed."""
    try:
        outcome = await CALLS[call](cache)
        await cache._core.storage.sync()
    except StorageError as error:
        return error
    except CacheError as error:
        assert isinstance(error, LockLostError)  # noqa: PT017  - an outcome like any other
        return error
    return outcome


async def refuse(path: object, system: System, shape: str, call: str, draw: Callable[[int], Iterable[int]]) -> None:
    """Refuse those calls of the system that `draw` gives out of so many, each from the beginning."""
    made_of = await refuse_once(path, system, shape, call, 0)
    for at in draw(made_of):
        await refuse_once(path, system, shape, call, at)


async def refuse_once(path: object, system: System, shape: str, call: str, at: int) -> int:
    """Make a call while the system refuses one, and look at what is left; give how many calls it took. 0: none."""
    storage = made(path, shape)
    clock = clock_of(storage)
    async with provider(storage, clock) as cache:
        await storage.sync()
        system.refuse(at, list(REASONS.values())[at % len(REASONS)])
        outcome = await ended(cache, call)
        count = system.made
        system.refuse(0, 0)
        await storage.sync()
        if call == "clear":
            await storage.tidy()  # what it had set aside and could not remove is removed the next time
        await is_quiet(cache, clock, claims=not at)
        if not at:
            await is_done(cache, call, outcome)
        await is_old_new_or_gone(cache, call)
        if at:
            await works(cache)
            await is_quiet(cache, clock, policies=False, claims=False)
    return count


@pytest.mark.parametrize(
    ("shape", "most", "call"),
    [
        *(("written through", 30 if call == "set" else 3, call) for call in CALLS),
        *(("gathered", 1, call) for call in CALLS),
        *(("shared", 1, call) for call in list(CALLS)[::4]),
    ],
)
async def test_a_call_that_the_system_refuses(
    tmp_path: object, system: System, shape: str, most: int, call: str
) -> None:
    """With any one call of the system refused, a call fails as a storage does or copes, and leaves nothing half."""
    random = Random(f"{shape}, {call}")  # noqa: S311  - to repeat a run; `tests.fuzz.strike` takes all
    await refuse(tmp_path, system, shape, call, lambda count: random.sample(range(1, count + 1), min(most, count)))


def places() -> Iterator[int]:
    """Give which call is to be refused while it opens or closes: each of the first, and then fewer and fewer."""
    at = 1
    while at < 10_000:
        yield at
        at += 1 + at // 2


@over_shapes
async def test_an_opening_that_the_system_refuses(tmp_path: object, system: System, shape: str) -> None:
    """With any one call refused, opening fails and can be tried again, or copes; closing lets go of everything."""
    for at in places():
        storage = made(tmp_path, shape)
        clock = clock_of(storage)
        async with nothing_stays(storage, clock) as cache:
            system.refuse(at, errno.EIO)
            with suppress(StorageError):
                await cache.set("k", 1)
            was_struck = system.made >= at
            system.refuse(0, 0)
            await cache.set("k", 1)
            assert await cache.get("k") == 1
            await is_quiet(cache, clock)
            await cache.close()
        if not was_struck:
            return
    pytest.fail("opening needs the system for ever")


@over_shapes
async def test_a_closing_that_the_system_refuses(tmp_path: object, system: System, shape: str) -> None:
    """With any one call refused, closing lets go of everything, and what was written through is there again."""
    for at in places():
        storage = made(tmp_path, shape)
        clock = clock_of(storage)
        async with nothing_stays(storage, clock) as cache:
            await cache.set_multi({"k": 1, "l": 2})
            system.refuse(at, errno.EIO)
            with suppress(StorageError):
                await cache.close()
            was_struck = system.made >= at
            system.refuse(0, 0)
        again = file_storage(storage.files.directory.path, Codec(JsonSerializer()), **SHAPES[shape])
        async with Provider(again, clock=clock) as cache:
            assert await cache.get("k", MISSING) in ([1, MISSING] if shape == "gathered" else [1])
        if not was_struck:
            return
    pytest.fail("closing needs the system for ever")
