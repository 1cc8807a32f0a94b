"""What is kept of replies, over connections whose server is played by the test, word for word."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, cast

import hiredis
import pytest

from aiocache_kit.errors import (
    CacheError,
    ConfigError,
    PartialFailureError,
    StorageAccessError,
    StorageUnavailableError,
)
from aiocache_kit.item import Item
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.base import IF_ABSENT
from aiocache_kit.storage.redis.attempts import Attempts, Times
from aiocache_kit.storage.redis.dial import Dialer, Host, Place
from aiocache_kit.storage.redis.kept_reads import Side, Sides, sides_of
from aiocache_kit.storage.redis.link import LARGE, Link, pack_command
from aiocache_kit.storage.redis.storage import RedisStorage
from aiocache_kit.storage.redis.tracking import EVERY, MOST_ENTRIES, OVERHEAD, SURE, Tracking

OLD, NEW = b"\xac old", b"\xac new"
NIL = b"_\r\n"
ROOM = 1_000_000


class Line(asyncio.Transport):
    """A connection whose other end is the test."""

    def __init__(self) -> None:
        super().__init__()
        self._asked = hiredis.Reader()
        self._commands: asyncio.Queue[list[bytes]] = asyncio.Queue()
        self._protocol: Any = None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Take whoever listens."""
        self._protocol = protocol

    def resume_reading(self) -> None:
        """Nothing was held up."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take commands."""
        self._asked.feed(bytes(data))
        while (command := self._asked.gets()) is not False:
            self._commands.put_nowait(command)

    def abort(self) -> None:
        """End."""
        asyncio.get_running_loop().call_soon(self.end)

    def end(self) -> None:
        """Let the connection be lost."""
        self._protocol.connection_lost(None)

    async def asked(self) -> list[bytes]:
        """Wait for the next command."""
        async with asyncio.timeout(5):
            return await self._commands.get()

    def say(self, *parts: bytes) -> None:
        """Send all of this in one piece."""
        self._protocol.data_received(b"".join(parts))


class Lines(Dialer):
    """Connects to the test."""

    def __init__(self, dialled: "asyncio.Queue[Line]") -> None:
        super().__init__()
        object.__setattr__(self, "_dialled", dialled)

    _dialled: asyncio.Queue[Line]

    async def dial(self, place: Place) -> tuple[asyncio.Transport, object]:
        """Give one more line."""
        del place
        line = Line()
        self._dialled.put_nowait(line)
        return line, None


def text(data: bytes | None) -> bytes:
    """Give a reply."""
    return NIL if data is None else b"$%d\r\n%b\r\n" % (len(data), data)


def change(*names: bytes) -> bytes:
    """Give what the server says unasked of a change."""
    return b">2\r\n$10\r\ninvalidate\r\n*%d\r\n%b" % (len(names), b"".join(map(text, names)))


EVERYTHING = b">2\r\n$10\r\ninvalidate\r\n_\r\n"


class Setting:
    """A tracking with its link, and the line by which the test answers."""

    def __init__(self, tracking: Tracking) -> None:
        self.tracking = tracking
        self.dialled: asyncio.Queue[Line] = asyncio.Queue()
        attempts = Attempts(times=Times(connect=5, send=5, answer=5), retries=0, breaker=None)
        self.link = Link(Lines(self.dialled), self._locate, attempts, most_unread=ROOM, **tracking.hooks())
        self.sides: Sides = sides_of(self.link, tracking)
        self._tasks: set[asyncio.Task[Any]] = set()

    async def _locate(self) -> Place:
        return Host("nowhere", 1)

    async def connected(self, *, reply: bytes = b"+OK\r\n") -> Line:
        """Take the next connection of the lane for small commands, and answer what it begins with."""
        line = await self.dialled.get()
        assert await line.asked() == [b"CLIENT", b"TRACKING", b"ON"]
        line.say(reply)
        return line

    def read(self, name: bytes, *, large: bool = False) -> "asyncio.Task[Any]":
        """Begin to read."""
        task = asyncio.create_task(self.sides.items.call((b"GET", name), key=name, again=True, large=large))
        self._tasks.add(task)
        return task

    async def keep(self, line: Line, name: bytes, data: bytes | None) -> None:
        """Read something that is kept then."""
        task = self.read(name)
        assert await line.asked() == [b"GET", name]
        line.say(text(data))
        assert await task == data
        assert self.tracking.find(name) is not None

    async def close(self) -> None:
        """End everything."""
        await self.link.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    """Give a tracking with much room."""
    made = Setting(Tracking(ROOM))
    yield made
    await made.close()


