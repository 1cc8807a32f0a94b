"""What can be no address was invalidated without a word, and a query with signs outside of ASCII was not found."""

from typing import Any

import pytest

from aiocache_kit import Config, InvalidArgumentError, new_provider
from aiocache_kit.integrations.asgi import Message, Receive, ResponseCacheMiddleware, Scope, Send
from aiocache_kit.integrations.http import ResponseCache, ResponseCacheOptions

URLS = (
    "/a/1",
    "a",
    "",
    "//shop.example/a",
    "ftp://shop.example/a",
    "http:///a",
    "http://a b/",
    "http://u@shop.example/",
)


@pytest.mark.parametrize(
    "url", [*URLS, "http://[::1", "http://shop.example/\ud800", "http://shop.example/?\ud800", b"/a", None, 5]
)
async def test_no_absolute_address(url: Any) -> None:  # noqa: ANN401  - what callers without types hand over
    """It is refused, whatever is wrong with it."""
    async with new_provider(Config()) as provider:
        with pytest.raises(InvalidArgumentError, match=r"^url must be (absolute, such as|a str, not)"):
            await ResponseCache(provider).invalidate_url(url)


@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize("path", ["a", "", "http://shop.example/a", "*", "?a", "/\ud800", b"/a", None, 5])
async def test_no_path(path: Any, below: bool) -> None:  # noqa: ANN401, FBT001  - as above, and of a test
    """A key begins with a slash, and so does a path."""
    async with new_provider(Config()) as provider:
        with pytest.raises(InvalidArgumentError, match=r"^path must (begin with a slash, such as|be a str, not)"):
            await ResponseCache(provider).invalidate_path(path, below=below)


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what may be kept."""
    del scope, receive
    await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=60")]})
    await send({"type": "http.response.body", "body": b"page"})


@pytest.mark.parametrize("options", [ResponseCacheOptions(), ResponseCacheOptions(sort_query=True, ignore_query=["x"])])
@pytest.mark.parametrize(
    ("query", "url"),
    [
        (b"b=%C3%BC", "http://shop.example/?b=\xfc"),
        (b"b=%C3%BC%26", "http://shop.example/?b=%C3%BC%26"),
        (b"b=%C3%BC+%20", "http://shop.example/?b=\xfc+ #part"),
        (b"b=<'\"|[]{}^`\\>&a=!?/:@", "http://shop.example/?b=<'\"|[]{}^`\\>&a=!?/:@"),
    ],
)
async def test_an_address_as_people_write_it(query: bytes, url: str, options: ResponseCacheOptions) -> None:
    """What is not ASCII is found under the codes that clients make of it, and all else as it is."""

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        del message

    async with new_provider(Config()) as provider:
        cache = ResponseCache(provider, options)
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/",
            "query_string": query,
            "headers": [(b"host", b"shop.example")],
        }
        await ResponseCacheMiddleware(page, cache)(scope, receive, send)

        assert await cache.invalidate_url(url)
        assert not await cache.invalidate_url(url)
        await cache.close()
