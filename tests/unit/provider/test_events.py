import asyncio
import gc
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from aiocache_kit import MISSING, Config, LoadConfig, NotFoundError, Provider, cached, new_layered, new_provider
from aiocache_kit.errors import InvalidArgumentError, ProviderClosedError, StorageUnavailableError
from aiocache_kit.events import (
    READS,
    CircuitChange,
    CircuitState,
    Event,
    EventKind,
    Failure,
    Hit,
    KeyEvent,
    Load,
    Miss,
    Refresh,
    Removal,
    StaleHit,
)
from aiocache_kit.provider.hot_path import REPLACED
from aiocache_kit.storage.distributed import DistributedStorage, Node
from aiocache_kit.storage.layered import Layer, LayeredStorage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.storage.table import Table
from aiocache_kit.testing import FakeClock, FaultyStorage


def told(events: list[Event]) -> list[tuple[str, str | None]]:
    """Give kind and key of each event."""
    return [(str(event.kind), event.key if isinstance(event, KeyEvent) else None) for event in events]


STACKS: dict[str, Callable[[], Provider]] = {
    "memory": new_provider,
    "lru": lambda: new_provider(Config(provider="lru")),
    "a storage without tables": lambda: Provider(FaultyStorage(memory_storage())),
    "layers": lambda: new_layered(Config(), Config(provider="lru"), backplane=None),
    "a namespace": lambda: new_provider().namespace("n"),
}


@pytest.fixture(params=list(STACKS))
def cache(request: pytest.FixtureRequest) -> Provider:
    """A provider over each kind of way in."""
    return STACKS[request.param]()


# --- reads -----------------------------------------------------------------------------------------------------------

READING: dict[str, Callable[[Provider], Awaitable[Any]]] = {
    "get": lambda cache: cache.get("k"),
    "get with a type": lambda cache: cache.get("k", type=int),
    "get_item": lambda cache: cache.get_item("k"),
    "get_multi": lambda cache: cache.get_multi(["k", "k"]),
    "get_multi of an iterator": lambda cache: cache.get_multi(iter(["k"])),
    "get_or_set": lambda cache: cache.get_or_set("k", lambda: 1),
    "get_or_set with a type": lambda cache: cache.get_or_set("k", lambda: 1, type=int),
    "get_or_set_multi": lambda cache: cache.get_or_set_multi(["k"], lambda keys: dict.fromkeys(keys, 1)),
    "pop": lambda cache: cache.pop("k"),
}


@pytest.mark.parametrize("call", list(READING))
async def test_each_read_is_told_once(cache: Provider, call: str) -> None:
    """Whatever call reads, by whatever way: a hit is one event and so is a miss, and the counters say the same."""
    async with cache:
        async with cache.events(kinds=READS, keys=True) as stream:
            try:
                await READING[call](cache)
            except NotFoundError:
                assert call == "get_item"
            assert told(stream.take()) == [("miss", "k")]
            await cache.set("k", 1)
            await READING[call](cache)
            assert told(stream.take()) == [("hit", "k")]
        stats = await cache.stats()

        assert (stats.hits, stats.misses) == (1, 1)
        await cache.close()


async def test_a_look_without_waiting_is_told(cache: Provider) -> None:
    """What decorators look up at once is a hit as well; that nothing was there at once is told by who asks next."""
    async with cache, cache.events(kinds=READS, keys=True) as stream:
        await cache.set("k", 1)
        found = cache.lookup("k")

        assert told(stream.take()) == [("hit", "k")] * (found is not MISSING)
        await cache.close()


async def test_old_values_are_told_as_what_they_are() -> None:
    """A hit that is old, the load behind it, and the fall-back for a source that fails."""
    clock = FakeClock()
    policy = LoadConfig(stale_while_revalidate=10, stale_if_error=100)
    async with new_provider(Config(default_ttl=5, load_config=policy), clock=clock) as cache:

        async def load() -> int:
            return 1

        async def fail() -> int:
            raise LookupError

        async with cache.events(keys=True) as stream:
            await cache.get_or_set("k", load)
            await clock.advance(6.0)
            await cache.get_or_set("k", load)
            await clock.settle()
            assert [kind for kind, _ in told(stream.take())] == ["miss", "load", "stale_hit", "refresh", "load"]
            await clock.advance(20.0)
            await cache.get_or_set("k", fail)
            kinds = told(stream.take())

        assert ("load", "k") in kinds
        assert kinds[-1] == ("stale_hit", "k")


