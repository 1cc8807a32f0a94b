"""Several processes, so to speak, over one store: what one of them changes, and what the others go on giving."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from aiocache_kit import Provider
from aiocache_kit.serializers.signing import Signing
from aiocache_kit.storage.base import Capabilities, Storage
from aiocache_kit.storage.layered import Layer, LayeredStorage
from aiocache_kit.storage.layered.ear import MOST_SENDERS
from aiocache_kit.storage.layered.messages import Action, JunkError, Language, Message, portions
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import Exchange, FakeClock, FaultyStorage, InProcessBackplane

SECRET = bytes(range(32))


class World:
    """A store that several processes share, and each process with its copies."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self.clock = FakeClock()
        self.exchange = Exchange()
        self.store = memory_storage()
        self.ends: list[InProcessBackplane] = []
        self.stores: list[FaultyStorage] = []
        self.nears: list[Storage] = []
        self.caches: list[Provider] = []

    async def join(self, *, signed: bool = False) -> Provider:
        """Give one more process."""
        self.ends.append(self.exchange.connect())
        self.nears.append(memory_storage())
        self.stores.append(FaultyStorage(Unclosed(self.store)))
        layers = [Layer(FaultyStorage(self.nears[-1]), "near"), Layer(self.stores[-1], "store")]
        seal = Signing([SECRET]) if signed else None
        storage = LayeredStorage(layers, backplane=self.ends[-1], seal=seal)
        self.caches.append(Provider(storage, clock=self.clock))
        await self.caches[-1].__aenter__()
        await self.clock.advance(3.0)
        return self.caches[-1]

    async def health(self, place: int = 0) -> tuple[int, int, float]:
        """Give errors, misses and health of the backplane of a process."""
        stats = (await self.caches[place].stats()).layers["backplane"]
        return stats.errors, stats.missed, stats.health


class Unclosed(FaultyStorage):
    """A store that outlives whoever uses it."""

    async def close(self) -> None:
        """Stay."""


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Give a world, and end it."""
    made = World()
    yield made
    for cache in made.caches:
        await cache.close()
    await made.store.close()


CHANGES: dict[str, Callable[[Provider], Awaitable[object]]] = {
    "set": lambda cache: cache.set("k", "new"),
    "delete": lambda cache: cache.delete("k"),
    "set_multi": lambda cache: cache.set_multi({"k": "new", "l": 1}),
    "delete_multi": lambda cache: cache.delete_multi(["k", "l"]),
    "replace": lambda cache: cache.replace("k", "new"),
    "pop": lambda cache: cache.pop("k"),
    "expire": lambda cache: cache.expire("k"),
    "clear": lambda cache: cache.clear(),
    "invalidate_prefix": lambda cache: cache.invalidate_prefix("k"),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_in_one_process_is_seen_in_the_other(world: World, change: str) -> None:
    """Whoever holds a copy of what another process changes drops it as soon as he hears of it."""
    one, other = await world.join(), await world.join()
    await one.set("k", "old")
    await world.clock.settle()
    assert await other.get("k") == await other.get("k") == "old"
    await CHANGES[change](one)
    await world.clock.settle()

    assert await other.get("k") == ("new" if change in {"set", "set_multi", "replace"} else None)


async def test_own_news_drops_no_copy(world: World) -> None:
    """What comes back of one's own changes says nothing new; what another one changes right after does."""
    one, other = await world.join(), await world.join()
    await one.set("k", 1)
    await world.clock.settle()
    await one.get("k")
    reads = len(world.stores[0].calls)
    assert await one.get("k") == 1
    assert len(world.stores[0].calls) == reads
    await other.set("k", 2)
    await world.clock.settle()

    assert await one.get("k") == 2


