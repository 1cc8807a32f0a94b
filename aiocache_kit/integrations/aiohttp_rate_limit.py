"""A limit on the requests to an application of aiohttp's server.

Rule 1: a request takes one token before its handler is called; one that is refused never reaches it.
Rule 2: fields are added when a response is about to begin, so that streams, files and errors have them, too; no body is
touched.
Rule 3: a websocket takes one token when it is opened, and none for its messages.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeAlias, cast

from aiocache_kit.errors import MissingDependencyError
from aiocache_kit.integrations.rate_limits.answers import Answers, Limiter, Refusal
from aiocache_kit.integrations.rate_limits.clients import Clients

try:
    from aiohttp import web
except ImportError as error:
    raise MissingDependencyError("aiohttp", "aiohttp") from error

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
_FIELDS: Final = cast(
    "str",
    web.RequestKey("aiocache_kit.rate_limits", list) if hasattr(web, "RequestKey") else "aiocache_kit.rate_limits",
)
"""Where a request has the fields that its response is to have; aiohttp warns of plain names since it has keys."""


def add_rate_limit(
    app: web.Application,
    limiter: Limiter,
    *,
    key: Callable[[web.Request], str | None] | None = None,
    trusted_proxies: Iterable[str] = (),
    name: str = "default",
) -> None:
    """Put `limiter`, or what `AppCache.rate_limiter` gives, before the handlers of `app` and its middlewares so far.

    `key` gives the caller of a request, or None for one that is not limited. Without it the caller is the address that
    the connection comes from (`Request.remote`); where that is one of `trusted_proxies` (addresses, networks such as
    ``"10.0.0.0/8"``, or ``"unix"``), the address that the header X-Forwarded-For has of it. `name` is what clients are
    told that the limit is called. Raises `InvalidArgumentError` for what cannot be.
    """
    answers, clients = Answers(limiter, name), Clients(trusted_proxies)

    def caller(request: web.Request) -> str | None:
        return clients.caller(request.remote or None, request.headers.getall("X-Forwarded-For", ()))

    key_of = caller if key is None else key

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        found = key_of(request)
        if found is None:
            return await handler(request)
        made = await answers.ask(found)
        if isinstance(made, Refusal):
            headers = [(name, said) for name, said in made.headers if name != "Content-Length"]
            return web.Response(status=made.status, headers=headers, body=made.body)
        request[_FIELDS] = [*request.get(_FIELDS, ()), *answers.fields(made)]
        return await handler(request)

    app.middlewares.insert(0, middleware)
    if _add_fields not in app.on_response_prepare:
        app.on_response_prepare.append(_add_fields)


async def _add_fields(request: web.Request, response: web.StreamResponse) -> None:
    for name, said in request.get(_FIELDS, ()):
        response.headers.add(name, said)
