"""What doors to a cache of responses are made of: each mistake is told when the application is put together."""

from typing import Any

import pytest

from aiocache_kit import InvalidArgumentError, new_provider
from aiocache_kit.integrations.aiohttp_response_cache import response_cache_middleware
from aiocache_kit.integrations.app_cache import AppCache
from aiocache_kit.integrations.asgi import ResponseCacheMiddleware
from aiocache_kit.integrations.http.cache import ResponseCache


@pytest.mark.parametrize("wrong", [AppCache(), "memory://", None], ids=lambda each: type(each).__name__)
def test_what_is_no_provider_and_gives_none(wrong: Any) -> None:  # noqa: ANN401  - what callers without types hand over
    """An `AppCache` is awaited as a dependency; what a cache of responses wants is its method."""
    with pytest.raises(
        InvalidArgumentError, match=f"such as the method provider of an AppCache, not .* {type(wrong).__name__}$"
    ):
        ResponseCache(wrong)
    assert repr(ResponseCache(AppCache().provider)) == "<ResponseCache over a provider to come>"


def _asgi(cache: ResponseCache) -> ResponseCacheMiddleware:
    return ResponseCacheMiddleware(_app, cache)


@pytest.mark.parametrize("door", [_asgi, response_cache_middleware])
def test_what_is_no_cache_of_responses(door: Any) -> None:  # noqa: ANN401  - as above
    """A middleware that is given a provider says what to put round it."""
    with pytest.raises(
        InvalidArgumentError, match=r"^cache must be a ResponseCache, as in ResponseCache\(cache.provider\), not P"
    ):
        door(new_provider())


async def _app(*_: object) -> None:
    """Answer nothing."""