async def test_a_lost_message_is_noticed_by_the_next(world: World) -> None:
    """One message is lost and nobody is told: the next one of the same sender gives all older copies up."""
    one, other = await world.join(), await world.join()
    await one.set_multi({"k": "old", "l": 1})
    await world.clock.settle()
    assert await other.get("k") == "old"
    world.ends[1].lose(1)
    await one.set("k", "new")
    await world.clock.settle()
    assert await other.get("k") == "old"
    await one.set("l", 2)
    await world.clock.settle()

    assert await other.get("k") == "new"
    assert (await world.health(1))[1] == 1


async def test_a_lost_message_is_noticed_by_the_next_heartbeat(world: World) -> None:
    """Where no other change comes, the sign of life tells that a message is missing."""
    one, other = await world.join(), await world.join()
    await one.set("k", "old")
    await world.clock.settle()
    assert await other.get("k") == "old"
    world.ends[1].lose(1)
    await one.set("k", "new")
    await world.clock.advance(1.1)

    assert await other.get("k") == "new"


async def test_silence_is_noticed(world: World) -> None:
    """Messages that go and do not come are noticed within seconds, and copies then live for five seconds at most."""
    one, other = await world.join(), await world.join()
    await one.set("k", 0, 600)
    await world.clock.settle()
    assert await other.get("k") == 0
    world.ends[1].cut(silently=True)
    await world.clock.advance(4.5)
    assert (await world.health(1))[1:] == (1, 0.0)
    await one.set("k", 1, 600)
    await world.clock.advance(5.0)
    assert await other.get("k") == 1
    await one.set("k", 2, 600)
    await world.clock.advance(5.1)
    assert await other.get("k") == 2
    await one.set("k", 3, 600)
    world.ends[1].mend()
    await world.clock.advance(1.1)

    assert await other.get("k") == 3
    assert (await world.health(1))[2] == 1.0


@pytest.mark.parametrize("resume", [False, True])
async def test_nothing_old_is_given_after_an_interruption(world: World, *, resume: bool) -> None:
    """Once the way is there again no copy is given that was changed meanwhile; others stay if nothing is missing."""
    one, other = await world.join(), await world.join()
    await one.set_multi({"k": "old", "same": 1})
    await world.clock.settle()
    assert await other.get_multi(["k", "same"]) == {"k": "old", "same": 1}
    world.ends[1].cut()
    await world.clock.settle()
    await one.set("k", "new")
    await world.clock.settle()
    assert await other.get("k") == "old"
    world.ends[1].mend(resume=resume)
    await world.clock.settle()
    reads = world.stores[1].calls.count("read")

    assert await other.get("k") == "new"
    assert await other.get("same") == 1
    assert world.stores[1].calls.count("read") == reads + (1 if resume else 2)


async def test_copies_live_shortly_while_the_way_is_cut(world: World) -> None:
    """A copy that was made while nothing is heard is given for five seconds, whatever ttl its layer allows."""
    one, other = await world.join(), await world.join()
    world.ends[1].cut()
    await world.clock.settle()
    await one.set("k", "old")
    assert await other.get("k") == "old"
    await one.set("k", "new")
    await world.clock.advance(4.9)
    assert await other.get("k") == "old"
    await world.clock.advance(0.2)

    assert await other.get("k") == "new"


async def test_news_that_cannot_leave_leaves_later(world: World) -> None:
    """Changes made while one's own way is cut are told when it is there again."""
    one, other = await world.join(), await world.join()
    await one.set("k", "old")
    await world.clock.settle()
    assert await other.get("k") == "old"
    world.ends[0].cut()
    await one.set("k", "new")
    await world.clock.advance(0.5)
    assert await other.get("k") == "old"
    world.ends[0].mend()
    await world.clock.advance(0.5)

    assert await other.get("k") == "new"
    assert (await world.health(0))[0] > 0


