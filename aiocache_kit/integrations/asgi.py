"""`ResponseCacheMiddleware`: the cache of responses in front of any ASGI application (Starlette, FastAPI, Quart, ...).

Pure ASGI: nothing but dicts and callables, so no framework is imported, and bodies stream.

Rule 1: the application runs in the task of its request, with that request's `receive`. What it raises passes through.
Rule 2: every part of a body waits until the client has taken the one before it, as without a cache.
Rule 3: scopes other than ``http`` pass through untouched.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final, TypeAlias, cast

from aiocache_kit.integrations.http.asked import Asked
from aiocache_kit.integrations.http.cache import ResponseCache, check_cache
from aiocache_kit.integrations.http.exchange import Exchange, Passage, Reply
from aiocache_kit.keys import check_tags

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

TAGS: Final = "aiocache_kit.tags"
"""Where a scope has the tags of the response that is being made: a list of `str`, see `add_tags`."""
_START: Final = "http.response.start"
_BODY: Final = "http.response.body"
_GONE: Final = "http.disconnect"


def add_tags(scope: Scope, *tags: str) -> None:
    """Tag the response to the request with this `scope` (Starlette: ``request.scope``), for `invalidate_tags`.

    Does nothing where no cache of responses is in front. To be called before the response begins. Raises
    `InvalidTagError` for a tag that is no `str`, or empty.
    """
    for tag in tags:
        check_tags((tag,))
    cast("list[str]", scope.get(TAGS, [])).extend(tags)


class ResponseCacheMiddleware:
    """Answers requests from `cache`, and stores there what `app` answers, as far as HTTP allows.

    It should be the outermost middleware but for those that refuse requests (trusted hosts) and must see each one
    (authentication that is not told by `Authorization` or `Cookie`, rate limits, logs): a hit reaches nothing inside.
    Compression belongs inside. When the application's lifespan ends, so does what `cache` does in the background.
    """

    def __init__(self, app: App, cache: ResponseCache) -> None:
        """Put `cache` in front of `app`; `InvalidArgumentError` where it is none."""
        check_cache(cache)
        self.app: Final = app
        self.cache: Final = cache

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection, as ASGI has it."""
        kind = scope["type"]
        if kind == "http":
            asked = self._read(scope)
            reply = self.cache.at_once(asked)
            if reply is None:
                reply = await self.cache.answer(asked, _Origin(self.app, scope, receive, send))
            if reply is not None:
                await send({"type": _START, "status": reply.status, "headers": reply.headers})
                await send({"type": _BODY, "body": reply.body})
            return
        try:
            await self.app(scope, receive, send)
        finally:
            if kind == "lifespan":
                await self.cache.close()

    def _read(self, scope: Scope) -> Asked:
        raw = scope.get("raw_path")
        server = scope.get("server")
        return self.cache.reader.read(
            scope["method"],
            scope["headers"],
            scope["path"],
            None if raw is None else raw.decode("latin-1"),
            scope.get("query_string", b"").decode("latin-1"),
            scheme=scope.get("scheme", "http"),
            root_path=scope.get("root_path", ""),
            server="" if server is None else f"{server[0]}:{server[1]}" if server[1] else server[0],
        )


