"""The demo's service: reports on modules of the standard library, over HTTP.

Rule 1: the cache belongs to the application's lifespan: opened before the first request, closed after the last one.
Rule 2: an analysis is work for the processor and must not hold the event loop, so it runs in a thread. `get_or_set`
sees to that by itself, because the loader is a plain function; without the cache the handler does it by hand. So the
two services differ in the cache and in nothing else.
Rule 3: a report is read as what it is (`type=`), since Redis keeps bytes, and bytes name no class.
Rule 4: few threads. Python runs one of them at a time, so more would make none faster, and the event loop would wait
longer for its own turn.
"""

import asyncio
import signal
import socket
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import uvicorn
from fastapi import APIRouter, FastAPI, HTTPException, Request

from aiocache_kit import Config, Provider, RedisConfig, new_provider
from analysis import ModuleReport, analyse, modules

THREADS: Final = 2
KEPT: Final = 300
"""Seconds that an idle connection stays open: longer than any client here is idle, however busy the machine."""

router = APIRouter()


def make_config(provider: str, redis: str | None) -> Config:
    """Configure the cache: the kind of provider is all that differs, and where Redis is."""
    if redis is None:
        return Config(provider=provider, default_ttl="10m", max_entries=1000)
    return Config(provider=provider, default_ttl="10m", redis_config=RedisConfig(addr=redis, key_prefix="demo:"))


def make_app(provider: str | None, redis: str | None = None) -> FastAPI:
    """Make the application with a cache of this kind, or without any: None; `redis` is the address of a server."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "analysis"))
        app.state.paths = modules()
        app.state.analyses = 0
        app.state.cache = None
        if provider is None:
            yield
        else:
            async with new_provider(make_config(provider, redis)) as cache:
                app.state.cache = cache
                yield

    app = FastAPI(title="Modules of the standard library", lifespan=lifespan)
    app.include_router(router)
    return app


@router.get("/modules")
async def names(request: Request) -> list[str]:
    """List the modules that there are reports on."""
    return list(request.app.state.paths)


@router.get("/modules/{name}")
async def module(name: str, request: Request) -> ModuleReport:
    """Report on one module."""
    state = request.app.state
    path = state.paths.get(name)
    if path is None:
        raise HTTPException(404, f"there is no report on a module {name}: see /modules")
    cache: Provider | None = state.cache
    if cache is None:
        state.analyses += 1
        return await asyncio.to_thread(analyse, name, path)
    return await cache.get_or_set(f"module:{name}", partial(analyse, name, path), type=ModuleReport)


@router.get("/figures")
async def figures(request: Request) -> dict[str, object]:
    """Tell how often a module was analysed, and give the cache's statistics, None where there is no cache."""
    cache: Provider | None = request.app.state.cache
    if cache is None:
        return {"analyses": request.app.state.analyses, "stats": None}
    stats = await cache.stats()
    return {"analyses": stats.loads, "stats": stats.as_dict()}


def serve(listening: socket.socket, provider: str | None, redis: str | None) -> None:
    """Answer on a listening socket until the process is told to terminate; Ctrl-C is for the other process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = uvicorn.Config(
        make_app(provider, redis),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=KEPT,
    )
    uvicorn.Server(settings).run(sockets=[listening])
