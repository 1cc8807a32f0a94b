"""Starlette: a cache in the lifespan of an application, at hand in its routes, and watched by its health check.

    cache = AppCache(Config(provider="redis"))
    app = Starlette(routes=[...], lifespan=cache.lifespan)

Rule 1: when the application starts, its routes are looked at (`route_check`); what is wrong keeps it from starting.
Rule 2: the only file that imports starlette. It comes with the extra ``fastapi``.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, ClassVar, NamedTuple, TypeAlias, cast

from aiocache_kit.config import Config, LoadConfig
from aiocache_kit.decorators.declared import annotations, bare
from aiocache_kit.errors import InvalidArgumentError, MissingDependencyError
from aiocache_kit.integrations.app_cache import WRONG_ORDER, Source, health
from aiocache_kit.integrations.app_cache import AppCache as _AppCache
from aiocache_kit.integrations.route_check import Argument, cached_below, problems, undeclared
from aiocache_kit.provider import Provider

try:
    from starlette.background import BackgroundTask
    from starlette.datastructures import UploadFile
    from starlette.exceptions import HTTPException
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import JSONResponse, Response
except ImportError as _missing:
    raise MissingDependencyError("starlette", "fastapi") from _missing

__all__ = ["AppCache", "Lifespan", "Source", "check_routes", "get_cache", "lifespans", "readiness"]

Lifespan: TypeAlias = Callable[[Any], AbstractAsyncContextManager[Any]]
"""What an application takes as ``lifespan``."""

_METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
_INJECTED: dict[type, Argument] = {
    Response: Argument("the Response"),
    HTTPConnection: Argument("the request"),
    BackgroundTask: Argument("a list of tasks for after the response"),
    UploadFile: Argument("an uploaded file", ends=True),
}


class AppCache(_AppCache):
    """A cache in the lifespan of an application; see `aiocache_kit.integrations.app_cache`."""

    responses: ClassVar[tuple[type, ...]] = (Response,)
    how_to_open: ClassVar[str] = "lifespan=cache.lifespan"

    @asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncGenerator[None]:  # noqa: ANN401  - of Starlette, FastAPI or the like
        """Check the routes of `app`, open the cache while it runs, and show it as ``app.state.<name>``.

        Raises `InvalidArgumentError` where a cached route has no right key (`check_routes`), or the state has something
        of that name, and what opening a provider raises.
        """
        self.check_routes(app)
        if hasattr(app.state, self.name):
            raise InvalidArgumentError(f"app.state has {self.name!r} already: give the AppCache another name=")
        async with self.opened() as provider:
            setattr(app.state, self.name, provider)
            try:
                yield
            finally:
                delattr(app.state, self.name)

    def check_routes(self, app: Any) -> None:  # noqa: ANN401  - as above
        """Raise `InvalidArgumentError` for the cached functions below the routes of `app`; see `check_routes`."""
        source = self._life.source
        defaults = (source.load_config if isinstance(source, Config) else LoadConfig()).options()
        called = [
            (at, each)
            for at in _endpoints(app.routes, "")
            for each in (*self.called(at.endpoint), *self.called_before(at.dependencies))
        ]
        kept = {found[0].function for _, each in called if (found := cached_below(each)) is not None}
        wrong: list[str] = []
        for at, each in called:
            found = cached_below(each)
            if found is not None:
                plan, bound = found
                told = [*problems(plan, self, defaults, bound=bound)]
                if each is at.endpoint:
                    told += undeclared(each, at.model)
                try:
                    self.check_result(plan.function, annotations(plan.function).get("return"))
                except InvalidArgumentError as error:
                    told.append(str(error))
                wrong += [f"{at.path}: {problem}" for problem in told]
            elif self._is_passed_by(each, kept):
                wrong.append(f"{at.path}: {cast('Any', each).__qualname__} {WRONG_ORDER}")
        if wrong:
            raise InvalidArgumentError("\n".join(dict.fromkeys(wrong)))

    def called(self, endpoint: object) -> Iterator[object]:
        """Give the functions that are called to answer at an endpoint."""
        yield from (getattr(endpoint, name, None) for name in _METHODS) if isinstance(endpoint, type) else (endpoint,)

    def called_before(self, dependencies: Iterable[object]) -> Iterator[object]:
        """Give the functions that are called for what a route depends on beside its parameters."""
        del dependencies
        return iter(())

    def argument(self, annotation: object, default: object) -> Argument | None:
        """Say what is given for a parameter; None where it is plain input of the client."""
        del default
        kind = bare(annotation)
        if not isinstance(kind, type):
            return None
        return next((argument for base, argument in _INJECTED.items() if issubclass(kind, base)), None)

    def is_failure(self, error: Exception) -> bool:
        """Whether an error means that the source fails: an `HTTPException` below 500 is an answer."""
        return not isinstance(error, HTTPException) or error.status_code >= 500  # noqa: PLR2004  - HTTP's own number


def check_routes(app: Any) -> None:  # noqa: ANN401  - of Starlette, FastAPI or the like
    """Raise `InvalidArgumentError` if a parameter of a cached endpoint is neither keyable nor excluded.

    `AppCache.lifespan` does so by itself. The message names each route, function and parameter.
    """
    AppCache().check_routes(app)


def get_cache(connection: HTTPConnection, name: str = "cache") -> Provider:
    """Give the provider that the lifespan of the application keeps under `name`; `InvalidArgumentError` if none is.

    An application that is mounted in another one has a state of its own: use `AppCache.provider` there.
    """
    found: object = getattr(connection.app.state, name, None)
    if not isinstance(found, Provider):
        raise InvalidArgumentError(
            f"the application has no cache {name!r}: give the lifespan of an AppCache of that name to it, and let it"
            " start"
        )
    return found


def lifespans(*parts: Lifespan) -> Lifespan:
    """Make one lifespan of several: they begin in order and end in reverse, each of them whatever befalls another.

    The states that they yield are put together; where two have a name in common, the later one counts.
    """

    @asynccontextmanager
    async def together(app: Any) -> AsyncGenerator[dict[str, Any] | None]:  # noqa: ANN401  - as above
        state: dict[str, Any] | None = None
        async with AsyncExitStack() as ends:
            for part in parts:
                own: object = await ends.enter_async_context(part(app))
                if isinstance(own, Mapping):
                    state = {**(state or {}), **cast("Mapping[str, Any]", own)}
            yield state

    return together


def readiness(*caches: _AppCache, timeout: float = 1.0) -> Callable[[Request], Coroutine[Any, Any, JSONResponse]]:
    """Make an endpoint that says whether all of `caches` answer within `timeout` seconds: 200 if they do, else 503.

    The body names the caches and says ``ok`` or ``unavailable`` of each, and nothing of where they are.
    """

    async def ready(request: Request) -> JSONResponse:
        """Tell whether the caches can be used."""
        del request
        all_are, body = await health(caches, timeout)
        return JSONResponse(body, 200 if all_are else 503, {"Cache-Control": "no-store"})

    return ready


class _Endpoint(NamedTuple):
    """What a route calls."""

    path: str
    """What it is called in messages."""
    endpoint: object
    dependencies: tuple[object, ...]
    """What FastAPI asks for beside the parameters, on behalf of the route and of whatever it is in."""
    model: object
    """What FastAPI makes of the result before it sends it; None: nothing is said."""


def _endpoints(
    routes: Any,  # noqa: ANN401  - routes of any kind
    prefix: str,
    inherited: tuple[object, ...] = (),
) -> Iterator[_Endpoint]:
    """Give all endpoints, those of mounted and included routers as well, which have `inherited` dependencies."""
    for route in routes:
        path = prefix + (getattr(route, "path", None) or getattr(route, "prefix", None) or "")
        included = getattr(route, "original_router", None)  # FastAPI includes routers as they are
        if included is not None:
            context = getattr(route, "include_context", None)
            asked = (*inherited, *getattr(context, "dependencies", ()))
            yield from _endpoints(included.routes, prefix + (getattr(context, "prefix", None) or ""), asked)
        elif getattr(route, "endpoint", None) is not None:
            methods = ",".join(sorted(set(getattr(route, "methods", None) or ()) - {"HEAD"}))
            own: Iterable[object] | None = getattr(route, "dependencies", None)  # a route of Starlette inherits none
            asked = () if own is None else (*inherited, *own)
            model: object = getattr(route, "response_model", None)
            yield _Endpoint(f"{methods} {path}".strip(), route.endpoint, asked, model)
        elif getattr(route, "routes", None):
            yield from _endpoints(route.routes, path)
