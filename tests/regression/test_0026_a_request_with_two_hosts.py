"""A response was kept under the last of two `Host` lines of a request, while applications went by the first.

So who sent both had links to a host of his own stored, and given to all who asked for the other one.
"""

import pytest

from aiocache_kit import Config, new_provider
from aiocache_kit.integrations.asgi import App, Message, Receive, ResponseCacheMiddleware, Scope, Send
from aiocache_kit.integrations.http import ResponseCache, ResponseCacheOptions

GOOD, EVIL = b"shop.example", b"evil.example"


def page(field: bytes) -> App:
    """Make a page with a link to the first host that a request names in a field, as frameworks make such links."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        host = next((said for name, said in scope["headers"] if name == field), GOOD)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=60")]})
        await send({"type": "http.response.body", "body": b"https://" + host})

    return app


async def ask(app: App, *headers: tuple[bytes, bytes]) -> bytes:
    """Ask for the page, and give its body."""
    body = b""

    async def send(message: Message) -> None:
        nonlocal body
        body += message.get("body", b"")

    async def receive() -> Message:
        return {"type": "http.request"}

    await app({"type": "http", "method": "GET", "path": "/", "headers": list(headers)}, receive, send)
    return body


@pytest.mark.parametrize("field", [b"host", b"x-forwarded-host"])
async def test_what_comes_twice_poisons_nothing(field: bytes) -> None:
    """Who names two hosts gets his answer, and nobody else does."""
    async with new_provider(Config()) as provider:
        app = ResponseCacheMiddleware(page(field), ResponseCache(provider))
        host = [] if field == b"host" else [(b"host", GOOD)]

        assert await ask(app, *host, (field, EVIL), (field, GOOD)) == b"https://" + EVIL
        assert await ask(app, *host, (field, GOOD)) == b"https://" + GOOD


async def test_a_trusted_proxy_that_adds_a_line() -> None:
    """Where what proxies say is believed, the first host that is named is in the key."""
    async with new_provider(Config()) as provider:
        app = ResponseCacheMiddleware(
            page(b"x-forwarded-host"), ResponseCache(provider, ResponseCacheOptions(trust_forwarded=True))
        )
        field = b"x-forwarded-host"

        assert await ask(app, (b"host", GOOD), (field, EVIL), (field, GOOD)) == b"https://" + EVIL
        assert await ask(app, (b"host", GOOD), (field, GOOD)) == b"https://" + GOOD
