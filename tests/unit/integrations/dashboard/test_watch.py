"""Readings for all viewers together: how often, who takes them, and what happens where a provider fails."""

import asyncio
import json

import pytest

from aiocache_kit import Config, Provider, ProviderClosedError, Stats, new_provider
from aiocache_kit.integrations.dashboard.listening import Listening
from aiocache_kit.integrations.dashboard.watch import Providers, Watch
from aiocache_kit.testing import FakeClock
from tests.servers.server import Server


class Counted:
    """A provider that counts how often it is asked, and answers when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()
        self.stats_now = Stats()

    async def stats(self) -> Stats:
        self.asked += 1
        await self.open.wait()
        return self.stats_now

    async def invalidate_tags(self, *tags: str) -> None: ...

    async def clear(self) -> None: ...

    async def delete(self, key: str, /) -> bool:
        return bool(key)


class Broken(Counted):
    """A provider whose storage raises something of its own."""

    async def stats(self) -> Stats:
        raise LookupError("secret-host:6379")


def watch(providers: Providers, clock: FakeClock) -> Watch:
    return Watch(providers, 2.0, 100, clock, Listening(None, 10.0, clock))


async def test_viewers_share_readings() -> None:
    """However many look at once and within an interval, each provider is asked once."""
    clock, one, other = FakeClock(), Counted(), Counted()
    both = watch({"one": one, "other": other}, clock)

    looks = await asyncio.gather(*[both.look("") for _ in range(50)])
    await clock.advance(1.9)
    await both.look("")

    assert (one.asked, other.asked) == (1, 1)
    assert looks == [looks[0]] * 50
    await clock.advance(0.1)
    await asyncio.gather(*[both.look("") for _ in range(50)])
    assert (one.asked, other.asked) == (2, 2)


async def test_nobody_asks_where_nobody_looks() -> None:
    """A dashboard that nobody opens costs nothing, and none that was left goes on."""
    clock, provider = FakeClock(), Counted()
    left = watch(provider, clock)
    assert provider.asked == 0

    await left.look("")
    await clock.advance(1000.0)

    assert provider.asked == 1
    assert clock.sleepers == 0


async def test_viewer_who_leaves_spoils_nothing() -> None:
    """Where the viewer who takes a reading goes away, the next in line takes it."""
    clock, provider = FakeClock(), Counted()
    provider.open.clear()
    shared = watch(provider, clock)
    first = asyncio.create_task(shared.look(""))
    second = asyncio.create_task(shared.look(""))
    await clock.settle()
    assert provider.asked == 1

    first.cancel()
    await clock.settle()
    provider.open.set()
    seen = await second

    assert first.cancelled()
    assert provider.asked == 2
    assert json.loads(seen)["providers"]


async def test_viewer_gets_what_is_new() -> None:
    """Who tells where he was gets the points since then; who does not, or comes from another process, gets all."""
    clock, provider = FakeClock(), Counted()
    looked = watch(provider, clock)
    cursors: list[str] = []
    for hits in (0, 4, 10):
        provider.stats_now = Stats(hits=hits)
        cursors.append(json.loads(await looked.look(""))["cursor"])
        await clock.advance(2.0)
    await looked.look("")

    async def hits_after(cursor: str) -> list[float]:
        shown = json.loads(await looked.look(cursor))
        return [point["hits"] for point in shown["providers"][0]["points"]]

    assert await hits_after(cursors[0]) == [2.0, 3.0, 0.0]
    assert await hits_after(cursors[2]) == [0.0]
    for foreign in (
        "",
        "-2",
        "other-2",
        f"{looked.epoch}-x",
        f"{looked.epoch}--1",
        f"{looked.epoch}-²",
        f"{looked.epoch}-{'9' * 5000}",
    ):
        assert await hits_after(foreign) == [2.0, 3.0, 0.0]


async def test_next_look_is_told() -> None:
    """The answer says in how many seconds there will be something new."""
    clock, provider = FakeClock(), Counted()
    told = watch(provider, clock)

    assert json.loads(await told.look(""))["next"] == 2.0
    await clock.advance(1.5)
    assert json.loads(await told.look(""))["next"] == 0.5


async def test_failing_provider_leaves_others_shown() -> None:
    """An error is shown in our own words or by its class, never in words that may hold a host; others go on."""
    clock, fine, closed = FakeClock(), Counted(), new_provider(Config(provider="null"))
    await closed.close()
    shown = json.loads(await watch({"closed": closed, "broken": Broken(), "fine": fine}, clock).look(""))

    errors = {provider["name"]: provider["error"] for provider in shown["providers"]}
    assert errors == {"closed": str(ProviderClosedError()), "broken": "LookupError", "fine": None}
    assert [provider["totals"] is None for provider in shown["providers"]] == [True, True, False]


async def test_providers_may_come_and_go() -> None:
    """A function is asked each time, so that a provider made later is shown, and one that is gone is not."""
    clock = FakeClock()
    now: dict[str, Counted] = {"one": Counted()}
    changing = watch(lambda: now, clock)

    async def names() -> list[str]:
        shown = json.loads(await changing.look(""))
        return [provider["name"] for provider in shown["providers"]]

    assert await names() == ["one"]
    now["two"] = Counted()
    del now["one"]
    await clock.advance(2.0)
    assert await names() == ["two"]


async def test_namespaces_are_providers() -> None:
    """A namespace is shown with its own reads, beside the whole; a provider alone is called cache."""
    async with new_provider(Config(provider="memory")) as cache:
        users = cache.namespace("users")
        await users.set("a", 1)
        await users.get("a")
        await cache.get("b")
        shown = json.loads(await watch({"all": cache, "users": users}, FakeClock()).look(""))
        alone = json.loads(await watch(cache, FakeClock()).look(""))

    hits = {each["name"]: (each["totals"]["hits"], each["totals"]["misses"]) for each in shown["providers"]}
    assert hits == {"all": (1, 1), "users": (1, 0)}
    assert [each["name"] for each in alone["providers"]] == ["cache"]


@pytest.mark.parametrize("name", ["memory", "lru", "null"])
async def test_figures_are_those_of_stats(name: str) -> None:
    """What is shown as totals is what `stats` gives, field by field."""
    async with new_provider(Config(provider=name)) as cache:
        await use(cache)
        shown = json.loads(await watch(cache, FakeClock()).look(""))
        stats = (await cache.stats()).as_dict()

    totals = shown["providers"][0]["totals"]
    timed = {"get_time", "timed_gets", "average_get_time"}  # each call of `stats` times a read
    assert {key: value for key, value in totals.items() if key not in timed} == {
        key: value for key, value in stats.items() if key not in timed | {"layers", "load_buckets"}
    }


async def use(cache: Provider) -> None:
    for number in range(5):
        await cache.get_or_set(f"k{number % 3}", lambda: 1)
    await cache.delete("k1")
    await cache.get("none")


async def test_items_that_nobody_counts_are_not_said_to_be_none(redis_server: Server, fresh_prefix: str) -> None:
    """Redis cannot count the items of one cache: that is told, so that no zero is shown for them."""
    url = f"redis://127.0.0.1:{redis_server.port}?key_prefix={fresh_prefix}"
    async with new_provider(url) as far, new_provider(Config(provider="memory")) as near:
        await far.set("a", 1)
        shown = json.loads(await watch({"far": far, "near": near}, FakeClock()).look(""))

    assert {each["name"]: each["totals"]["counted"] for each in shown["providers"]} == {"far": False, "near": True}
