"""What type checkers know of caches in web applications."""

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any, assert_type

from aiohttp import web
from fastapi import Depends, FastAPI
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from aiocache_kit import Config, KeyBy, Provider, new_layered
from aiocache_kit.integrations import aiohttp_app, starlette
from aiocache_kit.integrations.fastapi import AppCache, CacheDep, lifespans, readiness

cache = AppCache(Config(provider="redis"))
layered = AppCache(lambda: new_layered("memory://", "redis://localhost"), name="layered", drain=10)
Users = Annotated[Provider, Depends(cache.namespace("users"))]


class User(BaseModel):
    """Who asks."""

    id: int


class Session:
    """A connection."""


@asynccontextmanager
async def own(app: FastAPI) -> AsyncGenerator[dict[str, int]]:
    """Do something else, too."""
    del app
    yield {"number": 1}


app = FastAPI(lifespan=cache.lifespan)
several = FastAPI(lifespan=lifespans(cache.lifespan, layered.lifespan, own))
app.add_api_route("/ready", readiness(cache, layered))


@app.get("/users/{user_id}")
@cache.cached("5m", tags=["user:{user_id}"], exclude=["session"], stale_if_error="1h")
async def read_user(
    user_id: int,
    session: Annotated[Session, Depends(Session)],
    caller: Annotated[User, Depends(User), KeyBy(lambda user: user.id)],
) -> User:
    """Read one."""
    del session, caller
    return User(id=user_id)


@cache.cached()
def plain(user_id: int) -> User:
    """Read one in a thread."""
    return User(id=user_id)


@app.put("/users/{user_id}")
async def write_user(user_id: int, users: Users, provider: CacheDep) -> None:
    """Dependencies are providers, and a cached route keeps its types."""
    assert_type(users, Provider)
    assert_type(provider, Provider)
    assert_type(cache.provider(), Provider)
    assert_type(await provider.get("user", type=User), User | None)
    assert_type(await read_user(user_id, Session(), User(id=1)), User)
    assert_type(await read_user.invalidate(user_id, Session(), caller=User(id=1)), bool)
    assert_type(await plain(user_id), User)
    assert_type(plain.original(user_id), User)
    assert_type(cache.namespace("users"), AppCache)

    await plain("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    AppCache(provider)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cache.cached(expire=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def by_starlette(request: Request) -> None:
    """Starlette has the same, without dependencies."""
    kept = starlette.AppCache()
    Starlette(routes=[Route("/ready", starlette.readiness(kept))], lifespan=kept.lifespan)
    assert_type(starlette.get_cache(request), Provider)


web_cache = aiohttp_app.AppCache("memory://")


@web_cache.cached_handler("5m", key="user:{number}", tags=lambda request: [request.path])
async def handler(request: web.Request) -> web.Response:
    """Answer."""
    return web.Response(text=request.path)


class View(web.View):
    """Answer by methods."""

    @web_cache.cached_handler(key=lambda request: request.path)
    async def get(self) -> web.Response:
        """Answer."""
        return web.Response(text=self.request.path)


async def by_aiohttp(request: web.Request) -> None:
    """A cached handler is a handler like any other."""
    application = web.Application()
    application.cleanup_ctx.append(web_cache.context)
    application.router.add_get("/users/{number}", handler)
    application.router.add_view("/view", View)
    application.router.add_get("/ready", aiohttp_app.readiness(web_cache))
    assert_type(application[aiohttp_app.CACHE], Provider)
    assert_type(application[web_cache.key], Provider)
    assert_type(aiohttp_app.get_cache(request), Provider)
    assert_type(await handler(request), web.Response)
    takes_handler(handler)
    takes_handler(View(request).get)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    web_cache.cached_handler("5m")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    web_cache.cached_handler(key="page")(stream)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def takes_handler(function: Callable[[web.Request], Coroutine[Any, Any, web.Response]]) -> None:
    """Take what answers a request."""
    del function


async def stream(request: web.Request) -> web.StreamResponse:
    """Answer piece by piece."""
    return web.StreamResponse(headers={"path": request.path})
