"""aiohttp: a cache in the context of an application, at hand in its handlers, and in front of them.

    cache = AppCache(Config(provider="redis"))
    app.cleanup_ctx.append(cache.context)

    @routes.get("/users/{number}")
    @cache.cached_handler("5m", key="user:{number}", tags=["user:{number}"])
    async def read_user(request: web.Request) -> web.Response: ...

A handler of aiohttp sees the request and nothing else, so nothing but its author knows what its response depends on:
the key of a cached handler is always given, by a template over the variables of the path or by a function of the
request.

Rule 1: a response is sent once. What is kept is what it is made of, and each request is given one of its own.
Rule 2: only what is complete, succeeded and sets no cookie is kept, and shared with those who wait. Any other outcome
belongs to the request that caused it; the others call the handler themselves.
Rule 3: the only file of this kind that imports aiohttp, which is an extra.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from functools import wraps
from inspect import iscoroutinefunction
from string import Formatter
from typing import Any, ClassVar, Final, ParamSpec, TypeAlias, Unpack, cast

from aiocache_kit.decorators.plan import order
from aiocache_kit.errors import InvalidArgumentError, MissingDependencyError
from aiocache_kit.integrations.app_cache import WRONG_ORDER, Source, health
from aiocache_kit.integrations.app_cache import AppCache as _AppCache
from aiocache_kit.integrations.route_check import cached_below
from aiocache_kit.management.expiration import TTL
from aiocache_kit.provider import Provider
from aiocache_kit.provider.loading import LoadPolicy
from aiocache_kit.sentinels import DEFAULT, DefaultType

try:
    from aiohttp import hdrs, web
except ImportError as _missing:
    raise MissingDependencyError("aiohttp", "aiohttp") from _missing

__all__ = ["CACHE", "AppCache", "Source", "get_cache", "readiness"]

P = ParamSpec("P")
Kept: TypeAlias = tuple[int, str, list[tuple[str, str]], bytes | None, bool]
"""Status, reason, headers, body, and whether it is to be compressed."""
KeyOfRequest: TypeAlias = str | Callable[[web.Request], str]
"""A template over the variables of the path, or a function of the request."""
TagsOfRequest: TypeAlias = Iterable[str] | Callable[[web.Request], Iterable[str]]

CACHE: Final = web.AppKey("cache", Provider)
"""Where an application holds the provider of an `AppCache` that has no name of its own."""
_OF_ONE_MESSAGE: Final = frozenset(
    {hdrs.CONNECTION, hdrs.CONTENT_LENGTH, hdrs.DATE, hdrs.SERVER, hdrs.TRANSFER_ENCODING}
)
_VARIABLES: Final = "__cached_by__"
"""The attribute of a cached handler that holds the variables of the path that its key and tags name."""


class _NotKept(Exception):  # noqa: N818  - an outcome that passes by, and no error
    """Carries an outcome of a handler past the cache to the request that it belongs to."""

    def __init__(self, request: web.Request, outcome: web.Response) -> None:
        super().__init__("what a handler gave is not kept")
        self.request = request
        self.outcome = outcome

    def take(self) -> web.Response:
        """Give the outcome, or raise it if that is what it is for."""
        if isinstance(self.outcome, web.HTTPException):
            raise self.outcome
        return self.outcome


class AppCache(_AppCache):
    """A cache in the context of an application; see `aiocache_kit.integrations.app_cache`."""

    responses: ClassVar[tuple[type, ...]] = (web.StreamResponse,)
    how_to_open: ClassVar[str] = "app.cleanup_ctx.append(cache.context)"

    def __init__(self, source: Source = None, *, name: str = "cache", drain: float = 5.0) -> None:
        """Do what `app_cache.AppCache` does; `key` is `CACHE` unless there is another `name`."""
        super().__init__(source, name=name, drain=drain)
        self.key: Final[web.AppKey[Provider]] = CACHE if name == "cache" else web.AppKey(name, Provider)
        """Where the application holds the provider: ``app[cache.key]``."""

    async def context(self, app: web.Application) -> AsyncIterator[None]:
        """Check the handlers of `app`, open the cache while it runs, and show it as ``app[cache.key]``.

        Made for ``app.cleanup_ctx``. Raises `InvalidArgumentError` where a cached handler cannot work
        (`check_handlers`), and what opening a provider raises.
        """
        self.check_handlers(app)
        async with self.opened() as provider:
            app[self.key] = provider
            yield

    def check_handlers(self, app: web.Application) -> None:
        """Raise `InvalidArgumentError` for each cached handler that names what is no variable of its path.

        Handlers that `cached` decorates are named, too: what they give cannot be kept. Those of applications within
        `app` are looked at as well.
        """
        called = [(route, handler) for route in app.router.routes() for handler in _called(route.handler)]
        kept = {getattr(handler, "__wrapped__", None) for _, handler in called}
        wrong = [
            f"{route.method} {_path(route)}: {problem}"
            for route, handler in called
            for problem in _problems(handler, route, passed_by=self._is_passed_by(handler, kept))
        ]
        if wrong:
            raise InvalidArgumentError("\n".join(dict.fromkeys(wrong)))

    def cached_handler(
        self,
        ttl: TTL | DefaultType = DEFAULT,
        *,
        key: KeyOfRequest,
        tags: TagsOfRequest = (),
        **policy: Unpack[LoadPolicy],
    ) -> Callable[[Callable[P, Awaitable[web.Response]]], Callable[P, Coroutine[Any, Any, web.Response]]]:
        """Keep the responses of a handler, or of a method of a `web.View`; see the rules of this module.

        `key` and `tags` are templates over the variables of the path, such as ``"user:{number}"``, or functions of the
        request. In a key all variables but the last have `%`, and the sign that follows them, percent-encoded, so that
        they do not run into each other. Whatever else a response depends on, such as the query, the language and above
        all the user, has to be in the key. The handler is asked only where nothing is kept, so who may see the response
        is for a middleware to say. Responses of status 200 without cookies are kept; for a response that is streamed or
        read from a file the call raises `InvalidArgumentError`. The other options are those of `Provider.get_or_set`.
        """
        if "stale_on" not in policy and self._may_say_what_fails():
            policy["stale_on"] = self.is_failure
        order(self.provider, ttl, key=None, tags=(), exclude=(), type=None, policy=policy)  # raises for what is wrong
        texts = _Texts(key, tags)

        def decorate(handler: Callable[P, Awaitable[web.Response]]) -> Callable[P, Coroutine[Any, Any, web.Response]]:
            if not iscoroutinefunction(handler):
                raise InvalidArgumentError("only a coroutine function can be a cached handler, as aiohttp has it")

            @wraps(handler)
            async def answer(*args: P.args, **kwargs: P.kwargs) -> web.Response:
                request = _request(args)

                async def load() -> Kept:
                    return await _kept(handler(*args, **kwargs), request)

                name, tagged = texts.key(request), texts.tags(request)
                try:
                    kept = await self.provider().get_or_set(name, load, ttl, tags=tagged, **policy)
                except _NotKept as passing:
                    passed = passing
                else:
                    return _response(kept)
                return passed.take() if passed.request is request else await handler(*args, **kwargs)

            setattr(answer, _VARIABLES, texts.variables)
            self._note(handler)
            return answer

        return decorate

    def is_failure(self, error: Exception) -> bool:
        """Whether an error means that the source fails: a response below 500 is an answer."""
        outcome = error.outcome if isinstance(error, _NotKept) else error
        return not isinstance(outcome, web.Response) or outcome.status >= 500  # noqa: PLR2004  - HTTP's own number


def get_cache(request: web.Request, key: web.AppKey[Provider] = CACHE) -> Provider:
    """Give the provider of the application, or else of the one around it; `InvalidArgumentError` where none has one."""
    found = request.config_dict.get(key)
    if found is None:
        raise InvalidArgumentError(
            "the application has no such cache: append the context of an AppCache to its cleanup_ctx"
        )
    return found


def readiness(*caches: _AppCache, timeout: float = 1.0) -> Callable[[web.Request], Coroutine[Any, Any, web.Response]]:
    """Make a handler that says whether all of `caches` answer within `timeout` seconds: 200 if they do, else 503.

    The body names the caches and says ``ok`` or ``unavailable`` of each, and nothing of where they are.
    """

    async def ready(request: web.Request) -> web.Response:
        del request
        all_are, body = await health(caches, timeout)
        return web.json_response(body, status=200 if all_are else 503, headers={hdrs.CACHE_CONTROL: "no-store"})

    return ready


def _request(args: tuple[object, ...]) -> web.Request:
    """Find the request that a handler, or a method of a view or of any other object, was called with."""
    last = args[-1] if args else None
    request: object = last.request if isinstance(last, web.View) else last
    if not isinstance(request, web.Request):
        raise InvalidArgumentError("a cached handler must be called with a request, or be a method of a web.View")
    return request


async def _kept(answering: Awaitable[web.Response], request: web.Request) -> Kept:
    """Take apart what a handler gives; raise `_NotKept` for what belongs to `request` alone."""
    try:
        given = cast("object", await answering)
    except web.HTTPException as outcome:
        raise _NotKept(request, outcome) from None
    body: object = given.body if isinstance(given, web.Response) else given
    if not isinstance(given, web.Response) or not isinstance(body, bytes | bytearray | None):
        raise InvalidArgumentError(
            f"a cached handler gives a {type(given).__name__} that is not complete, so it cannot be kept: give a"
            " web.Response with text or bytes"
        )
    if given.status != web.HTTPOk.status_code or given.cookies or hdrs.SET_COOKIE in given.headers:
        raise _NotKept(request, given)
    # Names of headers are of a class of their own, which storages of bytes would not take.
    headers = [(str(name), value) for name, value in given.headers.items() if name.title() not in _OF_ONE_MESSAGE]
    return given.status, given.reason, headers, None if body is None else bytes(body), given.compression


def _response(kept: Kept) -> web.Response:
    status, reason, headers, body, is_compressed = kept
    made = web.Response(status=status, reason=reason, headers=headers, body=body)
    if is_compressed:
        made.enable_compression()
    return made


class _Texts:
    """The key and the tags of a request, and which variables of the path they need."""

    __slots__ = ("key", "tags", "variables")

    def __init__(self, key: KeyOfRequest, tags: TagsOfRequest) -> None:
        """Read the templates; raise `InvalidArgumentError` for what is none."""
        self.key, self.variables = _maker(key, "key", told_apart=True)
        self.tags: Callable[[web.Request], Iterable[str]]
        if callable(tags):
            self.tags = tags
            return
        if isinstance(tags, str):
            raise InvalidArgumentError("tags must be a collection of templates, or a function of the request")
        made = [_maker(tag, "tags", told_apart=False) for tag in tags]
        self.tags = lambda request: [make(request) for make, _ in made]
        self.variables = self.variables.union(*[names for _, names in made])


def _maker(
    given: KeyOfRequest, argument: str, *, told_apart: bool
) -> tuple[Callable[[web.Request], str], frozenset[str]]:
    """Give what makes a text of a request, and the variables of the path that it needs.

    `told_apart`: no two requests have one text whose variables differ. Tags need not be: they forget more then.
    """
    if callable(given):
        return given, frozenset()
    try:
        pieces = list(Formatter().parse(given))
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"{argument} must be a template, or a function of the request") from error
    names = frozenset(name for _, name, _, _ in pieces if name is not None)
    if any(form or conversion for _, _, form, conversion in pieces) or not all(map(str.isidentifier, names)):
        raise InvalidArgumentError(f"{argument} has a field that is none: a field is a variable of the path, {{name}}")
    if not pieces:
        raise InvalidArgumentError(f"{argument} must not be empty")
    fields = [(text, name) for text, name, _, _ in pieces]
    tables = _tables(fields, argument) if told_apart else [dict[int, str]()] * len(fields)
    parts = [(*field, table) for field, table in zip(fields, tables, strict=True)]

    def make(request: web.Request) -> str:
        found = request.match_info
        try:
            return "".join(
                [text if name is None else text + found[name].translate(table) for text, name, table in parts]
            )
        except KeyError as error:
            raise InvalidArgumentError(f"{argument} names what is no variable of the path of this request") from error

    return make, names


def _tables(fields: list[tuple[str, str | None]], argument: str) -> list[dict[int, str]]:
    """Give for each variable how it is written, so that nothing in it is taken for the text that follows it.

    Each comes with the text before it. The last one is written as it is.
    """
    tables: list[dict[int, str]] = []
    following: str | None = None
    """The text up to the next variable; None: there is no other one."""
    for text, name in reversed(fields):
        table: dict[int, str] = {}
        if name is not None and following is not None:
            sign = _sign(following)
            if sign is None:
                raise InvalidArgumentError(
                    f"{argument} has fields that run into each other: put a sign such as ':' between them"
                )
            table = {ord("%"): "%25", ord(sign): "".join(f"%{byte:02X}" for byte in sign.encode())}
        if name is not None:
            following = text
        elif following is not None:
            following = text + following
        tables.append(table)
    return tables[::-1]


def _sign(text: str) -> str | None:
    """Give the sign that tells where a text begins if there is none in what comes before it; None: it has none.

    It is no sign of a code itself, and rather one that is seldom in texts.
    """
    signs = [sign for sign in text if sign not in "%0123456789ABCDEF"]
    return next((sign for sign in signs if not sign.isalnum()), signs[0] if signs else None)


def _called(handler: object) -> list[object]:
    """Give the functions that are called to answer for a handler of a route."""
    if isinstance(handler, type) and issubclass(handler, web.View):
        return [getattr(handler, method.lower(), None) for method in sorted(hdrs.METH_ALL)]
    return [handler]


def _path(route: web.AbstractRoute) -> str:
    return "" if route.resource is None else route.resource.canonical


def _problems(handler: object, route: web.AbstractRoute, *, passed_by: bool) -> list[str]:
    if passed_by:
        return [f"{getattr(handler, '__qualname__', 'a handler')} {WRONG_ORDER}"]
    found = cached_below(handler)
    if found is not None:
        return [f"{found[0].label} is decorated by cached, which keeps data and no responses: use cached_handler"]
    pattern = None if route.resource is None else route.resource.get_info().get("pattern")
    known: Iterable[str] = () if pattern is None else pattern.groupindex
    variables: frozenset[str] = getattr(handler, _VARIABLES, frozenset())
    name = getattr(handler, "__qualname__", "a handler")
    return [
        f"key or tags of {name} name {variable!r}, which is no variable of the path: use a function of the request"
        for variable in sorted(variables.difference(known))
    ]
