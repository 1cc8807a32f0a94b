"""Asks routes of FastAPI without a network, and compares what a hit adds with the bare route.

Rule: all routes give the same model, and FastAPI validates and writes it each time. So the figure is what a program
pays that leaves its routes as they are.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from importlib.util import find_spec
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Depends, FastAPI, Header
from pydantic import BaseModel

from aiocache_kit import Config, Provider
from aiocache_kit.integrations.fastapi import AppCache, KeyBy
from bench.measure import FULL, QUICK, Effort, Loop, Timing, Turns, interleave
from bench.record import Outcome, Track, at_most

METHOD: Final = (
    "A request of a route that gives a small model, as ASGI has it and without a network; {rounds} rounds of turns of "
    "{turn:g} ms, in processor time. `times`: the time of the bare route in the same round, the median."
)
BARE: Final = "a bare route"
CACHED: Final = "aiocache_kit, cached"
BY_HAND: Final = "aiocache_kit, a dependency and get_or_set"
BARE_USER: Final = "a bare route that knows the user"
CACHED_USER: Final = "aiocache_kit, cached, with the user in the key"
RIVAL: Final = "fastapi-cache2"

Route: TypeAlias = Callable[..., Awaitable[object]]


class Page(BaseModel):
    """What routes give."""

    number: int
    title: str
    tags: list[str]


def make_page(number: int) -> Page:
    """Make what a request asks for; nothing is slow here, since hits are what is measured."""
    return Page(number=number, title="a page", tags=["one", "two"])


async def measure(*, quick: bool, track: Track) -> Outcome:
    """Measure all routes in turns, and those that know the user against one of their own."""
    effort = QUICK if quick else Effort(rounds=100, turn=FULL.turn * 5, keys=1000)
    cache = AppCache(Config(max_entries=1000))
    async with AsyncExitStack() as ends:
        groups = [_plain(cache), _with_user(cache)]
        if find_spec("fastapi_cache") is not None:
            groups[0][RIVAL] = await _rival()
        found: dict[str, Timing] = {}
        await ends.enter_async_context(cache.opened())
        note = track("rounds", effort.rounds * len(groups))
        for group in groups:
            turns = [Turns(_asking(route), ["/1"] * effort.keys) for route in group.values()]
            found |= dict(zip(group, await interleave(turns, effort, note), strict=True))
    return Outcome(
        method=METHOD.format(rounds=effort.rounds, turn=effort.turn * 1000),
        results={name: {"us": round(each.ns / 1000, 1), "ratio": each.ratio} for name, each in found.items()},
        marks=[
            at_most("a cached route, times the bare one", 1.2, found[CACHED].ratio),
            at_most("the same with the user in the key", 1.2, found[CACHED_USER].ratio),
        ],
        packages=["aiocache_kit", "fastapi", "pydantic", "starlette", *([RIVAL] if RIVAL in found else [])],
        tables=[("a request of a route", COLUMNS, rows(found))],
    )


COLUMNS: Final = ("", "µs", "times", "quartiles")


def rows(found: dict[str, Timing]) -> list[tuple[str, ...]]:
    """Give the lines of the table."""
    return [
        (name, f"{each.ns / 1000:.1f}", f"{each.ratio:.2f}", f"{each.low:.2f} to {each.high:.2f}")
        for name, each in found.items()
    ]


def _plain(cache: AppCache) -> dict[str, FastAPI]:
    async def bare(number: int) -> Page:
        return make_page(number)

    @cache.cached()
    async def cached(number: int) -> Page:
        return make_page(number)

    async def by_hand(number: int, provider: Annotated[Provider, Depends(cache)]) -> Page:
        return await provider.get_or_set(f"page:{number}", lambda: bare(number))

    return {BARE: _app(bare), CACHED: _app(cached), BY_HAND: _app(by_hand)}


def _with_user(cache: AppCache) -> dict[str, FastAPI]:
    async def user(name: Annotated[str, Header()] = "ada") -> Page:
        return Page(number=1, title=name, tags=[])

    async def bare(number: int, user: Annotated[Page, Depends(user)]) -> Page:
        del user
        return make_page(number)

    @cache.cached()
    async def cached(number: int, user: Annotated[Page, Depends(user), KeyBy(lambda user: user.number)]) -> Page:
        del user
        return make_page(number)

    return {BARE_USER: _app(bare), CACHED_USER: _app(cached)}


async def _rival() -> FastAPI:
    from fastapi_cache import FastAPICache  # noqa: PLC0415  - not everybody has it installed
    from fastapi_cache.backends.inmemory import InMemoryBackend  # noqa: PLC0415  - as above
    from fastapi_cache.decorator import cache  # noqa: PLC0415  - as above

    FastAPICache.init(InMemoryBackend(), expire=600)

    @cache()
    async def cached(number: int) -> Page:
        return make_page(number)

    return _app(cached)


def _app(route: Route) -> FastAPI:
    app = FastAPI()
    app.get("/{number}")(route)
    return app


def _asking(app: FastAPI) -> Loop:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def ask(paths: Sequence[str]) -> None:
        for path in paths:
            statuses: list[int] = []

            async def send(message: Any, statuses: list[int] = statuses) -> None:  # noqa: ANN401  - as ASGI has it
                statuses += [message["status"]] if "status" in message else []

            await app(_scope(path), receive, send)
            assert statuses == [200]

    return ask


def _scope(path: str) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"service")],
        "server": ("service", 80),
        "client": ("client", 1),
    }
