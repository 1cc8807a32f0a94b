"""The cache of responses as a middleware of aiohttp's server.

Rule 1: what is stored are whole responses that a handler returns: `web.Response` with bytes, not compressed by aiohttp.
What it raises, streams, files and payloads go out as they are but for the headers that are the cache's own, also where
the handler sends them itself; websockets are left alone.
Rule 2: a handler may be called once more when its client has been answered already (stale-while-revalidate): with a
copy of the request that reaches no client.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from aiocache_kit.errors import MissingDependencyError
from aiocache_kit.integrations.http.asked import Asked
from aiocache_kit.integrations.http.cache import ResponseCache, check_cache
from aiocache_kit.integrations.http.exchange import Exchange, Passage, Reply
from aiocache_kit.integrations.http.fields import Header, Headers
from aiocache_kit.keys import check_tags

try:
    from aiohttp import web
    from aiohttp.abc import AbstractStreamWriter
    from multidict import CIMultiDict
except ImportError as error:
    raise MissingDependencyError("aiohttp", "aiohttp") from error

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

_new_key: Final[Any] = getattr(web, "RequestKey", None)
"""Newer versions of aiohttp warn of keys that are a `str`, older ones know no others."""
TAGS: Final[Any] = "aiocache_kit.tags" if _new_key is None else _new_key("aiocache_kit.tags", list)
"""Where a request has the tags of the response that is being made: a list of `str`, see `add_tags`."""
_CALLS: Final[Any] = "aiocache_kit.calls" if _new_key is None else _new_key("aiocache_kit.calls", list)
"""Where a request has the `Exchange` that its handler is being called for: a list, empty once a response has begun."""


def add_tags(request: web.Request, *tags: str) -> None:
    """Tag the response to `request`, for `ResponseCache.invalidate_tags`; does nothing where no cache is in front.

    Raises `InvalidTagError` for a tag that is no `str`, or empty.
    """
    for tag in tags:
        check_tags((tag,))
    found: list[str] = request.get(TAGS, [])
    found.extend(tags)


def add_response_cache(app: web.Application, cache: ResponseCache) -> None:
    """Put `cache` in front of the handlers of `app` and of its middlewares so far, and end it with the application."""

    async def close(app: web.Application) -> None:
        del app
        await cache.close()

    app.on_response_prepare.append(_begun)
    app.middlewares.insert(0, response_cache_middleware(cache))
    app.on_cleanup.append(close)


def response_cache_middleware(cache: ResponseCache) -> "Middleware":
    """Make a middleware that answers from `cache`, and stores there what handlers answer, as far as HTTP allows.

    Alone it does not reach the headers of what a handler sends itself, such as streams; `add_response_cache` does.
    """
    check_cache(cache)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        asked = _read(cache, request)
        reply = cache.at_once(asked)
        if reply is None:
            origin = _Origin(request, handler)
            reply = await cache.answer(asked, origin)
            if reply is None:
                return origin.result()
        return _response(reply)

    return middleware


def _read(cache: ResponseCache, request: web.Request) -> Asked:
    address = request.rel_url
    headers = [(name.lower(), said) for name, said in request.raw_headers]
    asked = cache.reader.read(
        request.method,
        headers,
        address.path,
        address.raw_path,
        address.raw_query_string,
        scheme=request.scheme,
    )
    if asked.bypass is None and not all(said.isascii() for _, said in headers):
        return Asked(asked.method, headers, asked.key, "headers")  # aiohttp cannot copy such a request
    return asked


async def _begun(request: web.Request, response: web.StreamResponse) -> None:
    """Give a response that a handler sends itself the headers that its client is to get."""
    calls: list[Exchange] = request.get(_CALLS, [])
    if calls and not isinstance(response, web.WebSocketResponse):
        _replace(response, calls.pop().marked(_pairs(response)))


class _Origin:
    """The handler, for one request."""

    __slots__ = ("_handler", "_outcome", "_raised", "_request")

    def __init__(self, request: web.Request, handler: Handler) -> None:
        self._request = request
        self._handler = handler
        self._outcome: web.StreamResponse | None = None
        self._raised: web.HTTPException | None = None

    def result(self) -> web.StreamResponse:
        """Give the handler's own response, or raise it as the handler did."""
        if self._raised is not None:
            raise self._raised
        assert self._outcome is not None  # noqa: S101  - the cache has let it go out
        return self._outcome

    async def call(self, exchange: Exchange) -> None:
        """Call the handler once."""
        tags: list[str] = []
        calls = [exchange]
        request = self._request
        request[TAGS], request[_CALLS] = tags, calls
        if exchange.request_headers is not None:
            request = request.clone(headers=_mapping(exchange.request_headers))
        try:
            response = await self._handler(request)
        except web.HTTPException as error:
            response = self._raised = error
        else:
            self._raised = None
        finally:
            calls.clear()
        self._outcome = response
        headers = _pairs(response)
        if response.prepared:
            await exchange.gone(response.status, headers)
            return
        passage = await exchange.begin(response.status, headers, tags)
        if passage is Passage.HOLD:
            self._take(exchange, response)
        elif passage is Passage.PASS:
            _replace(response, exchange.headers)
        elif passage is Passage.ANSWER and exchange.reply is not None:
            self._outcome, self._raised = _response(exchange.reply), None

    def _take(self, exchange: Exchange, response: web.StreamResponse) -> None:
        """Deal with a response that may be stored."""
        body = _body_of(response)
        if body is None or self._raised is not None:
            exchange.give_up()
            instead = exchange.started()
            if instead is None:
                _replace(response, exchange.headers)
                return
        else:
            instead = exchange.whole(body)
            if instead.status == response.status:
                _replace(response, instead.headers)
                return
        self._outcome, self._raised = _response(instead), None

    def behind(self) -> "_Origin":
        """Give a way to call the handler when the client has been answered already."""
        request = self._request.clone(method="GET")
        # aiohttp has no other place to say where a response goes.
        setattr(request, "_payload_writer", _Nowhere())  # noqa: B010  - see above; as an attribute it is private
        return _Origin(request, self._handler)


