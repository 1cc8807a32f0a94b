"""A dashboard that was looked at before its cache was open, or after it was closed, failed with an error 500."""

import json
from typing import Any

import httpx

from aiocache_kit import Config, ProviderClosedError
from aiocache_kit.integrations.app_cache import AppCache
from aiocache_kit.integrations.dashboard import Dashboard
from aiocache_kit.testing import FakeClock


async def look(dashboard: Dashboard) -> dict[str, Any]:
    """Give what is shown, by the names of providers."""
    transport = httpx.ASGITransport(dashboard)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        answer = await client.get("/figures")
    assert answer.status_code == 200
    return {each["name"]: each for each in json.loads(answer.text)["providers"]}


def told(cache: AppCache) -> str:
    try:
        cache.provider()
    except ProviderClosedError as error:
        return str(error)
    return "it is open"


async def test_one_provider() -> None:
    """It says that the cache is not open, and shows it as soon as it is."""
    cache, clock = AppCache(Config()), FakeClock()
    dashboard = Dashboard(cache.provider, clock=clock)

    (shown,) = (await look(dashboard)).values()
    assert (shown["name"], shown["error"], shown["totals"]) == ("cache", told(cache), None)
    async with cache.opened() as provider:
        await provider.set("k", 1)
        await clock.advance(2.0)
        (shown,) = (await look(dashboard)).values()
        assert (shown["name"], shown["error"], shown["totals"]["sets"]) == ("cache", None, 1)
        await dashboard.close()


async def test_several_providers() -> None:
    """Where the cache is closed, all that there was is shown with its last figures; later, all that there is."""
    cache, clock = AppCache(Config()), FakeClock()
    users = cache.namespace("users")
    dashboard = Dashboard(lambda: {"all": cache.provider(), "users": users.provider()}, clock=clock)

    assert list(await look(dashboard)) == ["cache"]
    for _ in range(2):
        async with cache.opened() as provider:
            await provider.set("k", 1)
            await clock.advance(2.0)
            shown = await look(dashboard)
            assert {name: each["error"] for name, each in shown.items()} == {"all": None, "users": None}
            await dashboard.close()
        await clock.advance(2.0)
        shown = await look(dashboard)
        assert {name: each["error"] for name, each in shown.items()} == dict.fromkeys(("all", "users"), told(cache))
        assert shown["all"]["totals"]["sets"] == 1