class _Origin:
    """The application, for one request.

    It gets the scope that came, and not a copy, since those in front read there afterwards which route it was. A second
    call begins with what was there before the first one.
    """

    __slots__ = ("_app", "_before", "_receive", "_scope", "_send")

    def __init__(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        self._app = app
        self._scope = scope
        self._receive = receive
        self._send = send
        self._before: Scope | None = None

    async def call(self, exchange: Exchange) -> None:
        """Call the application once."""
        scope = self._scope
        if self._before is not None:
            scope.clear()
            scope.update(self._before)
        self._before = {**scope}
        scope[TAGS] = tags = list[str]()
        if exchange.request_headers is not None:
            scope["headers"] = exchange.request_headers
        try:
            await self._app(scope, _Heard(exchange, self._receive), _Relay(exchange, self._send, tags))
        finally:
            scope["headers"] = self._before["headers"]
            await exchange.ended()

    def behind(self) -> "_Origin":
        """Give a way to call the application when the client has been answered already."""
        return _Origin(self._app, {**self._scope, "method": "GET"}, _Nobody(), _to_nobody)


class _Heard:
    """The `receive` that the application gets: what it answers to a body is stored for nobody.

    By HTTP/1 headers tell that there is one, and such a request is passed by. By HTTP/2 none does.
    A client that has gone is told of here, and to nobody else.
    """

    __slots__ = ("_exchange", "_receive")

    def __init__(self, exchange: Exchange, receive: Receive) -> None:
        self._exchange = exchange
        self._receive = receive

    async def __call__(self) -> Message:
        """Hand a message to the application."""
        message = await self._receive()
        if message.get("body"):
            self._exchange.give_up("body")
        elif message["type"] == _GONE:
            self._exchange.hung_up()
        return message


class _Relay:
    """The `send` that the application gets: lets messages through, holds them back, or drops them."""

    __slots__ = ("_exchange", "_held", "_over", "_passage", "_send", "_silent", "_tags")

    def __init__(self, exchange: Exchange, send: Send, tags: Iterable[str]) -> None:
        self._exchange = exchange
        self._send = send
        self._tags = tags
        self._passage: Passage | None = None
        self._held: Message | None = None
        """The start of a response that waits for its body."""
        self._silent = False
        """Whether the client has its answer already."""
        self._over = False
        """Whether the body that is held back or gathered has ended."""

    async def __call__(self, message: Message) -> None:
        """Take a message from the application."""
        kind = message["type"]
        if kind == _START:
            await self._begin(message)
        elif self._passage is Passage.HOLD and not self._over:
            await self._held_back(message, kind)
        elif self._passage not in {Passage.DROP, Passage.ANSWER} and not self._silent:
            await self._send(message)

    async def _begin(self, message: Message) -> None:
        exchange = self._exchange
        headers = [(bytes(name).lower(), bytes(said)) for name, said in message.get("headers", ())]
        self._passage = await exchange.begin(message["status"], headers, self._tags)
        if self._passage is Passage.HOLD and message.get("trailers"):
            exchange.give_up()
        if self._passage is Passage.HOLD:
            self._held = message
        elif self._passage is Passage.PASS:
            await self._send({**message, "headers": exchange.headers})
        elif self._passage is Passage.ANSWER and exchange.reply is not None:
            await self._answer(exchange.reply)

    async def _held_back(self, message: Message, kind: str) -> None:
        exchange, start = self._exchange, self._held
        body: bytes = message.get("body", b"")
        last = kind == _BODY and not message.get("more_body", False)
        if kind != _BODY:
            exchange.give_up()
        if start is not None and last:
            self._held, self._silent = None, True
            await self._answer(exchange.whole(body))
        else:
            if start is not None:
                self._held = None
                await self._start(start)
            if kind == _BODY:
                exchange.gather(body, last=last)  # before it is sent: it is all of the body even if the client has gone
            if not self._silent:
                await self._pass_on(message)
        if last:
            self._over = True
            await exchange.sent()

    async def _start(self, start: Message) -> None:
        instead = self._exchange.started()
        if instead is not None:
            self._silent = True
            await self._answer(instead)
        else:
            await self._pass_on({**start, "headers": self._exchange.headers})

    async def _pass_on(self, message: Message) -> None:
        try:
            await self._send(message)
        except BaseException:
            self._exchange.hung_up()
            raise

    async def _answer(self, reply: Reply) -> None:
        await self._send({"type": _START, "status": reply.status, "headers": reply.headers})
        await self._send({"type": _BODY, "body": reply.body})


class _Nobody:
    """The `receive` of a request whose client has its answer: an empty body, then silence."""

    __slots__ = ("_asked",)

    def __init__(self) -> None:
        self._asked = False

    async def __call__(self) -> Message:
        """Give the body, once."""
        if self._asked:
            await asyncio.Event().wait()
        self._asked = True
        return {"type": "http.request", "body": b"", "more_body": False}


async def _to_nobody(message: Message) -> None:
    del message
