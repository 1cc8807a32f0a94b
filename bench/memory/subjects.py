"""aiocache_kit with each of its eviction policies: they differ in what they remember of an entry."""

from typing import Final

from aiocache_kit.management.eviction import POLICIES
from aiocache_kit.provider import Provider
from aiocache_kit.storage.memory import memory_storage
from bench.compare.ours import Ours, OursLru
from bench.compare.subject import Subject


def _with_policy(policy: str) -> type[Subject]:
    class OursWithPolicy(Ours):
        name = f"aiocache_kit, {policy}"
        settings = f"Provider over the memory storage, eviction_policy={policy!r}"

        async def open(self, entries: int) -> None:
            self.cache = Provider(memory_storage(max_entries=entries, eviction_policy=policy))
            await self.cache.ping()

    return OursWithPolicy


SUBJECTS: Final[list[type[Subject]]] = [Ours, OursLru, *map(_with_policy, POLICIES)]