async def first(setting: Setting, name: bytes = b"k", data: bytes | None = OLD) -> Line:
    """Connect, and keep a first reply."""
    task = setting.read(name)
    line = await setting.connected()
    assert await line.asked() == [b"GET", name]
    line.say(text(data))
    assert await task == data
    return line


# --- what is kept ---------------------------------------------------------------------------------------------------


async def test_a_reply_is_given_again_without_asking(setting: Setting) -> None:
    """Tracking is turned on before anything else is said; what was read then is given again from here."""
    line = await first(setting)

    assert await setting.read(b"k") == OLD
    task = setting.read(b"other")  # the next thing that is asked
    assert await line.asked() == [b"GET", b"other"]
    task.cancel()


@pytest.mark.parametrize("data", [b"\xac item", None])
async def test_items_and_their_absence_are_kept(setting: Setting, data: bytes | None) -> None:
    """An envelope is kept, and that there is nothing."""
    await first(setting, data=data)

    kept = setting.tracking.find(b"k")
    assert kept is not None
    assert kept.data == data


@pytest.mark.parametrize("data", [b"\xad a lease of sixteen", b"17", b"-3", b"", b"of somebody else"])
async def test_other_things_are_not_kept(setting: Setting, data: bytes) -> None:
    """A lease, a bare integer and what is no item are given and not kept."""
    await first(setting, data=data)

    assert setting.tracking.find(b"k") is None


async def test_only_generations_that_are_there_are_kept(setting: Setting) -> None:
    """Of tags, a generation is kept, but never that there is none: whoever writes the first one tells nobody."""
    line = await first(setting)
    for data in (None, b"0001"):
        task = asyncio.create_task(setting.sides.tags.read_many([b"t"]))
        assert await line.asked() == [b"MGET", b"t"]
        line.say(b"*1\r\n", text(data))
        assert await task == [data]

    assert await setting.sides.tags.read_many([b"t"]) == [b"0001"]


async def test_of_many_only_what_is_not_kept_is_asked_for(setting: Setting) -> None:
    """A read of many answers from here what it can, and asks once for the rest, in the order of the names."""
    line = await first(setting)
    task = asyncio.create_task(setting.sides.items.read_many([b"a", b"k", b"b"]))
    assert await line.asked() == [b"MGET", b"a", b"b"]
    line.say(b"*2\r\n", text(NEW), NIL)

    assert await task == [NEW, OLD, None]
    assert await setting.sides.items.read_many([b"b", b"a"]) == [None, NEW]


async def test_what_is_kept_is_found_though_others_cannot_be_reached(setting: Setting) -> None:
    """Where the nodes of some keys are away, the error holds what was kept beside what the other nodes have said."""
    await first(setting)

    class Broken(Side):
        async def read_many(self, names: Sequence[bytes]) -> list[bytes | None]:
            assert list(names) == [b"away", b"there"]
            raise PartialFailureError({"there": NEW}, ["away"])

    items = sides_of(Broken(setting.link, setting.tracking), setting.tracking).items
    with pytest.raises(PartialFailureError) as failure:
        await items.read_many([b"away", b"k", b"there"])

    assert failure.value.found == {"k": OLD, "there": NEW}
    assert failure.value.failed == {"away"}
    assert not setting.tracking._asking


async def test_hits_and_misses_are_counted(setting: Setting) -> None:
    """Reads of items are counted, by whether they took a round trip; those of generations are not."""
    line = await first(setting)
    await setting.read(b"k")
    task = asyncio.create_task(setting.sides.tags.read_many([b"t"]))
    await line.asked()
    line.say(b"*1\r\n", text(b"1"))
    await task

    stats = setting.tracking.stats()
    assert (stats.hits, stats.misses, stats.items) == (1, 1, 2)
    assert stats.size == 2 * OVERHEAD + len(b"k") + len(OLD) + len(b"t") + len(b"1")