async def test_loads_are_told_with_what_became_of_them() -> None:
    """One event a run of a loader: how long, for how many keys, and the class of its error."""

    async def fail(keys: list[str]) -> dict[str, int]:
        raise LookupError(f"secret {keys}")

    async with new_provider() as cache, cache.events(kinds=["load"], keys=True) as stream:
        await asyncio.gather(*(cache.get_or_set("user:1", lambda: 1) for _ in range(5)))
        with pytest.raises(LookupError):
            await cache.get_or_set_multi(["a:1", "a:2"], fail)
        first, second = stream.take()

        assert isinstance(first, Load)
        assert (first.key, first.group, first.keys, first.ok, first.error) == ("user:1", "user:*", 1, True, "")
        assert first.seconds > 0.0
        assert isinstance(second, Load)
        assert (second.key, second.keys, second.ok, second.error) == ("a:1", 2, False, "LookupError")
        assert "secret" not in repr(second)


async def test_a_sample_of_reads() -> None:
    """Of reads about one of so many is told, each with its weight; loads all are."""
    async with new_provider() as cache, cache.events(sample=10, room=10_000) as stream:
        await cache.set("k", 1)
        for number in range(2000):
            await cache.get("k")
            await cache.get_or_set(f"l:{number % 5}", lambda: 1)
        events = stream.take()

    hits = [event for event in events if isinstance(event, Hit)]
    assert 200 <= len(hits) <= 600
    assert {event.weight for event in hits} == {10}
    assert sum(isinstance(event, Load) for event in events) == 5


# --- removals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["memory", "lru"])
async def test_removals_have_a_cause(provider: str) -> None:
    """Room, time, a caller, an invalidation and another value are told apart."""
    clock = FakeClock()
    config = Config(provider=provider, max_entries=2, eviction_policy="lru", cleanup_interval=1)
    async with new_provider(config, clock=clock) as cache, cache.events(kinds=["removal"], keys=True) as stream:

        def causes() -> list[tuple[str | None, str]]:
            return [(event.key, event.cause) for event in stream.take() if isinstance(event, Removal)]

        await cache.set("a", 1)
        await cache.set("a", 2)
        await cache.delete("a")
        await cache.delete("a")
        assert causes() == [("a", "replaced"), ("a", "deleted")]
        for key in "bcd":
            await cache.set(key, 1, 5)
        assert causes() == [("b", "evicted")]
        await clock.advance(7.0)
        assert sorted(causes(), key=str) == [("c", "expired"), ("d", "expired")]
        await cache.set("e", 1, tags=["t"])
        await cache.invalidate_tags("t")
        await clock.advance(2.0)
        assert causes() == [("e", "invalidated")]
        await cache.set("f", 1, 5)
        clock.leap(6.0)
        await cache.delete("f")
        assert causes() == [("f", "expired")]


async def test_watching_a_table_changes_nothing_but_that_it_tells() -> None:
    """A table has its own class again once nobody listens, and holds what it held."""
    storage = memory_storage(shard_count=2)
    async with Provider(storage) as cache:
        await cache.set("k", 1)
        async with cache.events(kinds=["removal"]):
            assert all(type(table) is not Table for table in storage.tables)
            await cache.set("k", 2)
        assert all(type(table) is Table for table in storage.tables)
        assert await cache.get("k") == 2


async def test_layers_and_nodes_tell_by_name() -> None:
    """Removals and circuits of parts have the name that the part has in the statistics, inner ones after a slash."""
    clock = FakeClock()
    near, below = memory_storage(max_entries=1), FaultyStorage(memory_storage())
    ring = DistributedStorage([Node("a", below)], failures=1)
    storage = LayeredStorage([Layer(near, "near"), Layer(ring, "ring")])
    async with Provider(storage, clock=clock) as cache, cache.events(kinds=["removal", "circuit"]) as stream:
        await cache.set("k", 1)
        await cache.delete("k")
        removed = {event.layer for event in stream.take() if isinstance(event, Removal)}
        below.fail(StorageUnavailableError("away"), times=None)
        await cache.get("k")
        await clock.settle()
        changes = [event for event in stream.take() if isinstance(event, CircuitChange)]
        below.heal()
        for _ in range(10):
            await clock.advance(3.0)
            await cache.get("k")
        later = [event for event in stream.take() if isinstance(event, CircuitChange)]

    assert removed == {"near", "ring/a"}
    assert (changes[0].layer, changes[0].state) == ("ring/a", CircuitState.OPEN)
    assert [event.state for event in later if event.layer == "ring/a"] == [CircuitState.HALF_OPEN, CircuitState.CLOSED]


