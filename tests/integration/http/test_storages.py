"""The cache of responses over every storage, with every serializer, and while the storage fails."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from aiocache_kit import Config, FileConfig, MemoryConfig, Provider, RedisConfig, new_layered, new_provider, new_storage
from aiocache_kit.integrations.asgi import ResponseCacheMiddleware
from aiocache_kit.integrations.http import ResponseCache, ResponseCacheOptions
from aiocache_kit.testing import FakeClock, FaultyStorage
from tests.integration.http.doors import scope_of
from tests.servers.server import Server

Make: TypeAlias = Callable[[], Provider]
SECRET = secrets.token_hex(32)
BODIES = {"/text": b"plain", "/utf": "gr\u00fc\u00df \u6f22".encode(), "/bytes": bytes(range(256)) * 4, "/none": b""}
FORMATS = ("json", "msgpack", "pickle")  # protobuf writes messages, and nothing else


class Application:
    """Gives bodies of all kinds, with headers of all kinds, in variants."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  - ASGI's
        """Answer."""
        del receive
        self.calls += 1
        language = dict(scope["headers"]).get(b"accept-language", b"-")
        headers = [(b"cache-control", b"public, max-age=60"), (b"cache-tag", b"all"), (b"x-raw", b"\xe4\xff \x80")]
        headers += [(b"vary", b"Accept-Language"), (b"x-language", language)] if scope["path"] == "/text" else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": BODIES[scope["path"]] + language})


async def get(app: Any, path: str, *headers: tuple[str, str], method: str = "GET") -> tuple[Any, bytes]:  # noqa: ANN401  - ASGI's
    """Ask, and give headers and body."""
    sent: list[Any] = []

    async def receive() -> Any:  # noqa: ANN401  - as above
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:  # noqa: ANN401  - as above
        sent.append(message)

    await app(scope_of(method, path, headers), receive, send)
    return dict(sent[0]["headers"]), b"".join(message.get("body", b"") for message in sent)


@asynccontextmanager
async def two_processes(make: Make) -> AsyncGenerator[tuple[Application, Provider, list[Any]]]:
    """Give an application behind two caches, as two processes have them, over the same storage."""
    app = Application()
    async with AsyncExitStack() as ends:
        provider = await ends.enter_async_context(make())
        shared = provider.capabilities.shared
        providers = [provider, await ends.enter_async_context(make()) if shared else provider]
        caches = [ResponseCache(each) for each in providers]
        for cache in caches:
            ends.push_async_callback(cache.close)
        yield app, provider, [ResponseCacheMiddleware(app, cache) for cache in caches]


async def check(make: Make) -> None:
    """Everything comes back as it was, and what is forgotten by one is forgotten by all."""
    async with two_processes(make) as (app, provider, (one, other)):
        for path, body in BODIES.items():
            _, made = await get(one, path)
            headers, found = await get(other, path)
            assert made == found == body + b"-"
            assert headers[b"x-raw"] == b"\xe4\xff \x80"
            assert headers[b"cache-status"].startswith(b"aiocache_kit; hit")
        assert app.calls == len(BODIES)
        for _ in range(2):
            for language in ("de", "en"):
                headers, found = await get(one, "/text", ("accept-language", language))
                assert headers[b"x-language"] == language.encode()
                assert found == b"plain" + language.encode()
        assert app.calls == len(BODIES) + 2
        app.calls = 0
        await get(other, "/text", method="DELETE")
        await get(one, "/text", ("accept-language", "de"))
        assert app.calls == 2
        await ResponseCache(provider).invalidate_tags("all")
        for path in BODIES:
            await get(other, path)
        assert app.calls == 2 + len(BODIES)


@pytest.mark.parametrize("form", FORMATS)
async def test_in_redis(form: str, redis_server: Server, fresh_prefix: str) -> None:
    """Two processes share responses in Redis, in every format."""
    part = RedisConfig(addr=f"127.0.0.1:{redis_server.port}", key_prefix=fresh_prefix)
    config = Config(provider="redis", serialization_format=form, signing_keys=[SECRET], redis_config=part)
    await check(lambda: new_provider(config))


@pytest.mark.parametrize("form", FORMATS)
async def test_in_files(form: str, tmp_path: Path) -> None:
    """Files hold responses in every format."""
    part = FileConfig(dir=str(tmp_path))
    await check(
        lambda: new_provider(
            Config(provider="file", serialization_format=form, signing_keys=[SECRET], file_config=part)
        )
    )


@pytest.mark.parametrize(
    "config",
    [
        Config(),
        Config(provider="lru"),
        Config(max_size="10MB"),
        Config(memory_config=MemoryConfig(isolation="copy")),
        Config(memory_config=MemoryConfig(shard_count=8)),
    ],
    ids=["memory", "lru", "bytes", "copies", "shards"],
)
async def test_in_memory(config: Config) -> None:
    """So does memory, with a bound of either kind, and where values are copied."""
    await check(lambda: new_provider(config))


async def test_in_a_namespace() -> None:
    """A namespace of a provider that holds other things is enough, and those stay."""
    async with new_provider(Config()) as root:
        await root.set("/text? http://service.example", "mine")
        app = Application()
        cache = ResponseCache(root.namespace("responses"))
        for _ in range(2):
            await get(ResponseCacheMiddleware(app, cache), "/utf")
        await cache.clear()
        assert app.calls == 1
        assert await root.get("/text? http://service.example") == "mine"
        assert (await root.stats()).items == 1