# --- changes --------------------------------------------------------------------------------------------------------


async def test_what_has_changed_is_asked_for_again(setting: Setting) -> None:
    """Once the server has told of a change, the old reply is never given again; other names are untouched."""
    line = await first(setting)
    await setting.keep(line, b"other", OLD)
    line.say(change(b"k", b"unknown"))

    assert setting.tracking.find(b"k") is None
    assert setting.tracking.find(b"other") is not None
    await setting.keep(line, b"k", NEW)


async def test_everything_may_have_changed(setting: Setting) -> None:
    """After FLUSHALL, nothing is given that was read before; nor is a reply kept that is under way."""
    line = await first(setting)
    task = setting.read(b"other")
    await line.asked()
    line.say(text(OLD), EVERYTHING)
    await task

    assert setting.tracking.find(b"k") is None
    assert setting.tracking.find(b"other") is None


async def test_a_change_that_comes_with_the_reply(setting: Setting) -> None:
    """A reply and the news that it is old come in one piece, so the reader wakes after both: it is not kept."""
    line = await first(setting)
    task = setting.read(b"race")
    await line.asked()
    line.say(text(OLD), change(b"race"))

    assert await task == OLD
    assert setting.tracking.find(b"race") is None


async def test_a_change_before_the_reply(setting: Setting) -> None:
    """News of a change that come between question and reply spoil the reply: it is given and not kept."""
    line = await first(setting)
    task = setting.read(b"race")
    await line.asked()
    line.say(change(b"race"))
    line.say(text(NEW))

    assert await task == NEW
    assert setting.tracking.find(b"race") is None


async def test_a_change_of_something_else_spoils_nothing(setting: Setting) -> None:
    """News of other names let a reply be kept."""
    line = await first(setting)
    task = setting.read(b"k2")
    await line.asked()
    line.say(change(b"k"), text(NEW), change(b"k3"))
    await task

    assert setting.tracking.find(b"k2") is not None


async def test_the_later_of_two_readers_keeps(setting: Setting) -> None:
    """Of two readers, news between their replies spoil the first and not what was asked for after them."""
    line = await first(setting)
    early = setting.read(b"two")
    await line.asked()
    line.say(text(OLD), change(b"two"))
    late = setting.read(b"two")
    assert await line.asked() == [b"GET", b"two"]
    line.say(text(NEW))

    assert (await early, await late) == (OLD, NEW)
    kept = setting.tracking.find(b"two")
    assert kept is not None
    assert kept.data == NEW


@pytest.mark.parametrize("reply", [b"+OK\r\n", b"-ERR no\r\n"])
async def test_own_writes_are_dropped_with_their_reply(setting: Setting, reply: bytes) -> None:
    """Whoever has written, or tried to, reads anew, though the server has told nothing yet."""
    line = await first(setting)
    task = asyncio.create_task(setting.sides.writes.call((b"SET", b"k", NEW), key=b"k"))
    await line.asked()
    assert setting.tracking.find(b"k") is not None
    line.say(reply)
    await asyncio.wait([task])

    assert (task.exception() is None) == (reply[:1] == b"+")
    assert setting.tracking.find(b"k") is None


async def test_own_writes_the_short_way_are_dropped(setting: Setting) -> None:
    """A write that is sent at once drops what is kept as well, before whoever waits for it goes on."""
    line = await first(setting)

    async def write() -> object:
        answer = setting.sides.writes.ask(pack_command((b"SET", b"k", NEW)), b"k")
        assert answer is not None
        await answer
        return setting.tracking.find(b"k")

    writing = asyncio.create_task(write())
    await line.asked()
    line.say(b"+OK\r\n")

    assert await writing is None


