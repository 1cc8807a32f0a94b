"""A server that speaks as Redis does until it is asked for what a test wants to see answered wrongly."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import hiredis

REPLIES: Final[dict[bytes, bytes]] = {
    b"CLIENT": b"+OK\r\n",
    b"SELECT": b"+OK\r\n",
    b"PING": b"+PONG\r\n",
    b"TIME": b"*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n",
    b"HELLO": b"%1\r\n$5\r\nproto\r\n:3\r\n",
    b"SET": b"+OK\r\n",
}


class Scripted:
    """The server."""

    def __init__(self) -> None:
        self.port = 0
        self.accepted = 0
        """How many connections it has taken."""
        self.answers: list[bytes] = []
        """What it says to the next commands GET, one after the other; to those after them, that there is nothing."""
        self.ends = False
        """Whether it ends the connection after such an answer."""
        self.after: Callable[[asyncio.StreamWriter], Any] | None = None
        """What it goes on with after such an answer."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer on one connection."""
        self.accepted += 1
        parser = hiredis.Reader()
        try:
            while said := await reader.read(2**16):
                parser.feed(said)
                while (command := parser.gets()) is not False:
                    await self.answer(command, writer)
        except OSError:
            pass  # the client has ended the connection in the middle of something
        finally:
            writer.close()

    async def answer(self, command: list[bytes], writer: asyncio.StreamWriter) -> None:
        """Answer one command."""
        if command[0] != b"GET":
            writer.write(REPLIES.get(command[0].upper(), b"-ERR unknown\r\n"))
            return
        if not self.answers:
            writer.write(b"$-1\r\n")
        else:
            writer.write(self.answers.pop(0))
            if self.after is not None:
                await self.after(writer)
            if self.ends:
                writer.close()


@asynccontextmanager
async def scripted() -> AsyncGenerator[Scripted]:
    """Give a server that listens."""
    server = Scripted()
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        server.port = listening.sockets[0].getsockname()[1]
        yield server
    # Connections end with the client's.