class _Nowhere(AbstractStreamWriter):
    """Takes what a handler sends when nobody listens."""

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take it."""

    async def write_eof(self, chunk: bytes = b"") -> None:
        """Take it."""

    async def drain(self) -> None:
        """Be empty always."""

    def enable_compression(self, encoding: str = "deflate", strategy: int | None = None) -> None:
        """Take it."""

    def enable_chunking(self) -> None:
        """Take it."""

    async def write_headers(self, status_line: str, headers: "CIMultiDict[str]") -> None:
        """Take them."""


def _pairs(response: web.StreamResponse) -> list[Header]:
    """Give the headers of a response, and whether it sets cookies, which aiohttp adds only when it is sent."""
    found = [
        (name.lower().encode(), said.encode("utf-8", "surrogateescape")) for name, said in response.headers.items()
    ]
    found += [(b"set-cookie", b"") for _ in list(response.cookies)[:1]]
    return found


def _mapping(headers: Headers) -> "CIMultiDict[str]":
    return CIMultiDict((name.decode("latin-1"), said.decode("utf-8", "surrogateescape")) for name, said in headers)


def _body_of(response: web.StreamResponse) -> bytes | None:
    """Give the body of a response that is whole; None for any other one."""
    if not isinstance(response, web.Response) or response.compression or response.chunked:
        return None
    body = response.body
    return bytes(body) if isinstance(body, bytes | bytearray) else b"" if body is None else None


def _replace(response: web.StreamResponse, headers: Headers) -> None:
    """Give a response other headers; its cookies stay."""
    response.headers.clear()
    response.headers.extend(_mapping([pair for pair in headers if pair != (b"set-cookie", b"")]))


def _response(reply: Reply) -> web.Response:
    return web.Response(status=reply.status, headers=_mapping(reply.headers), body=reply.body or None)
