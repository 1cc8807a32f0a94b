"""async-lru: `functools.lru_cache` for coroutine functions; there is nothing but the decorator."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from async_lru import alru_cache

from bench.compare.subject import TTL, Call, Subject, load_user
from bench.measure import Loop


class AsyncLru(Subject):
    """Its decorator; its keys are tuples of the arguments, which never leave the process."""

    name: ClassVar[str] = "async-lru"
    package: ClassVar[str] = "async-lru"
    settings: ClassVar[str] = "alru_cache with a ttl; the key is always made of the arguments"

    async def open(self, entries: int) -> None:
        """Remember how many entries there may be."""
        self.entries = entries

    async def close(self) -> None:
        """There is nothing but what is decorated."""

    def loading(self, load: Call) -> Mapping[str, Call]:
        """Load by the decorator."""

        async def loaded(key: str) -> object:
            return await load(key)

        return {"alru_cache": alru_cache(maxsize=self.entries, ttl=TTL)(loaded)}

    def decorated(self) -> Mapping[str, Loop]:
        """Decorate."""
        decorated = alru_cache(maxsize=self.entries, ttl=TTL)(load_user)

        async def call(keys: Sequence[str]) -> None:
            for key in keys:
                await decorated(key)

        return {"template": call, "default": call}
