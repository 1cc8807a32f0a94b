"""The two doors of the cache, driven with a script: ASGI by messages in this process, aiohttp over a connection."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDict

from aiocache_kit.integrations.aiohttp_response_cache import add_response_cache
from aiocache_kit.integrations.asgi import ResponseCacheMiddleware
from aiocache_kit.integrations.http import ResponseCache

Pairs: TypeAlias = tuple[tuple[str, str], ...]


class Answer(NamedTuple):
    """What one side gives to the other."""

    status: int
    headers: Pairs
    body: bytes

    def said(self, name: str) -> str | None:
        """Give all that a header says, None where there is none."""
        found = [said for other, said in self.headers if other.lower() == name]
        return ", ".join(found) if found else None


class Ask(Protocol):
    """Asks through the cache."""

    async def __call__(self, method: str, path: str, headers: Pairs) -> Answer:
        """Give what a client gets."""
        ...


Say: TypeAlias = Callable[[Pairs], Answer]
"""The application: takes the headers of a request."""
Door: TypeAlias = Callable[[ResponseCache, Say], AbstractAsyncContextManager[Ask]]


@asynccontextmanager
async def by_asgi(cache: ResponseCache, say: Say) -> AsyncGenerator[Ask]:
    """Send ASGI's messages."""

    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  - ASGI's
        await receive()
        answer = say(tuple((name.decode(), said.decode("latin-1")) for name, said in scope["headers"]))
        headers = [(name.lower().encode(), said.encode("latin-1")) for name, said in answer.headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        empty = scope["method"] == "HEAD" or answer.status in {204, 304}
        await send({"type": "http.response.body", "body": b"" if empty else answer.body})

    middleware = ResponseCacheMiddleware(app, cache)

    async def ask(method: str, path: str, headers: Pairs) -> Answer:
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:  # noqa: ANN401  - ASGI's
            sent.append(message)

        await middleware(scope_of(method, path, headers), receive, send)
        found = tuple((name.decode(), said.decode("latin-1")) for name, said in sent[0]["headers"])
        return Answer(sent[0]["status"], found, b"".join(each.get("body", b"") for each in sent[1:]))

    yield ask
    await cache.close()


def scope_of(method: str, path: str, headers: Pairs = ()) -> dict[str, Any]:
    """Make the scope of a request, as servers do."""
    raw, _, query = path.partition("?")
    named = {name.lower() for name, _ in headers}
    pairs = [(name.lower().encode(), said.encode("latin-1")) for name, said in headers]
    return {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": _decoded(raw),
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "headers": pairs if "host" in named else [(b"host", b"service.example"), *pairs],
    }


def _decoded(raw: str) -> str:
    from urllib.parse import unquote  # noqa: PLC0415  - of this function alone

    return unquote(raw)


@asynccontextmanager
async def by_aiohttp(cache: ResponseCache, say: Say) -> AsyncGenerator[Ask]:
    """Serve aiohttp's application."""

    async def handler(request: web.Request) -> web.Response:
        answer = say(tuple(request.headers.items()))
        empty = request.method == "HEAD" or answer.status in {204, 304}
        response = web.Response(status=answer.status, body=b"" if empty else answer.body)
        response.headers.popall("Content-Type", None)
        response.headers.extend(CIMultiDict(answer.headers))
        return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    add_response_cache(app, cache)
    options: Any = {"auto_decompress": False, "cookie_jar": aiohttp.DummyCookieJar()}
    async with TestClient(TestServer(app), **options) as client:
        skipped: Final = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")

        async def ask(method: str, path: str, headers: Pairs) -> Answer:
            from yarl import URL  # noqa: PLC0415  - comes with aiohttp

            url = URL(f"http://{client.host}:{client.port}{path}", encoded=True)
            async with client.session.request(
                *(method, url),
                headers=CIMultiDict(headers),
                allow_redirects=False,
                skip_auto_headers=skipped,
            ) as response:
                found = tuple((name.decode().lower(), said.decode("latin-1")) for name, said in response.raw_headers)
                return Answer(response.status, found, await response.read())

        yield ask