async def test_own_writes_of_many_spoil_replies_under_way(setting: Setting) -> None:
    """A reply that is under way when a write of many ends is not kept, nor what was kept before."""
    line = await first(setting)
    reading = setting.read(b"k2")
    await line.asked()
    writing = asyncio.create_task(
        setting.sides.writes.servers()[0].call_many([(b"UNLINK", b"k"), (b"UNLINK", b"k2")], keys=[b"k", b"k2"])
    )
    await line.asked()
    await line.asked()
    line.say(text(OLD), b":1\r\n:1\r\n")
    await asyncio.wait([reading, writing])

    assert setting.tracking.find(b"k") is None
    task = setting.read(b"k2")
    assert await line.asked() == [b"GET", b"k2"]
    task.cancel()


async def test_a_cancelled_write_counts_as_done(setting: Setting) -> None:
    """Whoever gives up waiting for a write may have written."""
    line = await first(setting)
    task = asyncio.create_task(setting.sides.writes.call((b"SET", b"k", NEW), key=b"k"))
    await line.asked()
    task.cancel()
    await asyncio.wait([task])

    assert setting.tracking.find(b"k") is None


async def test_a_cancelled_reader_leaves_nothing(setting: Setting) -> None:
    """The reply of a reader who has gone is dropped, and later ones are kept again."""
    line = await first(setting)
    task = setting.read(b"gone")
    await line.asked()
    task.cancel()
    await asyncio.wait([task])
    line.say(text(OLD))

    many = asyncio.create_task(setting.sides.items.read_many([b"gone", b"too"]))
    await line.asked()
    many.cancel()
    await asyncio.wait([many])
    line.say(b"*2\r\n", text(OLD) * 2)

    assert setting.tracking.find(b"gone") is None
    assert not setting.tracking._asking
    await setting.keep(line, b"gone", NEW)


# --- the storage ----------------------------------------------------------------------------------------------------

NAME, TAG = b"p:k", b"p:@:t:t"
ITEM = Item(key="k", value=1, ttl=None, expiration=None)
ANSWERS = {
    b"SET": b"+OK\r\n",
    b"UNLINK": b":1\r\n",
    b"GET": NIL,
    b"MGET": b"*1\r\n" + NIL,
    b"SCAN": b"*2\r\n$1\r\n0\r\n*1\r\n" + text(NAME),
    b"EVALSHA": b":1\r\n",
}
CHANGES: dict[str, tuple[bytes, Callable[[Any], Awaitable[object]]]] = {
    "write": (NAME, lambda storage: storage.write(ITEM)),
    "write if": (NAME, lambda storage: storage.write(ITEM, IF_ABSENT)),
    "write_multi": (NAME, lambda storage: storage.write_multi([ITEM])),
    "put": (NAME, lambda storage: storage.shortcuts.put("k", "v", None)),
    "put_multi": (NAME, lambda storage: storage.shortcuts.put_multi({"k": "v"}, None)),
    "remove": (NAME, lambda storage: storage.remove("k")),
    "remove_multi": (NAME, lambda storage: storage.remove_multi(["k"])),
    "clear": (NAME, lambda storage: storage.clear()),
    "increment": (NAME, lambda storage: storage.increment(Item(key="k", value=1, ttl=None, expiration=None), 1)),
    "touch": (NAME, lambda storage: storage.touch(Item(key="k", value=None, ttl=1.0, expiration=None))),
    "expire": (NAME, lambda storage: storage.expire("k")),
    "lease": (NAME, lambda storage: storage.leases.take(["k"])),
    "invalidate": (TAG, lambda storage: storage.tags.invalidate(["t"])),
}


async def answered(setting: Setting, line: Line, act: Awaitable[object]) -> None:
    """Do something to a server that answers, and tells of no change."""

    async def answer(line: Line) -> None:
        while True:
            line.say(ANSWERS[(await line.asked())[0]])

    async def answer_large() -> None:
        await answer(await setting.dialled.get())

    answering = [asyncio.create_task(answer(line)), asyncio.create_task(answer_large())]
    await act
    for task in answering:
        task.cancel()
    await asyncio.wait(answering)


@pytest.mark.parametrize("change", CHANGES)
async def test_each_change_of_the_storage_drops_what_is_kept(setting: Setting, change: str) -> None:
    """Whatever a storage changes is read anew afterwards, before the server has told of anything."""
    name, act = CHANGES[change]
    storage = RedisStorage(setting.link, Codec(JsonSerializer()), prefix="p:", tracking=setting.tracking)
    line = await first(setting, name, b"\xac")
    await answered(setting, line, act(storage))

    kept = setting.tracking.find(name)
    assert kept is None or kept.data is None  # which was read anew


