"""A connection that ended in the moment in which it was ready was not told to have ended to those who listened to it.

So `RedisPubSub` took itself to be listening, and waited for messages of a connection that was not there.
"""

import asyncio

from aiocache_kit.storage.redis.attempts import Attempts, Times
from aiocache_kit.storage.redis.dial import Host, Place
from aiocache_kit.storage.redis.link import Link, pack_command
from aiocache_kit.storage.redis.wire import Wire
from tests.unit.storage.redis.test_tracking import ROOM, Line, Lines


async def test_each_beginning_has_an_end() -> None:
    """For each connection that was prepared it is told that it has ended, however soon that is."""
    told: list[str] = []
    dialled: asyncio.Queue[Line] = asyncio.Queue()

    async def locate() -> Place:
        return Host("nowhere", 1)

    async def prepare(wire: Wire) -> None:
        await wire.send(pack_command((b"SUBSCRIBE", b"news")))
        told.append("begun")

    attempts = Attempts(times=Times(connect=5, send=5, answer=5), retries=0, breaker=None)
    link = Link(
        *(Lines(dialled), locate, attempts), most_unread=ROOM, prepare=prepare, on_end=lambda: told.append("ended")
    )
    opening = asyncio.create_task(link.open())
    line = await dialled.get()
    assert await line.asked() == [b"SUBSCRIBE", b"news"]
    line.say(b"+OK\r\n", b"+nobody asked for this\r\n")
    line = await dialled.get()
    assert told == ["begun", "ended"]

    assert await line.asked() == [b"SUBSCRIBE", b"news"]
    line.say(b"+OK\r\n")
    assert await line.asked() == [b"PING"]
    line.say(b"+PONG\r\n")
    await opening
    assert told == ["begun", "ended", "begun"]
    line.end()
    assert told == ["begun", "ended", "begun", "ended"]
    await link.close()