async def test_too_much_news_is_one_message(world: World) -> None:
    """What waits to leave is bounded: in place of too many keys one message says that everything was changed."""
    one, other = await world.join(), await world.join()
    await one.set("k", "old")
    await world.clock.settle()
    assert await other.get("k") == "old"
    world.ends[0].cut()
    await one.set("k", "new")
    await one.set_multi({f"k{number}": number for number in range(11_000)})
    sent = len(world.exchange.published)
    world.ends[0].mend()
    await world.clock.advance(0.5)
    messages = [Language().read(data) for data in world.exchange.published[sent:]]

    assert await other.get("k") == "new"
    assert Action.CLEARED in {message.action for message in messages}
    assert sum(len(message.names) for message in messages) < 10


async def test_many_keys_travel_together(world: World) -> None:
    """Keys that are changed by one call are told in few messages, none of which is large."""
    one = await world.join()
    sent = len(world.exchange.published)
    await one.set_multi({f"key:{number}": number for number in range(2000)})
    await world.clock.settle()
    messages = [Language().read(data) for data in world.exchange.published[sent:]]

    assert len(messages) == 4
    assert max(map(len, world.exchange.published)) <= 32 * 1024


@pytest.mark.parametrize("signed", [False, True])
async def test_junk_is_ignored_and_counted(world: World, *, signed: bool) -> None:
    """What is no message does nothing; where messages are signed, neither does one that somebody else has signed."""
    one = await world.join(signed=signed)
    await one.set("k", 1)
    await world.clock.settle()
    await one.get("k")
    forged = Message(b"stranger", 1, 0.0, Action.CLEARED, ("",))
    junk = [b"", b"\xc1", b"x" * 100_000, b"\x96\x01", Language().write(forged)[:-1], b"\x91" * 5000]
    junk += [Language(Signing([b"another secret" * 3])).write(forged), Language().write(forged)] if signed else []
    for data in junk:
        world.exchange.send(data)
    await world.clock.settle()
    reads = world.stores[0].calls.count("read")

    assert await one.get("k") == 1
    assert world.stores[0].calls.count("read") == reads
    assert (await world.health(0))[0] == len(junk)


async def test_signed_news_is_believed(world: World) -> None:
    """Processes with the same secret understand one another."""
    one, other = await world.join(signed=True), await world.join(signed=True)
    await one.set("k", "old")
    await world.clock.settle()
    assert await other.get("k") == "old"
    await one.set("k", "new")
    await world.clock.settle()

    assert await other.get("k") == "new"
    assert b"new" not in b"".join(world.exchange.published)


async def test_senders_that_are_remembered_are_bounded(world: World) -> None:
    """However many processes come and go, or are made up, the numbers of a bounded count of them are kept."""
    one = await world.join()
    storage = one._core.storage
    assert isinstance(storage, LayeredStorage)
    assert storage._bulletin is not None
    known, most = storage._bulletin.ear._numbers, 0
    for sender in range(MOST_SENDERS + 2):
        beat = Message(sender.to_bytes(8), 1, world.clock.time(), Action.HEARTBEAT, ())
        await storage._bulletin.ear.hear(Language().write(beat), world.clock)
        most = max(most, len(known))

    assert most == MOST_SENDERS
    assert 0 < len(known) <= 2
    assert (await world.health())[0] == 0


async def test_a_copy_under_way_is_dropped_by_news(world: World) -> None:
    """A read below that another process overtakes, by a change that is told before the read ends, leaves no copy."""
    one, other = await world.join(), await world.join()
    await one.set("k", "old")
    await world.clock.settle()
    gate = world.stores[1].hold(of=["read"], after=True)
    task = asyncio.create_task(other.get("k"))
    await gate.reached.wait()
    await one.set("k", "new")
    await world.clock.settle()
    gate.open()

    assert await task == "old"
    assert await other.get("k") == "new"


async def test_a_write_that_news_crosses_leaves_no_copy(world: World) -> None:
    """Of two processes that write the same key at the same time both give what is stored afterwards."""
    one, other = await world.join(), await world.join()
    gate = world.stores[1].hold(of=["write"], after=True)
    task = asyncio.create_task(other.set("k", "first"))
    await gate.reached.wait()
    await one.set("k", "second")
    await world.clock.settle()
    gate.open()
    await task
    await world.clock.settle()

    assert await other.get("k") == await one.get("k") == "second"