async def test_conditions_look_at_the_server(setting: Setting) -> None:
    """What must be looked at to decide of a write is not what is kept: neither of the item nor of its tags."""
    codec, old, new = Codec(JsonSerializer()), b"0" * 23 + b"1", b"0" * 23 + b"2"
    storage = RedisStorage(setting.link, codec, prefix="p:", tracking=setting.tracking)
    tagged = Item(key="p:k", value=1, ttl=None, expiration=None, tags=(f"{old.decode()}t",), version=1)
    payload = codec.encode(cast("Item[object]", tagged))
    line = await first(setting, NAME, payload)
    tags = asyncio.create_task(setting.sides.tags.read_many([TAG]))
    await line.asked()
    line.say(b"*1\r\n", text(old))
    assert await tags == [old]

    writing = asyncio.create_task(storage.write(ITEM, IF_ABSENT))
    sent: list[bytes] = []
    for reply in (text(payload[4:12]), text(payload), b"*1\r\n" + text(new), b":1\r\n"):
        sent.append((await line.asked())[0])
        line.say(reply)
    assert await writing
    assert sent == [b"EVALSHA", b"GET", b"MGET", b"EVALSHA"]


# --- large payloads, by the other connection --------------------------------------------------------------------------


async def large_read(setting: Setting, line: Line, data: bytes, *meanwhile: bytes) -> None:
    """Read by the lane for what is large; the small one says `meanwhile` together with the reply."""
    task = setting.read(b"large", large=True)
    assert await line.asked() == [b"STRLEN", b"large"]
    line.say(b":%d\r\n" % LARGE)
    other = await setting.dialled.get()
    assert await other.asked() == [b"GET", b"large"]
    if meanwhile:
        line.say(*meanwhile)
    other.say(text(data))
    assert await task == data


async def test_a_large_reply_is_kept(setting: Setting) -> None:
    """The tracked connection is asked for the length before the other one is asked for what is large."""
    await large_read(setting, await first(setting), OLD)

    assert setting.tracking.find(b"large") is not None


async def test_a_large_reply_that_is_old_is_not_kept(setting: Setting) -> None:
    """News that come by the tracked connection spoil a reply that comes by the other one."""
    await large_read(setting, await first(setting), OLD, change(b"large"))

    assert setting.tracking.find(b"large") is None


async def test_a_large_reply_takes_the_place_of_an_older_one(setting: Setting) -> None:
    """What is read by the other connection may be newer than what another reader keeps meanwhile: that is dropped."""
    line = await first(setting)
    early = setting.read(b"large", large=True)
    late = setting.read(b"large", large=True)
    await line.asked()
    await line.asked()
    line.say(b":%d\r\n" % LARGE, b":3\r\n")  # for the later one, it is small
    other = await setting.dialled.get()
    assert await line.asked() == [b"GET", b"large"]
    line.say(text(OLD))
    assert await late == OLD
    assert setting.tracking.find(b"large") is not None
    await other.asked()
    other.say(text(NEW))

    assert await early == NEW
    assert setting.tracking.find(b"large") is None