async def test_a_node_that_comes_later_is_heard_too() -> None:
    """Whoever listened before a node was added hears of it."""
    storage = DistributedStorage([Node("a", memory_storage(max_entries=10))])
    async with Provider(storage) as cache, cache.events(kinds=["removal"]) as stream:
        await storage.add_node(Node("b", memory_storage(max_entries=10)))
        for number in range(200):
            await cache.set(f"k{number}", 1)

        assert {event.layer for event in stream.take() if isinstance(event, Removal)} == {"a", "b"}


# --- failures --------------------------------------------------------------------------------------------------------


async def test_failures_are_told_once() -> None:
    """What a call raises, what is logged in the background and what is not stored: each once, by class alone."""
    storage = FaultyStorage(memory_storage())
    async with Provider(storage) as cache, cache.events(kinds=["failure"]) as stream:
        storage.fail(StorageUnavailableError("down"), of=["read"])
        with pytest.raises(StorageUnavailableError):
            await cache.get("k")
        storage.fail(StorageUnavailableError("down"), of=["read_multi"])
        with pytest.raises(StorageUnavailableError):
            await cache.get_or_set_multi(["k"], lambda keys: dict.fromkeys(keys, 1))
        storage.fail(StorageUnavailableError("down"), of=["write"])
        await cache.get_or_set("k", lambda: 1)
        events = stream.take()

    assert [(event.doing, event.error) for event in events if isinstance(event, Failure)] == [
        ("get", "StorageUnavailableError"),
        ("get_multi", "StorageUnavailableError"),
        ("store", "StorageUnavailableError"),
    ]


async def test_failures_in_the_background_are_told() -> None:
    """Cleaning up that fails is told, also where the log has just said the same."""
    clock, storage = FakeClock(), FaultyStorage(memory_storage())
    async with Provider(storage, clock=clock) as cache, cache.events(kinds=["failure"]) as stream:
        storage.fail(StorageUnavailableError("down"), of=["tidy"], times=None)
        await clock.advance(3.5)
        storage.heal()

        assert [event.doing for event in stream.take() if isinstance(event, Failure)] == ["tidy"] * 3


# --- what a listener chooses -----------------------------------------------------------------------------------------


async def test_keys_only_where_asked_for() -> None:
    """Without `keys` an event says the group of a key, and the namespace; the key is nowhere in it."""
    async with new_provider() as root, root.events() as stream, root.events(keys=True) as open_stream:
        cache = root.namespace("a").namespace("b:@%")
        await cache.get("user:secret")
        await root.get("@odd")
        events, open_events = stream.take(), open_stream.take()

    assert "secret" not in repr(events)
    assert [(each.namespace, each.group, each.key) for each in events if isinstance(each, Miss)] == [
        ("a:b:@%", "user:*", None),
        ("", "*", None),
    ]
    assert told(open_events) == [("miss", "user:secret"), ("miss", "@odd")]


async def test_a_namespace_hears_of_itself() -> None:
    """Events of a namespace are those of its keys, inner namespaces included, and those that are about no key."""
    storage = FaultyStorage(memory_storage())
    async with Provider(storage) as root:
        one, other = root.namespace("one"), root.namespace("other")
        async with one.events(keys=True) as stream:
            for cache in (root, one, other, one.namespace("in")):
                await cache.get("k")
            storage.fail(StorageUnavailableError("down"), of=["read"])
            with pytest.raises(StorageUnavailableError):
                await other.get("k")
            events = stream.take()

    assert [event.namespace for event in events if isinstance(event, Miss)] == ["one", "one:in"]
    assert [event.kind for event in events if not isinstance(event, Miss)] == [EventKind.FAILURE]


