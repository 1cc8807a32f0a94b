"""Any sequence of calls of two providers that share a prefix in Redis agrees with a dict, whoever makes which call."""

import secrets
from collections.abc import Coroutine
from typing import Any, ClassVar, TypeVar

import pytest
import redis
from hypothesis import settings
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from aiocache_kit import DEFAULT, NotFoundError, Provider
from aiocache_kit.management.expiration import life_of
from aiocache_kit.storage.redis.payloads import BARE
from tests.contract.redis_case import OLDER
from tests.contract.test_file import WithShortPauses
from tests.integration.redis.caches import cache_at, storage_of
from tests.property.test_provider import Calls, Shape, Space, Writing, examples, keys, seconds, spaces, writings
from tests.servers.server import Server

T = TypeVar("T")

pytestmark = pytest.mark.blocking  # the machine makes keys older between its calls, and waits for that

STRETCH = 400
"""By how much all times are longer than those of the machine, so that real time, which goes on, does not matter."""
DRIFT = 15.0
"""Seconds of real time that a sequence takes at most: less than half of the shortest time."""
TTLS = {
    "set": 2,
    "set_multi": 1,
    "add": 2,
    "replace": 2,
    "compare_and_set": 3,
    "update": 2,
    "touch": 1,
    "get_or_set": 2,
    "get_or_set_multi": 2,
}
"""Calls that take a ttl, and its place."""


def stretched(ttl: Any) -> Any:  # noqa: ANN401  - whatever may be a ttl
    """Make a ttl longer."""
    return ttl if ttl is DEFAULT or ttl is None else life_of(ttl) * STRETCH


class Stretched:
    """A provider to which all ttls are longer than they are told."""

    def __init__(self, cache: Provider) -> None:
        self._cache = cache

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  - whatever a provider has
        method = getattr(self._cache, name)
        place = TTLS.get(name)

        def call(*given: Any, **options: Any) -> Any:  # noqa: ANN401  - as above
            if "ttl" in options:
                return method(*given, **options | {"ttl": stretched(options["ttl"])})
            if place is None:
                return method(*given, **options)
            return method(*given[:place], stretched(given[place]), *given[place + 1 :], **options)

        return call


class TakingTurns(dict[Space, Any]):
    """The namespaces of the provider whose turn it is, each time that one is asked for."""

    def __init__(self, pair: list[Provider]) -> None:
        super().__init__()
        self.pair = pair

    def __getitem__(self, space: Space) -> Any:  # noqa: ANN401  - a provider that is stretched
        cache = self.pair[0]
        self.pair = self.pair[::-1]
        for name in space:
            cache = cache.namespace(name)
        return Stretched(cache)


class RedisCalls(Calls):
    """Calls two providers, taking turns, and a model."""

    server: ClassVar[Server]
    options: ClassVar[dict[str, Any]]

    def __init__(self) -> None:
        self.prefix = f"{secrets.token_hex(6)}:"
        super().__init__()
        self.run(self.cache.close())
        self.pair = [self.begun() for _ in range(2)]
        self.cache = self.pair[0]
        self.caches = TakingTurns(self.pair)
        self.admin: Any = redis.Redis(unix_socket_path=str(self.server.socket))

    def begun(self) -> Provider:
        """Make a provider at the server, on the clock that is turned by hand."""
        storage = storage_of(cache_at(self.server.port, self.prefix, **self.options))
        return Provider(storage, clock=WithShortPauses(self.clock))

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        """Run one call to its end, from a moment on at which both have the news of what the other has changed.

        What is kept here may be given until they arrive, which is on the connections by which it was read, and before
        the reply to whatever is asked after them.
        """
        if "client_cache" in self.options:
            for cache in getattr(self, "pair", ()):
                for large in (False, True):
                    super().run(storage_of(cache)._channel.call((b"PING",), large=large))
        return super().run(call)

    def teardown(self) -> None:
        """Close both."""
        self.pair, (_, other) = [], self.pair
        self.run(other.close())
        self.admin.eval(OLDER, 0, f"{self.prefix}*", "")
        self.admin.close()
        super().teardown()

    @invariant()
    def nothing_is_left_of_any_call(self) -> None:
        """No load, lock, turn or mark of a store is left in either."""
        for cache in self.pair:
            core = cache._core
            flights = core.flights
            assert not flights.flights
            assert not flights._all
            assert not flights._storing
            assert not flights._changing
            assert not flights._clearing
            assert len(core.locks) == len(core.turns) == 0
            assert not storage_of(cache)._leases._held
        assert self.clock.sleepers <= len(self.pair)

    @rule(space=spaces, key=keys)
    def get_item(self, space: Space, key: str) -> None:
        """An item tells what is known; the version of a bare integer is its value, and is not remembered."""
        entry = self.live(space, key)
        try:
            item = self.run(self.caches[space].get_item(key))
        except NotFoundError:
            assert entry is None
            return
        assert entry is not None
        assert (item.key, item.value, item.is_stale) == (key, entry.value, False)
        assert {(space, tag) for tag in item.tags} == entry.tags
        left = float("inf") if item.expiration is None else item.expiration - self.clock.time()
        expected = entry.until - self.clock.monotonic()
        assert left == expected or abs(left - expected) < DRIFT
        if not item.version & BARE:
            for other in self.model.values():
                other.versions.discard(item.version)
            entry.versions.add(item.version)

    def put(self, space: Space, key: str, writing: Writing) -> None:
        """Store in the model, for as long as it is stored for in Redis."""
        super().put(space, key, writing)
        self.model[space, key].until = self.clock.monotonic() + self.life(writing)

    def life(self, writing: Writing) -> float:
        """Give the seconds that something lives for."""
        return 600.0 if writing.ttl is DEFAULT else writing.life * STRETCH

    @rule(space=spaces, key=keys, new=writings)
    def touch(self, space: Space, key: str, new: Writing) -> None:
        """The end moves."""
        entry = self.live(space, key)
        super().touch(space, key, new)
        if entry is not None:
            entry.until = self.clock.monotonic() + self.life(new)

    @rule(seconds=seconds)
    def advance(self, seconds: float) -> None:
        """Time passes, here and at the server."""
        self.leap(seconds)
        self.run(self.clock.advance(1.0))
        self.age(1.0)

    @rule(seconds=seconds)
    def leap(self, seconds: float) -> None:
        """Time passes while the processes stand still."""
        self.age(seconds * STRETCH)
        self.clock.leap(seconds * STRETCH)

    def age(self, seconds: float) -> None:
        """Make the keys at the server older."""
        if seconds:
            self.admin.eval(OLDER, 0, f"{self.prefix}*", int(seconds * 1000))


SHAPES: dict[str, dict[str, Any]] = {
    "multiplexed": {},
    "pooled": {"multiplexed": False, "pool_size": 2},
    "client cache": {"client_cache": "1MB"},
}


@pytest.mark.parametrize("name", SHAPES)
def test_any_sequence_of_calls_in_two_processes_agrees_with_a_dict(name: str, redis_server: Server) -> None:
    """Whatever two providers are called in whatever order, what they give is what one dict would give."""

    class Shaped(RedisCalls):
        server = redis_server
        options = SHAPES[name]
        shape = Shape(lambda: storage_of(cache_at(redis_server.port, "unused:")))

    run_state_machine_as_test(Shaped, settings=settings(max_examples=examples(evicts=True)))
