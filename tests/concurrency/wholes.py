"""Storages that are made of others, each part of which can be struck; another arrangement is one line more."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from random import Random
from secrets import token_hex
from typing import Any, Final, TypeAlias

import pytest

from aiocache_kit import MISSING, Provider
from aiocache_kit.clock import Clock
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.distributed import DistributedStorage, Node
from aiocache_kit.storage.file import file_storage
from aiocache_kit.storage.layered import Layer, LayeredStorage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import Exchange, FakeClock, FaultyStorage
from tests.concurrency.subjects import REMOVALS, WRITES, over_redis

Request: TypeAlias = pytest.FixtureRequest
QUICK: Final[dict[str, Any]] = {"probe_after": 0.01, "random": Random(0)}  # noqa: S311  - to repeat a run
"""What lets a part that failed be tried again before a test is over, where time is real."""


@dataclass
class Whole:
    """A storage, and what it is made of, the lowest last."""

    storage: Storage
    parts: Sequence[FaultyStorage]
    loses: Collection[str] = ()
    """The calls in which a fault may cost the items that they change."""

    def may_be(self, call: str, allowed: list[object]) -> list[object]:
        """Give what a value may be after a fault in `call`, if `allowed` is what it may be elsewhere."""
        return [*allowed, MISSING] if call in self.loses else allowed


Build: TypeAlias = Callable[[Request], Callable[[], Whole]]


def _layers(*storages: Storage, **options: Any) -> Whole:  # noqa: ANN401  - of `LayeredStorage`
    layers = [Layer(storage, f"layer {place}") for place, storage in enumerate(storages)]
    parts = [storage for storage in storages if isinstance(storage, FaultyStorage)]
    loses = ["set"] if options.get("on_failure") != "raise" else []  # what has tags does not wait: it is removed
    return Whole(LayeredStorage(layers, **(QUICK | options)), parts, loses)


def _nodes(*storages: FaultyStorage, **options: Any) -> Whole:  # noqa: ANN401  - of `DistributedStorage`
    nodes = [Node(name, storage) for name, storage in zip("abcdef", storages, strict=False)]
    # A node that is out is tried again after twice the time; few points on the ring are quickly drawn.
    options = QUICK | {"timeout": 0.5, "virtual_nodes": 4} | options
    # What may have missed a change is removed where there is no other copy.
    loses = {"touch", *WRITES, *REMOVALS} if options.get("replicas", 1) == 1 else ()
    return Whole(DistributedStorage(nodes, **options), storages, loses)


def faulty(storage: Storage | None = None) -> FaultyStorage:
    """Make a part: memory, or what is given."""
    return FaultyStorage(memory_storage() if storage is None else storage, turns=True)


def _over_files(request: Request) -> Callable[[], Whole]:
    place = request.getfixturevalue("tmp_path")

    def make() -> Whole:
        lowest = faulty(file_storage(f"{place}/{token_hex(6)}", Codec(JsonSerializer())))
        return _layers(memory_storage(), lowest)

    return make


def _over_redis(request: Request) -> Callable[[], Whole]:
    make = over_redis("multiplexed")(request)
    return lambda: _layers(faulty(), faulty(make()))


def _nodes_over_redis(request: Request) -> Callable[[], Whole]:
    make = over_redis("multiplexed")(request)
    return lambda: _nodes(*(faulty(make()) for _ in range(3)), replicas=2)


IN_MEMORY: Final[dict[str, Callable[[], Whole]]] = {
    "two layers": lambda: _layers(faulty(), faulty()),
    "tables before a layer": lambda: _layers(memory_storage(), faulty()),
    "a layer whose failures are raised": lambda: _layers(memory_storage(), faulty(), on_failure="raise"),
    "three layers, one failure is enough": lambda: _layers(memory_storage(), faulty(), faulty(), failures=1),
    "layers with news": lambda: _layers(faulty(), faulty(), backplane=Exchange().connect()),
    "three nodes": lambda: _nodes(faulty(), faulty(), faulty()),
    "three nodes, two copies": lambda: _nodes(faulty(), faulty(), faulty(), replicas=2),
    "three nodes, one failure is enough": lambda: _nodes(faulty(), faulty(), faulty(), replicas=3, failures=1),
    "nodes that may be missing": lambda: _nodes(faulty(), faulty(), on_failure="miss"),
}
"""Those that need no server and no file."""

OVER_OTHERS: Final[dict[str, Build]] = {
    "tables before files": _over_files,
    "a layer before Redis": _over_redis,
    "nodes over Redis": _nodes_over_redis,
}


def _as_it_is(make: Callable[[], Whole]) -> Build:
    return lambda _: make


WHOLES: Final[dict[str, Build]] = {name: _as_it_is(make) for name, make in IN_MEMORY.items()} | OVER_OTHERS


async def mended(whole: Whole, clock: Clock) -> None:
    """Let what was missed be made up for, where time does not pass by itself."""
    for part in whole.parts:
        part.heal()
    if isinstance(clock, FakeClock):
        await clock.advance(1.5)


EFFECTS: Final[dict[str, object]] = {
    **dict.fromkeys(("set", "replace", "update", "set_multi"), "new"),
    **dict.fromkeys(("delete", "pop", "delete_multi", "invalidate_tags", "invalidate_prefix", "clear"), MISSING),
    "expire": MISSING,
}
"""What is under "k" once the call has ended without an error, and did not say that it did nothing."""


async def is_done(cache: Provider, call: str, outcome: object) -> None:
    """Assert that a call that ended well has done what it says; `outcome` is what it gave, or its error."""
    if call in EFFECTS and outcome is not False and not isinstance(outcome, BaseException):
        assert await cache.get("k", MISSING) == EFFECTS[call]