async def test_long_names_are_not_kept(setting: Setting) -> None:
    """A name so long that the command may go by the other connection is read and not kept."""
    line = await first(setting)
    name = b"n" * (LARGE // 2)
    task = setting.read(name)
    await line.asked()
    line.say(text(OLD))
    await task
    assert setting.tracking.find(name) is None

    names = [b"%d" % number + b"n" * 2000 for number in range(20)]
    many = asyncio.create_task(setting.sides.items.read_many(names))
    await line.asked()
    line.say(b"*20\r\n", text(OLD) * 20)
    await many
    assert setting.tracking.find(names[0]) is None


# --- connections ----------------------------------------------------------------------------------------------------


async def test_nothing_is_given_once_the_connection_is_lost(setting: Setting) -> None:
    """All that was kept is dropped with the connection, before anybody can read; another one begins with nothing."""
    line = await first(setting)
    under_way = setting.read(b"under way")
    await line.asked()
    line.end()

    assert setting.tracking.find(b"k") is None
    assert setting.tracking.stats().items == setting.tracking.stats().size == 0
    with pytest.raises(StorageUnavailableError):
        await under_way
    line = await first(setting, data=NEW)
    assert await setting.read(b"k") == NEW


async def test_nothing_is_kept_without_a_tracked_connection() -> None:
    """A reply that comes when there is no tracked connection is not kept."""
    tracking = Tracking(ROOM)
    tracking.answered(tracking.ask([b"k"]), b"k", OLD)

    assert tracking.stats().items == 0


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (b"-NOPERM this user has no permissions\r\n", StorageAccessError),
        (b"-ERR unknown command\r\n", ConfigError),
    ],
)
async def test_a_server_that_refuses_to_track(setting: Setting, reply: bytes, kind: type[CacheError]) -> None:
    """Where the server does not track, the first call says what to change."""
    task = setting.read(b"k")
    await setting.connected(reply=reply)

    with pytest.raises(kind, match="client_cache"):
        await task


class Hand:
    """A stopwatch that is turned by hand."""

    def __init__(self) -> None:
        self.reading = 1000.0

    def __call__(self) -> float:
        """Read it."""
        return self.reading


async def test_a_server_that_cannot_track_yet(setting: Setting) -> None:
    """A server that is loading refuses for now: the next connection is tracked."""
    task = setting.read(b"k")
    await setting.connected(reply=b"-LOADING Redis is loading the dataset in memory\r\n")
    line = await setting.connected()
    assert await line.asked() == [b"GET", b"k"]
    line.say(text(OLD))

    assert await task == OLD
    assert await setting.read(b"k") == OLD


async def test_other_things_that_a_server_says(setting: Setting) -> None:
    """What else a server says unasked changes nothing."""
    line = await first(setting)
    line.say(b">3\r\n$7\r\nmessage\r\n$1\r\nk\r\n$1\r\nk\r\n")

    assert await setting.read(b"k") == OLD


async def test_what_is_too_large_to_keep_is_not_tracked() -> None:
    """Where there is no room for large values, their length is not asked for."""
    setting = Setting(Tracking(LARGE))
    task = setting.read(b"large", large=True)
    other = await setting.dialled.get()
    assert await other.asked() == [b"GET", b"large"]
    other.say(text(OLD))

    assert await task == OLD
    assert setting.tracking.find(b"large") is None
    await setting.close()


async def test_a_silent_connection_is_not_believed() -> None:
    """What is kept is given for a bounded time after the last answer; the connection is asked meanwhile, and again."""
    hand = Hand()
    setting = Setting(Tracking(ROOM, now=hand))
    line = await first(setting)
    for _ in range(10):
        hand.reading += EVERY
        await setting.read(b"k")
        assert await line.asked() == [b"PING"]
        line.say(b"+PONG\r\n")
    hand.reading += EVERY
    await setting.read(b"k")
    assert await line.asked() == [b"PING"]

    hand.reading += SURE - EVERY - 0.01
    assert await setting.read(b"k") == OLD
    hand.reading += 0.02
    task = setting.read(b"k")
    assert await line.asked() == [b"GET", b"k"]
    hand.reading += EVERY
    line.say(b"+PONG\r\n", text(OLD))  # the answer to a question of before says nothing of what came after it
    assert await task == OLD
    hand.reading += SURE
    task = setting.read(b"k")
    assert [await line.asked(), await line.asked()] == [[b"PING"], [b"GET", b"k"]]
    line.say(b"+PONG\r\n", text(NEW))
    assert await task == NEW
    assert await setting.read(b"k") == NEW
    await setting.close()


async def test_each_connection_must_be_heard_of() -> None:
    """Of several nodes, the one that is silent for longest decides; when it is gone, nothing of before is kept."""
    hand = Hand()
    tracking = Tracking(ROOM, now=hand)
    one, two = Setting(tracking), Setting(tracking)
    line, silent = await first(one), await first(two, b"k2")
    hand.reading += SURE
    assert tracking.find(b"k") is None
    assert await line.asked() == await silent.asked() == [b"PING"]
    line.say(b"+PONG\r\n")
    await asyncio.sleep(0)
    assert tracking.find(b"k") is None
    silent.end()
    assert tracking.stats().items == 0
    await one.keep(line, b"k", NEW)
    await one.close()
    await two.close()


