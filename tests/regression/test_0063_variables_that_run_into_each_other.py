"""Two variables of a path shared a key with two others whose texts are the same one behind the other."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import product
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request
from yarl import URL

from aiocache_kit import Config, InvalidArgumentError
from aiocache_kit.integrations.aiohttp_app import AppCache

VALUES = ("", "a", ":", ":a", "a:", "%", "%3A", "aTa", "3-", "\u00fc", "%:a")


@asynccontextmanager
async def running(cache: AppCache) -> AsyncGenerator[TestClient[Any, Any]]:
    """Run an application whose pages are told apart by two variables."""

    @cache.cached_handler("1m", key="doc:{tenant}:{name}", tags=["{tenant}:{name}"])
    async def page(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.match_info['tenant']} and {request.match_info['name']}")

    app = web.Application()
    app.router.add_get("/{tenant}/docs/{name}", page)
    app.cleanup_ctx.append(cache.context)
    async with TestClient(TestServer(app)) as client:
        yield client


async def text(client: TestClient[Any, Any], path: str) -> str:
    async with client.get(URL(path, encoded=True)) as response:
        return await response.text()


async def test_no_tenant_is_given_the_page_of_another() -> None:
    """A separator, or a code, within a variable is no separator."""
    async with running(AppCache(Config())) as client:
        assert await text(client, "/acme:secret/docs/plan") == "acme:secret and plan"
        assert await text(client, "/acme/docs/secret:plan") == "acme and secret:plan"
        assert await text(client, "/acme%253Asecret/docs/plan") == "acme%3Asecret and plan"


async def test_documented_keys_reach_what_is_kept() -> None:
    """Ordinary texts are in the key as they are, and so is the last one, whatever it is; tags always are."""
    cache = AppCache(Config())
    async with running(cache) as client:
        for path in ("/acme/docs/plan", "/acme/docs/a:b%25", "/a:b%25/docs/plan"):
            await text(client, path)
        provider = cache.provider()
        for key in ("doc:acme:plan", "doc:acme:a:b%", "doc:a%3Ab%25:plan"):
            assert await provider.delete(key)
        await text(client, "/a:b/docs/plan")
        await provider.invalidate_tags("a:b:plan")
        assert not await provider.exists("doc:a%3Ab:plan")


TEMPLATES = [
    "{a}:{b}",
    "x{a}%:{b}y{c}:",
    "{a}T{b}",
    "{a}3-{b}{{{c}",
    "{a}a::{b}",
    "{a}\u00fc{b}",
    "{a}{{{b}",
    "{a}:{b}:{a}",
]


@pytest.mark.parametrize("template", TEMPLATES)
async def test_other_variables_make_another_key(template: str) -> None:
    """Two requests share a response if, and only if, all that the template names is the same."""
    cache = AppCache(Config())
    calls = 0

    @cache.cached_handler(key=template)
    async def page(request: web.Request) -> web.Response:
        nonlocal calls
        del request
        calls += 1
        return web.Response()

    found = [dict(zip("abc", values, strict=True)) for values in product(VALUES, VALUES, ("a",))]
    async with cache.opened():
        for match in found:
            await page(make_mocked_request("GET", "/", match_info=match))

    assert calls == len({tuple(value for name, value in match.items() if f"{{{name}}}" in template) for match in found})


@pytest.mark.parametrize("template", ["{a}{b}", "{a}%{b}", "{a}25{b}", "{a}:{b}AF{c}"])
def test_variables_with_nothing_between_them(template: str) -> None:
    """What would run into each other is told when the handler is decorated."""
    with pytest.raises(
        InvalidArgumentError, match=r"^key has fields that run into each other: put a sign such as ':' bet"
    ):
        AppCache().cached_handler(key=template)
    AppCache().cached_handler(key="page", tags=[template])
