"""A client that hung up in mid stream, behind a `BaseHTTPMiddleware`, left half a response to everybody after it.

Starlette ends the body regularly when it hears of the client, so that half looked like a whole.
"""

import asyncio
from collections.abc import AsyncGenerator

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.integration.http.test_starlette import KEEP, Passing, world


async def test_a_response_that_is_cut_short_is_for_nobody_else() -> None:
    """The next client gets all of it, and what he gets is stored."""
    calls, leaves = 0, asyncio.Event()

    async def rows() -> AsyncGenerator[bytes]:
        for number in range(20):
            yield b"%d " % number
            if calls == 1 and number == 1:
                leaves.set()
                await asyncio.Event().wait()

    async def page(request: Request) -> Response:
        nonlocal calls
        del request
        calls += 1
        return StreamingResponse(rows(), headers=KEEP)

    async with world() as it:
        it.app = Starlette(routes=[Route("/page", page)], middleware=[Middleware(Passing)])
        await it.ask(leaves=leaves)
        assert (await it.provider.stats()).items == 0
        assert [len((await it.ask())[1].split()) for _ in range(2)] == [20, 20]

    assert calls == 2
