"""By HTTP/2 a GET may have a body without a header that tells of it: what was answered to that was stored for all."""

import pytest

from aiocache_kit import Config, new_provider
from aiocache_kit.integrations.asgi import Message, Receive, ResponseCacheMiddleware, Scope, Send
from aiocache_kit.integrations.http import ResponseCache


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer by the body of the request, as an application may that takes its arguments from wherever they are."""
    body = (await receive()).get("body", b"")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=60")]})
    if b"late" in scope["query_string"]:
        await send({"type": "http.response.body", "body": b"said: ", "more_body": True})
        body = (await receive()).get("body", b"")
    await send({"type": "http.response.body", "body": body or b"nothing"})


class Client:
    """Asks an application."""

    def __init__(self, app: ResponseCacheMiddleware) -> None:
        self._app = app

    async def ask(self, query: bytes, *parts: bytes) -> bytes:
        """Send a request whose body has these parts, and give the body of the response."""
        said, left = b"", list(parts)

        async def receive() -> Message:
            return {"type": "http.request", "body": left.pop(0) if left else b"", "more_body": bool(left)}

        async def send(message: Message) -> None:
            nonlocal said
            said += message.get("body", b"")

        scope = {
            "type": "http",
            "http_version": "2",
            "method": "GET",
            "path": "/",
            "query_string": query,
            "headers": [(b"host", b"shop.example")],
        }
        await self._app(scope, receive, send)
        return said


@pytest.mark.parametrize(("query", "parts"), [(b"", (b"evil",)), (b"late", (b"e", b"vil"))])
async def test_what_is_answered_to_a_body_is_nobody_elses(query: bytes, parts: tuple[bytes, ...]) -> None:
    """The application's answer to a body goes to who has sent it, and is not stored, whenever it reads that."""
    async with new_provider(Config()) as provider:
        client = Client(ResponseCacheMiddleware(echo, ResponseCache(provider)))

        assert b"vil" in await client.ask(query, *parts)
        assert b"nothing" in await client.ask(query)
        assert b"nothing" in await client.ask(query, *parts)
