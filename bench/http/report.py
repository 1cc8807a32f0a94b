"""The same response of a FastAPI application, made each time, and cached by us and by fastapi-cache2.

Rule: everybody answers the same requests with the same bytes, called by ASGI's messages in one process, without a
server and a connection, which would cost everybody the same.
"""

from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any, Final

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from aiocache_kit import Config, new_provider
from aiocache_kit.integrations.asgi import ResponseCacheMiddleware
from aiocache_kit.integrations.http import ResponseCache
from bench.measure import FULL, QUICK, Effort, Loop, Turns, interleave
from bench.record import Outcome, Track, at_least

METHOD: Final = (
    "GET of a page of 20 records, {pages} pages in turn, called by ASGI's messages in one process and one event loop; "
    "headers as a browser sends them. Each subject has one turn of about {turn:g} ms a round, {rounds} rounds. "
    "Processor time of the thread. A ratio is to the time of the application without a cache in the same round."
)
PAGES: Final = [f"page={number}" for number in range(100)]
BARE: Final = "FastAPI, no cache"
OURS: Final = "aiocache_kit"
RIVAL: Final = "fastapi-cache2"
HEADERS: Final = [
    (b"host", b"service.example"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"),
    (b"accept", b"application/json"),
    (b"accept-language", b"en-GB,en;q=0.5"),
    (b"accept-encoding", b"gzip, deflate, br"),
    (b"connection", b"keep-alive"),
]
SETTINGS: Final = {
    BARE: "a coroutine function that gives a JSONResponse of records that are there",
    OURS: "ResponseCacheMiddleware over the provider memory, both with their defaults; max-age said by the handler",
    RIVAL: "its decorator over InMemoryBackend with JsonCoder, its default, around a handler that gives the records",
    f"{RIVAL}, pickled response": "the same with PickleCoder, around the handler that gives a JSONResponse",
}


async def measure(*, quick: bool, track: Track) -> Outcome:
    """Measure each way to answer."""
    effort = Effort(rounds=QUICK.rounds, turn=QUICK.turn, keys=QUICK.keys) if quick else Effort(400, FULL.turn, 20_000)
    async with new_provider(Config(default_ttl=None)) as provider:
        cache = ResponseCache(provider)
        apps: dict[str, Any] = {BARE: bare(), OURS: ResponseCacheMiddleware(bare(), cache), **_rivals()}
        expected = await _body(apps[BARE], PAGES[0])
        for app in apps.values():
            for page in PAGES:
                await _body(app, page)
            assert await _body(app, PAGES[0]) == expected
        assert (await provider.stats()).items == len(PAGES)
        turns = [Turns(_loop(app), PAGES * (effort.keys // len(PAGES))) for app in apps.values()]
        timings = dict(zip(apps, await interleave(turns, effort, track("http", effort.rounds)), strict=True))
        await cache.close()
    ours = timings[OURS]
    rivals = [timing.ratio for name, timing in timings.items() if name.startswith(RIVAL)]
    return Outcome(
        method=METHOD.format(pages=len(PAGES), turn=effort.turn * 1000, rounds=effort.rounds),
        results={"hit": {name: asdict(timing) for name, timing in timings.items()}},
        marks=[
            at_least("times as fast as the handler without a cache", 3, 1 / ours.ratio),
            *(at_least(f"times as fast as {RIVAL}, its fastest", 3, min(rivals) / ours.ratio) for _ in rivals[:1]),
        ],
        packages=["aiocache_kit", "fastapi", "starlette", RIVAL],
        settings={name: SETTINGS[name] for name in timings},
        tables=[
            (
                "a page of 20 records",
                ("", "us", "times the handler", "a second"),
                [
                    (name, f"{timing.ns / 1000:.1f}", f"{timing.ratio:.3f}", f"{1e9 / timing.ns:,.0f}")
                    for name, timing in timings.items()
                ],
            )
        ],
    )


def records(page: int) -> list[dict[str, Any]]:
    """Give the records of a page, as a database would."""
    return [
        {"id": page * 20 + number, "name": f"user {number}", "mail": f"user{number}@example.org", "active": True}
        for number in range(20)
    ]


RECORDS: Final = {number: records(number) for number in range(len(PAGES))}


def bare() -> FastAPI:
    """Make an application that answers anew each time."""
    app = FastAPI()

    @app.get("/users")
    async def users(page: int) -> JSONResponse:
        return JSONResponse(RECORDS[page], headers={"Cache-Control": "max-age=600"})

    return app


def _rivals() -> dict[str, FastAPI]:
    """Make the applications with the decorator of fastapi-cache2, where it is installed."""
    if find_spec("fastapi_cache") is None:
        return {}
    from fastapi_cache import FastAPICache  # noqa: PLC0415  - not everybody has it installed
    from fastapi_cache.backends.inmemory import InMemoryBackend  # noqa: PLC0415  - as above
    from fastapi_cache.coder import JsonCoder, PickleCoder  # noqa: PLC0415  - as above
    from fastapi_cache.decorator import cache  # noqa: PLC0415  - as above

    FastAPICache.init(InMemoryBackend(), expire=600)
    by_json, by_pickle = FastAPI(), FastAPI()

    @by_json.get("/users")
    @cache(expire=600, namespace="json", coder=JsonCoder)
    async def users(page: int) -> Any:  # noqa: ANN401  - so that nothing is converted
        return RECORDS[page]

    @by_pickle.get("/users")
    @cache(expire=600, namespace="pickle", coder=PickleCoder)
    async def users_as_response(page: int) -> Any:  # noqa: ANN401  - as above
        return JSONResponse(RECORDS[page], headers={"Cache-Control": "max-age=600"})

    return {RIVAL: by_json, f"{RIVAL}, pickled response": by_pickle}


def _scope(query: str) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/users",
        "raw_path": b"/users",
        "root_path": "",
        "query_string": query.encode(),
        "headers": HEADERS,
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 40000),
    }


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _body(app: Any, query: str) -> bytes:  # noqa: ANN401  - an ASGI application
    """Ask once and give the body."""
    sent: list[Any] = []

    async def send(message: Any) -> None:  # noqa: ANN401  - ASGI's message
        sent.append(message)

    await app(_scope(query), _receive, send)
    assert sent[0]["status"] == 200
    return b"".join(message.get("body", b"") for message in sent)


def _loop(app: Any) -> Loop:  # noqa: ANN401  - an ASGI application
    async def send(message: Any) -> None:  # noqa: ANN401  - ASGI's message
        del message

    async def loop(pages: Sequence[str]) -> None:
        for page in pages:
            await app(_scope(page), _receive, send)

    return loop
