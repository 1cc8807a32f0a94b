"""What is weighed: aiocache_kit with each of its eviction policies, which remember different things, and the rivals."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from aiocache_kit.management.eviction import POLICIES
from bench import compare
from bench.compare.ours import Ours, OursLru
from bench.compare.subject import Subject


def _with_policy(policy: str) -> type[Subject]:
    class OursWithPolicy(Ours):
        name: ClassVar[str] = f"aiocache_kit, {policy}"
        settings: ClassVar[str] = f"Config(provider='memory', eviction_policy={policy!r})"
        config: ClassVar[Mapping[str, Any]] = {"provider": "memory", "eviction_policy": policy}

    return OursWithPolicy


def subjects() -> Iterator[type[Subject]]:
    """Give them one by one, the rivals last, each imported when it is its turn."""
    yield Ours
    yield OursLru
    yield from map(_with_policy, POLICIES)
    yield from compare.load("Cashews", "Aiocache", "Cachetools", "Cachebox", "CacheboxVariable", "Theine")
