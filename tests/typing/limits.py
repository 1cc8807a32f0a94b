"""What type checkers know of batches and limits."""

from collections.abc import Mapping
from typing import Any, assert_type

from aiocache_kit import BatchLoader, Provider, RateDecision, RateLimiter, cached, new_provider
from aiocache_kit.integrations.asgi_rate_limit import RateLimitMiddleware

cache = new_provider()


async def load_some(numbers: list[int]) -> dict[int, str | Exception]:
    """Load many, some of which fail."""
    return {number: str(number) if number else ValueError() for number in numbers}


def load_in_thread(names: list[str]) -> Mapping[str, bytes]:
    """Load many in a thread."""
    return {name: name.encode() for name in names}


some = BatchLoader[int, str](load_some, window=0.01, max_batch=10, max_concurrency=None)
in_thread = BatchLoader(load_in_thread)
or_none = BatchLoader[int, str | None](load_some, missing=None)


@cached(cache, key="{number}")
async def one(number: int) -> str:
    """Load one."""
    return await some.load(number)


async def batches() -> None:
    """Ask in all ways."""
    assert_type(await some.load(1), str)
    assert_type(await some.load_many([1, 2]), dict[int, str])
    assert_type(await or_none.load(1), str | None)
    assert_type(await in_thread.load("a"), bytes)
    assert_type(await cache.get_or_set("a", in_thread.loader("a")), bytes)
    assert_type(await cache.get_or_set_multi(["a"], in_thread.load_many), dict[str, bytes])
    assert_type(await one(1), str)
    await some.load("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  - keys are numbers
    async with some as same:
        assert_type(same, BatchLoader[int, str])
    await in_thread.close(timeout=5)


async def limits(app: Any) -> None:  # noqa: ANN401  - an application of any kind
    """Limit in all ways."""
    limiter = cache.rate_limiter("api", rate=100, per="1m", burst=200, on_unavailable="raise")
    assert_type(limiter, RateLimiter)
    assert_type(await limiter.acquire("ann", 2, timeout=5), RateDecision)
    assert_type((await limiter.try_acquire()).retry_after, float)
    assert_type(cache.limited(limiter, "ann"), Provider)
    cache.rate_limiter("api", 1, on_unavailable="open")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  - no such word
    RateLimitMiddleware(app, limiter, key=lambda scope: scope["path"], trusted_proxies=["unix"], name="api")
