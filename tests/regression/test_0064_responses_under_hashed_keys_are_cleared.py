"""`ResponseCache.clear` looked for keys that begin with a slash, which no hashed key does."""

import secrets

import pytest

from aiocache_kit import Config, RedisConfig, UnsupportedError, new_provider
from aiocache_kit.integrations.asgi import Message, Receive, ResponseCacheMiddleware, Scope, Send
from aiocache_kit.integrations.http import ResponseCache
from tests.servers.server import Server


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what may be kept."""
    del scope, receive
    await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=60")]})
    await send({"type": "http.response.body", "body": b"page"})


async def is_hit(app: ResponseCacheMiddleware) -> bool:
    """Ask for a page, and say whether it came from the cache."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"shop.example")]}
    await app(scope, receive, send)
    return b"hit" in dict(sent[0]["headers"])[b"cache-status"]


@pytest.mark.parametrize("namespace", [False, True], ids=["root", "namespace"])
async def test_clear(namespace: bool, redis_server: Server, fresh_prefix: str) -> None:  # noqa: FBT001  - a parameter of a test
    """All responses are gone; what lies beside their namespace stays."""
    part = RedisConfig(addr=f"127.0.0.1:{redis_server.port}", key_prefix=fresh_prefix)
    async with new_provider(Config(provider="redis", key_hash_secret=secrets.token_hex(32), redis_config=part)) as root:
        cache = ResponseCache(root.namespace("pages") if namespace else root)
        app = ResponseCacheMiddleware(page, cache)
        await root.set("beside", 1)

        assert [await is_hit(app) for _ in range(2)] == [False, True]
        with pytest.raises(UnsupportedError, match="use tags"):
            await cache.invalidate_path("/")
        assert await is_hit(app)
        await cache.clear()
        assert not await is_hit(app)
        assert await root.exists("beside") is namespace
        await cache.close()
