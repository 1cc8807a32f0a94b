"""What was stored for a path that something had rewritten on its way was not found by `invalidate_path`."""

from aiocache_kit import Config, new_provider
from aiocache_kit.integrations.asgi import Message, Receive, ResponseCacheMiddleware, Scope, Send
from aiocache_kit.integrations.http import ResponseCache


class Application:
    """Counts what it is asked for, and says of each POST that it is about another page."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        del receive
        self.calls += 1
        headers = [(b"cache-control", b"max-age=60")]
        if scope["method"] == "POST":
            headers = [(b"content-location", b"other")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"%d" % self.calls})


async def ask(app: ResponseCacheMiddleware, path: str, raw: str, *, method: str = "GET") -> int:
    """Ask for a path, which came over the wire as another one, and give the number of the answer."""
    body = b""

    async def send(message: Message) -> None:
        nonlocal body
        body += message.get("body", b"")

    async def receive() -> Message:
        return {"type": "http.request"}

    headers = [(b"host", b"shop.example"), (b"x-forwarded-proto", b"https")]
    scope = {"type": "http", "method": method, "path": path, "raw_path": raw.encode(), "headers": headers}
    await app(scope, receive, send)
    return int(body)


async def test_a_rewritten_path() -> None:
    """A path that is invalidated is no longer there, nor is what lies below it, whatever it was on the wire."""
    async with new_provider(Config()) as provider:
        cache = ResponseCache(provider)
        app = ResponseCacheMiddleware(Application(), cache)

        for path, raw in (("/a", "/a"), ("/a", "/old/a"), ("/a/b", "/old/a/b")):
            number = await ask(app, path, raw)
            assert await ask(app, path, raw) == number
            await cache.invalidate_path("/a", below=path != "/a")
            assert await ask(app, path, raw) == number + 1


async def test_what_a_change_says_that_it_is_about() -> None:
    """A relative address in the answer to a change is taken by the path that was routed."""
    async with new_provider(Config()) as provider:
        app = ResponseCacheMiddleware(Application(), ResponseCache(provider))

        number = await ask(app, "/x/other", "/x/other")
        await ask(app, "/x/one", "/old/one", method="POST")
        assert await ask(app, "/x/other", "/x/other") == number + 2
