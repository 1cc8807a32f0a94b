"""What is compared: a cache with the loops that are timed.

Rule 1: a method that takes `keys` is a loop over one operation, written as its users would write it, with the method
looked up once before the loop. What a library has no call for is not there, and it has no part in that comparison.
Rule 2: all loops are coroutines, those of libraries without one included. Their calls inside are plain calls, which a
program on an event loop may make as well; `plain` says so, because a plain call costs less than the least `await`.
Rule 3: what is read is checked when the subject is filled, and not in the loops.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ClassVar, Final, TypeAlias, cast

from bench.measure import Loop

Call: TypeAlias = Callable[[str], Awaitable[object]]
"""Takes a key and gives its value."""
TTL: Final = 600
VALUE: Final = bytes(range(100))
"""What is stored: one object that no library needs to copy, encode or look into."""


class Subject(ABC):
    """One library at its best settings. Used once: `open`, then loops, then `close`."""

    name: ClassVar[str]
    package: ClassVar[str] = ""
    """The distribution whose version belongs to the results; "": none."""
    settings: ClassVar[str]
    """What was chosen for it, in words."""
    plain: ClassVar[bool] = False
    """Whether its calls are made without `await`."""

    @abstractmethod
    async def open(self, entries: int) -> None:
        """Make the cache, empty, for so many entries."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of it."""

    async def holds(self, key: str) -> bool:
        """Whether `VALUE` is read under `key`."""
        del key
        return False

    async def fill(self, keys: Sequence[str]) -> None:
        """Store `VALUE` under each key for `TTL` seconds."""
        store = self.loop("set")
        if store is not None:
            await store(keys)

    async def set_until(self, keys: Sequence[str], end: float) -> None:
        """Store `VALUE` under each key until the instant `end` of the monotonic clock."""
        raise NotImplementedError

    async def set_tagged(self, keys: Sequence[str]) -> None:
        """Store `VALUE` under each key with the tag ``users``."""
        raise NotImplementedError

    async def expire(self) -> None:
        """Do what is not done in the background about entries whose time is over."""

    async def clear(self) -> None:
        """Remove everything."""
        raise NotImplementedError

    async def drop_prefix(self, prefix: str) -> None:
        """Remove what begins with `prefix`."""
        raise NotImplementedError

    async def drop_tag(self) -> None:
        """Invalidate the tag ``users``."""
        raise NotImplementedError

    async def count(self) -> int:
        """Count what is held, dead or alive."""
        raise NotImplementedError

    @classmethod
    def has(cls, call: str) -> bool:
        """Whether the library has this call: whether it stands here in more than name."""
        return getattr(cls, call) is not getattr(Subject, call)

    def loop(self, name: str) -> Loop | None:
        """Give the loop by that name, None where the library has no call for it."""
        return cast("Loop | None", getattr(self, name, None))

    def loading(self, load: Call) -> Mapping[str, Call]:
        """Give the ways in which the library asks `load` for a missing key, by what its users call them."""
        del load
        return {}

    def decorated(self) -> Mapping[str, Loop]:
        """Give loops over decorated functions, by how their key is made: ``template`` and ``default``."""
        return {}


async def load_user(user_id: str) -> bytes:
    """Stand for a query: it is what is decorated, and is called once a key."""
    del user_id
    return VALUE
