import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

import pytest

from aiocache_kit import InvalidArgumentError
from aiocache_kit.testing import FakeClock, FaultyProxy

GREETING = b"0123456789"


@dataclass
class Echo:
    """A server that says back what it hears, and keeps it."""

    port: int = 0
    heard: bytearray = field(default_factory=bytearray)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        with suppress(OSError):
            while piece := await reader.read(1000):
                self.heard += piece
                writer.write(piece)
                await writer.drain()
        self.left.set()
        with suppress(OSError):
            writer.close()
            await writer.wait_closed()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    made = Echo()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()
    await server.wait_closed()


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy("127.0.0.1", echo.port) as made:
        yield made


class Client:
    """A connection to a proxy that says something."""

    def __init__(self, proxy: FaultyProxy) -> None:
        self.proxy = proxy

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection(self.proxy.host, self.proxy.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()
        await asyncio.sleep(0)

    async def says(self, text: bytes = GREETING) -> bytes:
        """Give what comes back: as much as was said, or what came before the end."""
        self.writer.write(text)
        try:
            return await self.reader.readexactly(len(text))
        except asyncio.IncompleteReadError as ended:
            return ended.partial


async def test_bytes_pass(proxy: FaultyProxy) -> None:
    """Without orders all arrives, large or small, in order and on all connections."""
    large = bytes(range(256)) * 4000
    async with Client(proxy) as one, Client(proxy) as other:
        assert [*await asyncio.gather(one.says(large), other.says())] == [large, GREETING]
        assert await one.says() == GREETING
        assert proxy.connections == proxy.accepted == 2


async def test_half_close_passes(proxy: FaultyProxy, echo: Echo) -> None:
    """A client that has said everything still hears the rest, and then the end."""
    async with Client(proxy) as client:
        client.writer.write(GREETING)
        client.writer.write_eof()
        assert await client.reader.read() == GREETING
        await echo.left.wait()


async def test_delay_is_that_of_the_clock(echo: Echo) -> None:
    """What is delayed arrives when the clock has gone that far, and no sooner."""
    clock = FakeClock()
    async with FaultyProxy("127.0.0.1", echo.port, clock=clock) as proxy, Client(proxy) as client:
        proxy.delay(5, of="replies")
        answer = asyncio.create_task(client.says())
        while not clock.sleepers:  # noqa: ASYNC110  - a clock tells nobody that somebody sleeps
            await asyncio.sleep(0)
        await clock.advance(4.9)
        assert echo.heard == GREETING
        assert not answer.done()
        await clock.advance(0.1)
        assert await answer == GREETING


async def test_held_replies_arrive_when_it_heals(proxy: FaultyProxy, echo: Echo) -> None:
    """While replies are held, the server hears all and the client nothing; afterwards nothing is lost."""
    proxy.hold(of="replies")
    async with Client(proxy) as client:
        answer = asyncio.create_task(client.says())
        await proxy.held.wait()
        assert echo.heard == GREETING
        assert not answer.done()
        proxy.heal()
        assert await answer == GREETING


async def test_held_requests_arrive_when_it_heals(proxy: FaultyProxy, echo: Echo) -> None:
    """While requests are held, connections are taken as ever, and the server hears nothing of them."""
    proxy.hold()
    async with Client(proxy) as client:
        answer = asyncio.create_task(client.says())
        await proxy.held.wait()
        assert not echo.heard
        assert not answer.done()
        proxy.heal()
        assert await answer == GREETING


@pytest.mark.parametrize("count", range(len(GREETING) + 1))
async def test_replies_are_cut(proxy: FaultyProxy, echo: Echo, count: int) -> None:
    """Of a reply that is cut, as many bytes arrive as were said, and then the end; the next connection is whole."""
    async with Client(proxy) as client:
        proxy.cut_after(count)
        assert await client.says() == GREETING[:count]
        assert echo.heard == GREETING
        if count < len(GREETING):
            assert await client.reader.read() == b""
            proxy.heal()
        else:
            assert await client.says() == b""
    async with Client(proxy) as client:
        assert await client.says() == GREETING


async def test_requests_are_cut(proxy: FaultyProxy, echo: Echo) -> None:
    """Of a request that is cut, the server hears the beginning."""
    async with Client(proxy) as client:
        proxy.cut_after(3, of="requests")
        await client.says()
        await echo.left.wait()
        assert echo.heard == GREETING[:3]


async def test_cut_is_an_end(proxy: FaultyProxy, echo: Echo) -> None:
    """Connections that are cut end on both sides, held ones, too; those that come afterwards are taken."""
    async with Client(proxy) as client:
        assert await client.says() == GREETING
        proxy.hold()
        client.writer.write(GREETING)
        await proxy.held.wait()
        proxy.cut()
        assert await client.reader.read() == b""
        await echo.left.wait()
        proxy.heal()
    async with Client(proxy) as client:
        assert await client.says() == GREETING


async def test_cut_may_be_a_reset(proxy: FaultyProxy) -> None:
    """With a reset, the client is told that nobody knows of its connection."""
    async with Client(proxy) as client:
        assert await client.says() == GREETING
        proxy.cut(reset=True)
        with pytest.raises(ConnectionResetError):
            await client.says()


async def test_refused_until_it_heals(proxy: FaultyProxy) -> None:
    """While it refuses, nobody listens and nobody else can; afterwards it is found where it was."""
    async with Client(proxy) as client:
        assert await client.says() == GREETING
        proxy.refuse()
        assert await client.reader.read() == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(proxy.host, proxy.port)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((proxy.host, proxy.port))
    proxy.heal()
    async with Client(proxy) as client:
        assert await client.says() == GREETING


async def test_server_that_does_not_listen(echo: Echo) -> None:
    """Whoever connects while the server does not listen is connected, and at once disconnected."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        async with FaultyProxy("127.0.0.1", bound.getsockname()[1]) as proxy, Client(proxy) as client:
            assert await client.reader.read() == b""
    assert not echo.heard


async def test_server_that_goes(proxy: FaultyProxy, echo: Echo) -> None:
    """A client hears when the server has gone."""
    async with Client(proxy) as client:
        client.writer.write_eof()
        await echo.left.wait()
        assert await client.reader.read() == b""


@pytest.mark.parametrize("turns", range(6))
async def test_close_leaves_nothing(echo: Echo, turns: int) -> None:
    """However far a connection has come, held and delayed or not, closing ends it; closing twice is fine."""
    proxy = FaultyProxy("127.0.0.1", echo.port)
    async with proxy, Client(proxy) as client, Client(proxy):
        proxy.hold(of="replies")
        client.writer.write(GREETING)
        for _ in range(turns):
            await asyncio.sleep(0)
        await proxy.close()
        assert proxy.connections == 0
        assert asyncio.all_tasks() == {asyncio.current_task(), *(t for t in asyncio.all_tasks() if "Echo" in repr(t))}
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(proxy.host, proxy.port)


def test_wrong_orders_are_refused() -> None:
    """Seconds and bytes are not negative."""
    proxy = FaultyProxy("127.0.0.1", 1)
    with pytest.raises(InvalidArgumentError, match="seconds must be a number from 0 up, not -1"):
        proxy.delay(-1)
    with pytest.raises(InvalidArgumentError, match="seconds must be a number from 0 up, not nan"):
        proxy.delay(float("nan"))
    with pytest.raises(InvalidArgumentError, match="count must be a number from 0 up, not -1"):
        proxy.cut_after(-1)
