"""FastAPI: a cache in the lifespan of an application, as a dependency, and below its routes.

    cache = AppCache(Config(provider="redis"))
    app = FastAPI(lifespan=cache.lifespan)

    @app.get("/users/{user_id}")
    @cache.cached("5m", tags=["user:{user_id}"], exclude=["session"])
    async def read_user(user_id: int, session: SessionDep) -> User: ...

A cached function keeps its signature, so FastAPI resolves its dependencies for every request, and only then calls it:
who may not see the page does not get it from the cache either.

Rule 1: what a dependency gives is in the key if its type can be, and else has to be spoken of; see `route_check`.
Rule 2: a credential is never in a key by itself, even though it is a text: keys are stored, and shown to operators.
Rule 3: the only file that imports fastapi, which is an extra.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any

from aiocache_kit.decorators.declared import KeyBy, annotations, bare, beside
from aiocache_kit.errors import MissingDependencyError
from aiocache_kit.integrations import starlette
from aiocache_kit.integrations.route_check import Argument
from aiocache_kit.integrations.starlette import Source, get_cache, lifespans, readiness
from aiocache_kit.provider import Provider

try:
    from fastapi import Depends
    from fastapi.params import Depends as Dependency
    from fastapi.requests import HTTPConnection
    from fastapi.security import SecurityScopes
    from fastapi.security.base import SecurityBase
except ImportError as _missing:
    raise MissingDependencyError("fastapi", "fastapi") from _missing

__all__ = [
    "AppCache",
    "CacheDep",
    "KeyBy",
    "Source",
    "app_cache",
    "check_routes",
    "get_cache",
    "lifespans",
    "readiness",
]


class AppCache(starlette.AppCache):
    """A cache in the lifespan of a FastAPI application, and a dependency of its routes.

    ``Annotated[Provider, Depends(cache)]`` is the provider, and ``Depends(cache.namespace("users"))`` a namespace.
    """

    def called(self, endpoint: object) -> Iterator[object]:
        """Give the functions that are called to answer at an endpoint: itself, and what it depends on."""
        for function in super().called(endpoint):
            yield function
            if callable(function):
                yield from _needed(function, set())

    def called_before(self, dependencies: Iterable[object]) -> Iterator[object]:
        """Give the functions that are called for what a route depends on beside its parameters, at any depth."""
        for each in dependencies:
            function = each.dependency if isinstance(each, Dependency) else None
            if function is not None:
                yield function
                yield from _needed(function, set())

    def argument(self, annotation: object, default: object) -> Argument | None:
        """Say what is given for a parameter; None where it is plain input of the client."""
        dependency = _dependency(annotation, default)
        if dependency is not None:
            function = dependency.dependency or bare(annotation)
            if isinstance(function, SecurityBase):
                return Argument("a credential")
            ends = callable(function) and any(_ends(each) for each in (function, *_needed(function, set())))
            return Argument("what a dependency gives", may_identify=True, ends=ends)
        if bare(annotation) is SecurityScopes:
            return Argument("the scopes that are asked for")
        return super().argument(annotation, default)


def check_routes(app: Any) -> None:  # noqa: ANN401  - of FastAPI, or of what wraps one
    """Raise `InvalidArgumentError` if a parameter of a cached endpoint is neither keyable nor excluded.

    Endpoints are looked at, and all that they depend on: by their parameters, or by the ``dependencies=`` of the route,
    of a router, of its inclusion and of the application. `AppCache.lifespan` does so by itself. The message names
    each route, function and parameter.
    """
    AppCache().check_routes(app)


async def app_cache(connection: HTTPConnection) -> Provider:
    """Give the provider that the lifespan of the application keeps as ``app.state.cache``; see `get_cache`."""
    return get_cache(connection)


CacheDep = Annotated[Provider, Depends(app_cache)]
"""The provider of the application, for handlers in modules that know no `AppCache`."""


def _dependency(annotation: object, default: object) -> Dependency | None:
    """Give what FastAPI finds: in the annotation or, in the older way, as the default."""
    found = [each for each in (*beside(annotation), default) if isinstance(each, Dependency)]
    return found[-1] if found else None


def _needed(function: Callable[..., Any], seen: set[int]) -> Iterator[Callable[..., Any]]:
    """Give all that `function` depends on, at any depth, each once."""
    if id(function) in seen:
        return
    seen.add(id(function))
    declared = annotations(function)
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return
    for name, parameter in parameters.items():
        dependency = _dependency(declared.get(name), parameter.default)
        inner: Any = None if dependency is None else dependency.dependency or bare(declared.get(name))
        if callable(inner) and id(inner) not in seen:
            yield inner
            yield from _needed(inner, seen)


def _ends(function: Callable[..., Any]) -> bool:
    """Whether a dependency is undone when the request is over."""
    behind = inspect.unwrap(function)
    called: Any = behind if inspect.isroutine(behind) else type(behind).__call__
    return inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called)