async def test_a_connection_that_ended_unseen_is_left() -> None:
    """A connection that ends before its first use keeps nobody waiting for its answers."""
    hand = Hand()
    setting = Setting(Tracking(ROOM, now=hand))
    task = setting.read(b"k")
    line = await setting.connected()
    line.end()
    line = await setting.connected()
    assert await line.asked() == [b"GET", b"k"]
    line.say(text(OLD))
    assert await task == OLD
    hand.reading += SURE
    assert setting.tracking.find(b"k") is None
    await setting.close()


async def test_what_is_kept_may_be_kept_for_a_time_only() -> None:
    """In a cluster, nothing is given for longer than a moment after it was read."""
    hand = Hand()
    setting = Setting(Tracking(ROOM, life=0.5, now=hand))
    line = await first(setting)
    hand.reading += 0.49
    assert setting.tracking.find(b"k") is not None
    hand.reading += 0.01

    assert setting.tracking.find(b"k") is None
    assert setting.tracking.find_many([b"k"]) == [None]
    size = setting.tracking.stats().size
    await setting.keep(line, b"k", OLD)
    assert setting.tracking.stats().size == size
    await setting.close()


async def test_a_forked_process_keeps_nothing(setting: Setting) -> None:
    """What came by the connections of another process is nothing to go by, nor is anything said there."""
    await first(setting)
    setting.tracking.forsake()

    assert setting.tracking.find(b"k") is None
    assert setting.tracking.stats().items == 0
    mark = setting.tracking.ask([b"k"])
    setting.tracking.answered(mark, b"k", OLD)
    assert setting.tracking.find(b"k") is None


# --- bounds ---------------------------------------------------------------------------------------------------------


async def test_the_room_is_bounded() -> None:
    """It never holds more bytes than it may; whoever was not read for longest goes first."""
    entry = OVERHEAD + len(b"00") + len(OLD)
    setting = Setting(Tracking(10 * entry))
    line = await first(setting, b"00")
    for number in range(1, 50):
        await setting.keep(line, b"%02d" % number, OLD)
        assert setting.tracking.find(b"00") is not None
        assert setting.tracking.stats().size <= 10 * entry

    stats = setting.tracking.stats()
    assert (stats.items, stats.evictions) == (10, 40)
    assert setting.tracking.find(b"40") is None
    assert setting.tracking.find(b"41") is not None
    await setting.close()


async def test_a_payload_that_is_large_for_the_room_is_not_kept() -> None:
    """One payload may not push out all others."""
    setting = Setting(Tracking(8 * 1000))
    await first(setting, data=b"\xac" + b"x" * 1000)

    assert setting.tracking.stats().items == 0
    await setting.close()


async def test_entries_are_bounded_and_released_in_slices(setting: Setting) -> None:
    """There are never more entries than one table may have; dropping all of them holds nobody up."""
    line = await first(setting)
    tracking = setting.tracking
    tracking._most = 10**9
    for number in range(MOST_ENTRIES + 10):
        name = b"%d" % number
        tracking.answered(tracking.ask([name]), name, None)
    assert tracking.stats().items == MOST_ENTRIES

    line.say(EVERYTHING)
    assert tracking.stats().items == tracking.stats().size == 0
    turns = [await asyncio.sleep(0, bool(tracking._dropped)) for _ in range(MOST_ENTRIES // 500)]
    assert turns[0]
    assert not turns[-1]


async def test_reading_without_end_gives_others_a_turn(setting: Setting) -> None:
    """Whoever reads what is kept, again and again, hears of changes all the same."""
    line = await first(setting)
    asyncio.get_running_loop().call_soon(line.say, change(b"k"))
    count = 0
    while setting.tracking.find(b"k") is not None:
        await setting.sides.items.call((b"GET", b"k"), key=b"k")
        count += 1

    assert count <= 256
