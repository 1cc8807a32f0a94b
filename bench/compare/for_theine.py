"""theine: W-TinyLFU with a core in Rust and a maintenance thread."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from time import monotonic
from typing import ClassVar, Final

from theine import Cache, Memoize

from bench.compare.subject import TTL, VALUE, Call, Subject, load_user
from bench.measure import Loop

LIFE: Final = timedelta(seconds=TTL)


class Theine(Subject):
    """Its cache for one thread."""

    name: ClassVar[str] = "theine"
    package: ClassVar[str] = "theine"
    settings: ClassVar[str] = "nolock=True, which is for programs of one thread; the ttl made beforehand"
    plain: ClassVar[bool] = True
    nolock: ClassVar[bool] = True

    async def open(self, entries: int) -> None:
        """Make it."""
        self.entries = entries
        self.cache: Cache[str, bytes] = Cache(entries, nolock=self.nolock)

    async def close(self) -> None:
        """Stop its thread."""
        self.cache.close()

    async def holds(self, key: str) -> bool:
        """Read."""
        return bool(self.cache.get(key) == (VALUE, True))

    async def get(self, keys: Sequence[str]) -> None:
        """Read."""
        get = self.cache.get
        for key in keys:
            get(key)

    async def set(self, keys: Sequence[str]) -> None:
        """Store."""
        set_ = self.cache.set
        for key in keys:
            set_(key, VALUE, LIFE)

    async def set_until(self, keys: Sequence[str], end: float) -> None:
        """Store with what is left until then as the ttl."""
        set_ = self.cache.set
        for key in keys:
            set_(key, VALUE, timedelta(seconds=end - monotonic()))

    async def clear(self) -> None:
        """Clear it."""
        self.cache.clear()

    async def count(self) -> int:
        """Ask it."""
        return len(self.cache)

    async def replay(self, keys: Sequence[str]) -> None:
        """Read; store what is missing."""
        get, set_ = self.cache.get, self.cache.set
        for key in keys:
            if not get(key)[1]:
                set_(key, VALUE, LIFE)

    def loading(self, load: Call) -> Mapping[str, Call]:
        """Load by the decorator."""

        async def loaded(key: str) -> object:
            return await load(key)

        return {"Memoize": Memoize(self.entries, LIFE)(loaded)}

    def decorated(self) -> Mapping[str, Loop]:
        """Decorate with a function that makes the key, and with a key of the arguments."""
        by_template = Memoize(self.entries, LIFE, nolock=True)(load_user)
        by_template.key(lambda user_id: f"user:{user_id}")
        by_default = Memoize(self.entries, LIFE, nolock=True)(load_user)

        async def template(keys: Sequence[str]) -> None:
            for key in keys:
                await by_template(key)

        async def default(keys: Sequence[str]) -> None:
            for key in keys:
                await by_default(key)

        return {"template": template, "default": default}


class TheineLocked(Theine):
    """With its locks: its own thread removes what has expired while the program writes."""

    settings: ClassVar[str] = "with its locks; expired entries are removed by its thread"
    nolock: ClassVar[bool] = False