REMOVALS: dict[str, Callable[[Provider], Awaitable[object]]] = {
    "delete": lambda cache: cache.delete("k"),
    "delete_multi": lambda cache: cache.delete_multi(["k"]),
    "pop": lambda cache: cache.pop("k"),
    "invalidate_prefix": lambda cache: cache.invalidate_prefix("k"),
    "clear": lambda cache: cache.clear(),
}


@pytest.mark.parametrize("removal", REMOVALS)
async def test_what_another_process_removed_is_not_resurrected(world: World, removal: str) -> None:
    """A write that waits for the store gives way where another process has removed the key since, and told of it."""
    one, other = await world.join(), await world.join()
    await one.set_multi({"k": "old", "l": "old"})
    world.stores[0].fail(times=None)
    await one.set_multi({"k": "mine", "l": "mine", "m": "mine"})
    await world.clock.settle()
    await REMOVALS[removal](other)
    await world.clock.settle()
    world.stores[0].heal()
    await world.clock.advance(6.0)

    left = {} if removal == "clear" else {"l": "mine", "m": "mine"}
    assert await other.get_multi(["k", "l", "m"]) == left
    assert await one.get_multi(["k", "l", "m"]) == left


async def test_what_had_tags_is_not_written_late(world: World) -> None:
    """A tag may have been invalidated by others while its item waited: so the item is removed, and loaded anew."""
    one, other = await world.join(), await world.join()
    await one.set("k", "old")
    world.stores[0].fail(times=None)
    await one.set("k", "mine", tags=["t"])
    world.stores[0].heal()
    await world.clock.advance(6.0)

    assert await other.get("k") is None
    assert await one.get("k") is None


async def test_closing_tells_what_is_left(world: World) -> None:
    """A change right before the end is told."""
    one, other = await world.join(), await world.join()
    await one.set("k", "old")
    await world.clock.settle()
    assert await other.get("k") == "old"
    await one.set("k", "new")
    await one.close()
    await world.clock.settle()

    assert await other.get("k") == "new"


def test_messages_come_back() -> None:
    """A message is read as it was written, names of any kind included."""
    names = ("a", "\udcff", "ä" * 1000, "\0")
    message = Message(b"12345678", 7, 1.5, Action.CHANGED, names)

    assert Language().read(Language().write(message)) == message
    assert Language(Signing([SECRET])).read(Language(Signing([SECRET])).write(message)) == message


@pytest.mark.parametrize(
    "parts",
    [
        (b"short", 1, 0.0, Action.CHANGED, ()),
        (b"12345678", -1, 0.0, Action.CHANGED, ()),
        (b"12345678", 1, 0.0, 9, ()),
        (b"12345678", 1, 0.0, Action.CHANGED, (1,)),
        (b"12345678", 1, 0, Action.CHANGED, ()),
    ],
)
def test_other_forms_are_junk(parts: tuple[Any, ...]) -> None:
    """What is not exactly a message is none."""
    with pytest.raises(JunkError):
        Language().read(Language().write(Message(*parts)))


def test_portions_fit() -> None:
    """Names are divided so that each message is small; one that fits into none stands for all."""
    given = [f"{number:0500d}" for number in range(1000)]

    assert [name for part in portions(given) for name in part or ()] == given
    assert max(sum(map(len, part or ())) for part in portions(given)) < 32 * 1024
    assert list(portions(["x" * 100_000])) == [None]
    assert list(portions([])) == []


def test_shared_layers_are_the_lowest() -> None:
    """A layer that others share cannot hold copies, and one layer is no hierarchy."""
    shared = FaultyStorage(memory_storage())
    shared.capabilities = Capabilities(shared=True)
    for layers in ([Layer(shared, "a"), Layer(memory_storage(), "b")], [Layer(shared)], []):
        with pytest.raises(ValueError, match="layer"):
            LayeredStorage(layers)
