"""`RateLimitMiddleware`: a limit on the requests to any ASGI application (Starlette, FastAPI, Quart, ...).

Pure ASGI: nothing but dicts and callables, so no framework is imported, and bodies stream in both directions untouched.

Rule 1: a request takes one token before the application hears of it; one that is refused never reaches it.
Rule 2: a websocket takes one token when it is opened, and none for its messages. One that is refused is answered with
status 429 where the server can do that, and is otherwise closed before it is accepted, which servers answer with 403.
Rule 3: other scopes pass through.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final, TypeAlias, cast

from aiocache_kit.integrations.rate_limits.answers import Answers, Limiter, Refusal
from aiocache_kit.integrations.rate_limits.clients import Clients

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_BEGINNINGS: Final = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})
_REFUSED: Final = 1013
"""The code for "try again later" of a websocket that is closed."""


class RateLimitMiddleware:
    """Answers 429 to whoever asks too often, and tells everybody how often he may."""

    def __init__(
        self,
        app: App,
        limiter: Limiter,
        *,
        key: Callable[[Scope], str | None] | None = None,
        trusted_proxies: Iterable[str] = (),
        name: str = "default",
    ) -> None:
        """Limit `app` by `limiter`: a `RateLimiter`, or what `AppCache.rate_limiter` gives.

        `key` gives the caller by the scope of the request, or None for one that is not limited. Without it the caller
        is the address that the connection comes from; where that is one of `trusted_proxies` (addresses, networks such
        as ``"10.0.0.0/8"``, or ``"unix"``), the address that the header X-Forwarded-For has of it. `name` is what
        clients are told that the limit is called. Raises `InvalidArgumentError` for what cannot be.
        """
        self._app = app
        self._answers = Answers(limiter, name)
        self._clients = Clients(trusted_proxies)
        self._key = self._caller if key is None else key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        key = self._key(scope) if scope["type"] in {"http", "websocket"} else None
        if key is None:
            await self._app(scope, receive, send)
            return
        made = await self._answers.ask(key)
        if isinstance(made, Refusal):
            await _refuse(made, scope, receive, send)
            return
        fields = _encoded(self._answers.fields(made))

        async def send_with_fields(message: Message) -> None:
            if message["type"] in _BEGINNINGS:
                message = {**message, "headers": [*message.get("headers", ()), *fields]}
            await send(message)

        await self._app(scope, receive, send_with_fields)

    def _caller(self, scope: Scope) -> str:
        client = cast("tuple[str, int] | None", scope.get("client"))
        forwarded: list[str] = []
        if self._clients.trusts_anybody:
            headers = cast("Iterable[tuple[bytes, bytes]]", scope["headers"])
            forwarded = [said.decode("latin-1") for name, said in headers if name.lower() == b"x-forwarded-for"]
        return self._clients.caller(client[0] if client else None, forwarded)


async def _refuse(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    kind = "http.response"
    if scope["type"] == "websocket":
        await receive()
        if "websocket.http.response" not in scope.get("extensions", ()):
            await send({"type": "websocket.close", "code": _REFUSED})
            return
        kind = "websocket.http.response"
    await send({"type": f"{kind}.start", "status": refusal.status, "headers": _encoded(refusal.headers)})
    await send({"type": f"{kind}.body", "body": refusal.body})


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), said.encode()) for name, said in headers]