async def test_in_memory_before_redis(redis_server: Server, fresh_prefix: str) -> None:
    """Memory in front of Redis gives what either of them holds."""
    part = RedisConfig(addr=f"127.0.0.1:{redis_server.port}", key_prefix=fresh_prefix)
    async with new_layered(Config(), Config(provider="redis", redis_config=part)) as provider:
        app = Application()
        door = ResponseCacheMiddleware(app, ResponseCache(provider))
        for _ in range(2):
            for path, body in BODIES.items():
                assert (await get(door, path))[1] == body + b"-"
        assert app.calls == len(BODIES)


async def test_a_snapshot_keeps_responses(tmp_path: Path) -> None:
    """What memory held when it was closed is given after a restart."""
    config = Config(memory_config=MemoryConfig(snapshot_path=str(tmp_path / "snapshot")))
    app = Application()
    for _ in range(2):
        async with new_provider(config) as provider:
            for path, body in BODIES.items():
                assert await get(ResponseCacheMiddleware(app, ResponseCache(provider)), path) is not None
                _, found = await get(ResponseCacheMiddleware(app, ResponseCache(provider)), path)
                assert found == body + b"-"

    assert app.calls == len(BODIES)


async def test_one_of_two_processes_asks(redis_server: Server, fresh_prefix: str) -> None:
    """Of requests for the same at two processes that share Redis one reaches the application."""
    part = RedisConfig(addr=f"127.0.0.1:{redis_server.port}", key_prefix=fresh_prefix)
    async with two_processes(lambda: new_provider(Config(provider="redis", redis_config=part))) as (app, _, doors):
        found = await asyncio.gather(*(get(doors[number % 2], "/utf") for number in range(20)))

    assert {body for _, body in found} == {BODIES["/utf"] + b"-"}
    assert app.calls == 1


async def test_nobody_waits_for_ever_for_another_process(redis_server: Server, fresh_prefix: str) -> None:
    """Who has waited for another process as long as the options have it asks for himself, and what that makes stays."""
    part = RedisConfig(addr=f"127.0.0.1:{redis_server.port}", key_prefix=fresh_prefix)
    app, gate = Application(), asyncio.Event()

    async def held(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  - ASGI's
        began.set()
        await gate.wait()
        await app(scope, receive, send)

    began = asyncio.Event()
    async with AsyncExitStack() as ends:
        doors: list[Any] = []
        for inner in (held, app):
            provider = await ends.enter_async_context(new_provider(Config(provider="redis", redis_config=part)))
            cache = ResponseCache(provider, ResponseCacheOptions(wait_timeout=0.1))
            ends.push_async_callback(cache.close)
            doors.append(ResponseCacheMiddleware(inner, cache))
        first = asyncio.create_task(get(doors[0], "/utf"))
        await began.wait()
        for _ in range(2):
            headers, found = await get(doors[1], "/utf")
            assert found == BODIES["/utf"] + b"-"
            assert headers[b"cache-status"] == b"aiocache_kit; fwd=uri-miss"
        assert app.calls == 2
        gate.set()
        assert (await first)[1] == BODIES["/utf"] + b"-"
        headers, _ = await get(doors[1], "/utf")
        assert headers[b"cache-status"].startswith(b"aiocache_kit; hit")
        headers, _ = await get(doors[1], "/utf", ("cache-control", "no-cache"))
        assert headers[b"cache-status"] == b"aiocache_kit; fwd=request; stored"  # nobody who gave up holds the turn
        assert app.calls == 4


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 13))
async def test_a_storage_that_fails_once_is_not_seen(at: int, after: bool) -> None:  # noqa: FBT001  - a parameter of a test
    """Whichever of its calls fails, before or after it was done, each client gets the right response."""
    clock = FakeClock()
    storage = FaultyStorage(new_storage(Config(), clock=clock), turns=True)
    async with Provider(storage, clock=clock) as provider:
        cache = ResponseCache(provider, clock=clock)
        door = ResponseCacheMiddleware(Application(), cache)
        storage.fail(at=at, after=after)
        for path in ("/utf", "/text", "/text"):
            for language in ("de", "en"):
                _, found = await get(door, path, ("accept-language", language))
                kept = b"de" if path == "/utf" and found.endswith(b"de") else language.encode()  # it does not vary
                assert found == BODIES[path] + kept
        await get(door, "/utf", method="POST")
        await cache.close()


@pytest.mark.parametrize("turns", range(0, 40, 2))
async def test_a_request_that_is_cancelled_leaves_nothing_behind(turns: int) -> None:
    """However far it has come, the next request is answered at once, and nobody waits for what has gone."""
    storage = FaultyStorage(new_storage(Config()), turns=True)
    async with Provider(storage) as provider:
        cache = ResponseCache(provider)
        door = ResponseCacheMiddleware(Application(), cache)
        asking = asyncio.create_task(get(door, "/text"))
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        for _ in range(2):
            _, found = await get(door, "/text")
            assert found == b"plain-"
        await cache.close()