async def test_groups_by_a_rule_and_by_templates() -> None:
    """Decorated functions name the groups of their keys, and a rule of the user's own comes before that."""
    async with new_provider() as root:

        @cached(root.namespace("n"), key="user:{user_id}:{lang}")
        async def load(user_id: int, lang: str) -> str:
            return f"{user_id} {lang}"

        @cached(root)
        async def other(user_id: int) -> int:
            return user_id

        async with root.events(kinds=READS) as stream:
            await load(1, "de")
            await load(1, "de")
            await other(1)
            groups = [event.group for event in stream.take() if isinstance(event, KeyEvent)]
            root.group_keys(lambda key: key[:4])
            await load(1, "de")
            by_rule = [event.group for event in stream.take() if isinstance(event, KeyEvent)]

    assert groups[:2] == ["user:{user_id}:{lang}"] * 2
    assert groups[2].endswith("<locals>.other")
    assert by_rule == ["user"]


@pytest.mark.parametrize(
    "wrong",
    [{"kinds": "hit"}, {"kinds": ["nothing"]}, {"room": 0}, {"room": True}, {"room": 2_000_000}, {"sample": 0}],
)
async def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    """A wrong argument is named."""
    async with new_provider() as cache:
        with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
            cache.events(**wrong)
        with pytest.raises(InvalidArgumentError, match="function must be callable"):
            cache.listen(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  - that is the test


# --- streams ---------------------------------------------------------------------------------------------------------


async def test_the_oldest_goes_for_the_newest() -> None:
    """A queue is bounded; what had to go is counted, also when nobody listens any more."""
    async with new_provider() as cache:
        async with cache.events(keys=True, room=2) as stream:
            for key in "abcd":
                await cache.get(key)

            assert stream.dropped == 2
            assert told(stream.take()) == [("miss", "c"), ("miss", "d")]
        assert (await cache.readings().update()).events_dropped == 2


async def test_a_stream_is_read_as_it_comes() -> None:
    """Whoever waits is woken by an event, and the stream ends with the provider, after what was there."""
    heard: list[tuple[str, str | None]] = []
    has_heard = asyncio.Event()

    async def hear(cache: Provider) -> None:
        async with cache.events(kinds=READS, keys=True) as stream:
            async for event in stream:
                heard.extend(told([event]))
                has_heard.set()

    async with new_provider() as cache:
        listening = asyncio.create_task(hear(cache))
        await asyncio.sleep(0)
        await cache.get("a")
        await has_heard.wait()
        await cache.get("b")
    await listening

    assert heard == [("miss", "a"), ("miss", "b")]
    with pytest.raises(ProviderClosedError):
        cache.events()


async def test_who_is_cancelled_hears_no_more() -> None:
    """A reader may be cancelled while it waits, and nothing is put in for it afterwards."""

    async def hear(cache: Provider) -> None:
        async with cache.events() as stream:
            async for _ in stream:
                pass

    async with new_provider() as cache:
        listening = asyncio.create_task(hear(cache))
        await asyncio.sleep(0)
        assert cache._core.hub.hears(EventKind.HIT)
        listening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listening

        assert not cache._core.hub.hears(*EventKind)


async def test_nobody_pays_where_nobody_listens() -> None:
    """Hits are answered by the same closures as ever, unless somebody listens to reads, and again afterwards."""
    async with new_provider() as cache:

        def ways() -> list[object]:
            return [getattr(cache, name).__code__ for name in REPLACED]

        plain = ways()
        async with cache.events(kinds=set(EventKind) - READS - {"removal"}):
            assert ways() == plain
        async with cache.events(kinds=["hit"]):
            assert ways() != plain
        assert ways() == plain


async def test_a_provider_that_is_listened_to_can_go() -> None:
    """A view that somebody listened to is thrown away like any other."""
    async with new_provider() as root:
        view = root.namespace("n")
        async with view.events():
            await view.get("k")
        del view
        gc.collect()

        assert len(root._views) == 0


# --- listeners -------------------------------------------------------------------------------------------------------


async def test_a_coroutine_function_listens_on_the_loop() -> None:
    """It is handed one event after the other, those that wait at the end included, and may begin before the opening."""
    heard: list[tuple[str, str | None]] = []

    async def hear(event: Event) -> None:
        await asyncio.sleep(0)
        heard.extend(told([event]))

    cache = new_provider()
    cache.listen(hear, keys=True, kinds=["miss"])
    async with cache:
        for key in "abc":
            await cache.get(key)

    assert heard == [("miss", "a"), ("miss", "b"), ("miss", "c")]


async def test_a_plain_function_listens_in_a_thread() -> None:
    """The event loop does not wait for it."""
    heard: list[tuple[str, bool]] = []

    def hear(event: Event) -> None:
        heard.append((str(event.kind), threading.current_thread() is threading.main_thread()))

    async with new_provider() as cache:
        cache.listen(hear)
        await cache.get("a")

    assert heard == [("miss", False)]


@pytest.mark.parametrize("is_async", [True, False])
async def test_errors_of_listeners_are_logged(caplog: pytest.LogCaptureFixture, *, is_async: bool) -> None:
    """A listener that fails is said once, without what its error says, and hears the next event; no caller sees it."""
    heard: list[Event] = []

    def hear(event: Event) -> None:
        heard.append(event)
        raise LookupError("secret")

    async def hear_here(event: Event) -> None:
        hear(event)

    async with new_provider() as cache:
        with caplog.at_level(logging.WARNING):
            cache.listen(hear_here if is_async else hear)
            for key in "abc":
                await cache.get(key)
            await cache.close()

    assert len(heard) == 3
    assert caplog.messages == ["a listener of events failed: LookupError"]


async def test_who_stops_hears_no_more() -> None:
    """`stop` ends it at once, whatever waits; what a slow listener did not take is counted."""
    heard: list[Event] = []
    gate, has_heard = asyncio.Event(), asyncio.Event()

    async def hear(event: Event) -> None:
        heard.append(event)
        has_heard.set()
        await gate.wait()

    async with new_provider() as cache:
        listening = cache.listen(hear, room=1, kinds=READS)
        await cache.get("a")
        await has_heard.wait()
        for key in "bcd":
            await cache.get(key)
        assert listening.dropped == 2
        assert "2 events were dropped" in repr(listening)
        listening.stop()
        gate.set()
        await cache.get("e")

    assert len(heard) == 1
    assert not cache._core.hub.hears(*READS)


async def test_a_listener_that_hangs_holds_up_no_close() -> None:
    """Closing waits a second for what waits, and then ends the listener."""

    async def hear(event: Event) -> None:
        del event
        await asyncio.Event().wait()

    async with asyncio.timeout(10.0):
        async with new_provider() as cache:
            cache.listen(hear)
            await cache.get("a")


async def test_a_listener_may_close_the_provider() -> None:
    """A listener that closes what it listens to waits for nobody, itself least of all."""
    cache, is_closed = new_provider(), asyncio.Event()

    async def hear(event: Event) -> None:
        del event
        await cache.close()
        is_closed.set()

    await cache.get("open it")
    cache.listen(hear)
    await cache.get("a")
    async with asyncio.timeout(5.0):
        await is_closed.wait()

    assert not cache._core.hub.hears(*EventKind)
    await asyncio.sleep(0)


async def test_stale_hits_are_hits() -> None:
    """Whoever counts hits by class counts the old ones, too."""
    event = StaleHit(at=1.0)

    assert isinstance(event, Hit)
    assert (event.kind, Refresh(at=1.0).kind) == (EventKind.STALE_HIT, EventKind.REFRESH)


def test_a_listener_goes_on_where_the_loop_is_another_one() -> None:
    """A provider that is used on one loop after the other goes on telling."""
    heard: list[tuple[str, str | None]] = []
    cache = new_provider()

    async def hear(event: Event) -> None:
        heard.extend(told([event]))

    async def use(key: str, *, closes: bool) -> None:
        await cache._open()
        for _ in range(3):
            await asyncio.sleep(0)
        await cache.get(key)
        for _ in range(3):
            await asyncio.sleep(0)
        if closes:
            await cache.close()

    cache.listen(hear, kinds=READS, keys=True)
    asyncio.run(use("a", closes=False))
    asyncio.run(use("b", closes=True))

    assert heard == [("miss", "a"), ("miss", "b")]
