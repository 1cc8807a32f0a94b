"""aiohttp with a cache: its context, and cached handlers, asked over real connections."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from aiocache_kit import Config, FileConfig, InvalidArgumentError, Provider, ProviderClosedError, new_provider
from aiocache_kit.integrations.aiohttp_app import CACHE, AppCache, get_cache, readiness
from aiocache_kit.testing import FakeClock

Client: TypeAlias = "TestClient[web.Request, web.Application]"
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

calls: list[object] = []


@pytest.fixture(autouse=True)
def forget_calls() -> None:
    """Begin with no calls."""
    calls.clear()


@asynccontextmanager
async def running(cache: AppCache, **handlers: Any) -> AsyncGenerator[Client]:  # noqa: ANN401  - handlers of all kinds
    """Start an application with each handler at ``/<name>/{number}``, and give a client of it."""
    app = web.Application()
    app.cleanup_ctx.append(cache.context)
    for name, handler in handlers.items():
        app.router.add_route("*", f"/{name}/{{number}}", handler)
    async with TestClient(TestServer(app)) as client:
        yield client


async def text(client: Client, path: str, **headers: str) -> str:
    async with client.get(path, headers=headers) as response:
        return await response.text()


async def start(app: web.Application) -> None:
    runner = web.AppRunner(app)
    try:
        await runner.setup()
    finally:
        await runner.cleanup()


# --- context ---------------------------------------------------------------------------------------------------------


async def test_cache_lives_as_long_as_the_application() -> None:
    """The provider is in the application, typed by its key, and closed when that has ended."""
    cache = AppCache()

    async def handler(request: web.Request) -> web.Response:
        provider = get_cache(request)
        assert provider is request.app[CACHE] is request.app[cache.key] is cache.provider()
        return web.Response(text=repr(provider))

    async with running(cache, page=handler) as client:
        assert await text(client, "/page/1") == "<Provider over memory, open>"
        app = client.app
    assert app is not None
    assert app[CACHE].closed
    with pytest.raises(ProviderClosedError):
        cache.provider()


async def test_sub_applications_find_the_cache_around_them() -> None:
    """A sub-application has the cache of the one around it, unless it has one of its own; names tell several apart."""
    outer, own, named = AppCache(), AppCache("lru://"), AppCache("null://", name="sessions")

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=f"{get_cache(request)!r} {get_cache(request, named.key)!r}")

    app, plain, with_own = web.Application(), web.Application(), web.Application()
    app.cleanup_ctx.extend([outer.context, named.context])
    with_own.cleanup_ctx.append(own.context)
    for each, prefix in ((plain, "/plain"), (with_own, "/own")):
        each.router.add_get("/", handler)
        app.add_subapp(prefix, each)
    async with TestClient(TestServer(app)) as client:
        assert await text(client, "/plain/") == "<Provider over memory, open> <Provider over null, open>"
        assert await text(client, "/own/") == "<Provider over lru, open> <Provider over null, open>"


async def test_missing_cache_is_told() -> None:
    """A handler that asks for a cache that no application has says what is missing."""

    async def handler(request: web.Request) -> web.Response:
        with pytest.raises(InvalidArgumentError, match="append the context of an AppCache to its cleanup_ctx"):
            get_cache(request)
        return web.Response(text="told")

    app = web.Application()
    app.router.add_get("/", handler)
    async with TestClient(TestServer(app)) as client:
        assert await text(client, "/") == "told"


async def test_readiness_tells_by_status() -> None:
    """The check answers 200 while the caches can be used, and 503 otherwise."""
    cache = AppCache()
    async with running(cache, ready=readiness(cache), both=readiness(cache, AppCache(name="away"))) as client:
        async with client.get("/ready/1") as response:
            assert (response.status, await response.json()) == (200, {"cache": "ok"})
            assert response.headers["Cache-Control"] == "no-store"
        async with client.get("/both/1") as response:
            assert (response.status, await response.json()) == (503, {"cache": "ok", "away": "unavailable"})


# --- cached handlers -------------------------------------------------------------------------------------------------


async def test_responses_are_made_anew_of_what_is_kept(tmp_path: Path) -> None:
    """Body, type and headers are the same each time, from memory and from files; each request has its own response."""
    for config in (Config(), Config(provider="file", file_config=FileConfig(dir=tmp_path))):
        cache = AppCache(config)

        @cache.cached_handler(key="page:{number}", tags=["pages", "page:{number}"])
        async def page(request: web.Request) -> web.Response:
            calls.append(request.path)
            return web.json_response({"number": request.match_info["number"]}, headers={"X-Made": "once"})

        async with running(cache, page=page) as client:
            for _ in range(3):
                async with client.get("/page/1") as response:
                    assert await response.json() == {"number": "1"}
                    assert (response.content_type, response.headers["X-Made"]) == ("application/json", "once")
            async with client.head("/page/1") as response:
                assert (response.status, await response.read()) == (200, b"")
                assert response.headers["Content-Length"] == "15"
            assert await text(client, "/page/2") == '{"number": "2"}'
            await cache.provider().invalidate_tags("page:1")
            assert [await text(client, f"/page/{number}") for number in (1, 2)] == [
                '{"number": "1"}',
                '{"number": "2"}',
            ]
        assert calls == ["/page/1", "/page/2", "/page/1"]
        calls.clear()


async def test_methods_of_views_and_controllers_are_handlers() -> None:
    """``self`` has no part in the key: of a view it is new for each request, and of a controller always the same."""
    cache = AppCache()

    class View(web.View):
        @cache.cached_handler(key="view:{number}")
        async def get(self) -> web.Response:
            calls.append(self.request.path)
            return web.Response(text=f"view {self.request.match_info['number']}")

    class Controller:
        @cache.cached_handler(key="controller:{number}")
        async def show(self, request: web.Request) -> web.Response:
            calls.append(request.path)
            return web.Response(text=f"controller {request.match_info['number']}")

    async with running(cache, view=View, controller=Controller().show) as client:
        for _ in range(2):
            assert await text(client, "/view/1") == "view 1"
            assert await text(client, "/controller/1") == "controller 1"
    assert calls == ["/view/1", "/controller/1"]


async def test_key_is_what_the_author_says() -> None:
    """A function of the request makes the key, and another the tags: with the query, the language, the user."""
    cache = AppCache()

    def key(request: web.Request) -> str:
        return f"page:{request.query.get('page', '1')}:{request.headers.get('User', '')}"

    @cache.cached_handler(key=key, tags=lambda request: [f"user:{request.headers.get('User', '')}"])
    async def page(request: web.Request) -> web.Response:
        calls.append(key(request))
        return web.Response(text=key(request))

    async with running(cache, page=page) as client:
        for _ in range(2):
            assert await text(client, "/page/1?page=2", User="ada") == "page:2:ada"
            assert await text(client, "/page/1?page=2", User="bob") == "page:2:bob"
        await cache.provider().invalidate_tags("user:ada")
        await text(client, "/page/1?page=2", User="ada")
        await text(client, "/page/1?page=2", User="bob")
    assert calls == ["page:2:ada", "page:2:bob", "page:2:ada"]


async def test_middleware_is_asked_for_every_caller() -> None:
    """Who may not see the page does not get it from the cache either."""
    cache = AppCache()

    @web.middleware
    async def members_only(request: web.Request, handler: Handler) -> web.StreamResponse:
        if "User" not in request.headers:
            raise web.HTTPUnauthorized
        return await handler(request)

    @cache.cached_handler(key="page")
    async def page(request: web.Request) -> web.Response:
        return web.Response(text=request.path)

    app = web.Application(middlewares=[members_only])
    app.cleanup_ctx.append(cache.context)
    app.router.add_get("/", page)
    async with TestClient(TestServer(app)) as client:
        assert await text(client, "/", User="ada") == "/"
        async with client.get("/") as response:
            assert response.status == 401


async def test_what_did_not_succeed_is_not_kept() -> None:
    """Errors, raised or returned, and redirections reach the client as they are, and the next one asks again."""
    cache = AppCache()

    @cache.cached_handler(key="{number}")
    async def page(request: web.Request) -> web.Response:
        calls.append(request.match_info["number"])
        match request.match_info["number"]:
            case "raised":
                raise web.HTTPNotFound(text="nothing", headers={"X-Why": "gone"})
            case "redirect":
                raise web.HTTPFound("/elsewhere")
            case "bug":
                raise ValueError("a bug")
            case _:
                return web.Response(status=202, text="later")

    expected = {"raised": 404, "redirect": 302, "bug": 500, "returned": 202}
    async with running(cache, page=page) as client:
        for number in (*expected, *expected):
            async with client.get(f"/page/{number}", allow_redirects=False) as response:
                assert response.status == expected[number]
                assert number != "raised" or response.headers["X-Why"] == "gone"
                assert number != "redirect" or response.headers["Location"] == "/elsewhere"
    assert calls == [*expected, *expected]


async def test_cookies_stay_with_the_client_that_they_are_for() -> None:
    """A response that sets a cookie is neither kept nor given to those who wait: each gets one of its own."""
    cache, all_there, came = AppCache(), asyncio.Event(), list[str]()

    def key(request: web.Request) -> str:
        came.append(request.headers["User"])
        if len(came) == 3:
            all_there.set()
        return "page"

    @cache.cached_handler(key=key)
    async def page(request: web.Request) -> web.Response:
        calls.append(request.headers["User"])
        await all_there.wait()
        response = web.Response(text=request.headers["User"])
        response.set_cookie("user", request.headers["User"])
        return response

    async def ask(user: str) -> tuple[str, str]:
        async with client.get("/page/1", headers={"User": user}) as response:
            return await response.text(), response.cookies["user"].value

    async with running(cache, page=page) as client:
        users = ("ada", "bob", "eve")
        assert await asyncio.gather(*map(ask, users)) == [(user, user) for user in users]
        assert (await cache.provider().stats()).loads == 1
    assert sorted(map(str, calls)) == ["ada", "bob", "eve"]


async def test_many_at_once_share_a_call() -> None:
    """Requests for one page that come together cost one call, and each gets a whole response."""
    cache, entered, going_on = AppCache(), asyncio.Event(), asyncio.Event()

    @cache.cached_handler(key="page")
    async def page(request: web.Request) -> web.Response:
        calls.append(request.path)
        entered.set()
        await going_on.wait()
        response = web.Response(text="page" * 1000)
        response.enable_compression()
        return response

    async with running(cache, page=page) as client:
        asking = [asyncio.create_task(text(client, "/page/1")) for _ in range(20)]
        await entered.wait()
        going_on.set()
        assert [await each for each in asking] == ["page" * 1000] * 20
        async with client.get("/page/1") as response:
            assert response.headers["Content-Encoding"] == "deflate"
    assert len(calls) == 1


async def test_answers_are_no_failures_of_the_source() -> None:
    """With ``stale_if_error`` an old page is given for a 503 or a bug, but not where the page is gone: a 404."""
    clock, outcomes = FakeClock(), list[Exception | web.Response]()
    cache = AppCache(lambda: new_provider(clock=clock))

    @cache.cached_handler(10, key="page", stale_if_error=3600, throttle=0)
    async def page(request: web.Request) -> web.Response:
        outcome = outcomes.pop() if outcomes else web.Response(text=request.path)
        if isinstance(outcome, web.Response):
            return outcome
        raise outcome

    async with running(cache, page=page) as client:
        statuses: list[int] = []
        for outcome in (None, ValueError("a bug"), web.HTTPBadGateway(), web.Response(status=503), web.HTTPGone()):
            outcomes.extend([] if outcome is None else [outcome])
            async with client.get("/page/1") as response:
                statuses.append(response.status)
            await clock.advance(11)
    assert statuses == [200, 200, 200, 200, 410]


# --- what is refused -------------------------------------------------------------------------------------------------


async def test_streams_and_files_are_refused(tmp_path: Path) -> None:
    """What is sent piece by piece cannot be kept: the request is an error that says what to give instead."""
    cache = AppCache()
    file = tmp_path / "file"
    file.write_text("text", "utf-8")
    errors: list[str] = []

    async def give(request: web.Request) -> web.StreamResponse:
        match request.match_info["number"]:
            case "stream":
                return web.StreamResponse()
            case "file":
                return web.FileResponse(file)
            case _:
                return web.Response(body=asyncio.StreamReader())

    page = cache.cached_handler(key="{number}")(cast("Callable[[web.Request], Awaitable[web.Response]]", give))

    async def outer(request: web.Request) -> web.Response:
        try:
            return await page(request)
        except InvalidArgumentError as error:
            errors.append(str(error))
            raise web.HTTPInternalServerError from error

    async with running(cache, page=outer) as client:
        for number in ("stream", "file", "reader"):
            async with client.get(f"/page/{number}") as response:
                assert response.status == 500
    assert [error.split(" that is")[0] for error in errors] == [
        "a cached handler gives a StreamResponse",
        "a cached handler gives a FileResponse",
        "a cached handler gives a Response",
    ]


async def test_wrong_handlers_keep_the_application_from_starting() -> None:
    """All that is wrong is named with its route: variables that no path has, and functions that keep data."""
    cache = AppCache()

    @cache.cached_handler(key="page:{number}:{lang}", tags=["{user}"])
    async def page(request: web.Request) -> web.Response:
        return web.Response(text=request.path)

    @cache.cached(exclude=["request"])
    async def data(request: web.Request) -> object:
        return request.path

    class View(web.View):
        @cache.cached_handler(key="{missing}")
        async def post(self) -> web.Response:
            return web.Response()

    app, inner = web.Application(), web.Application()
    app.cleanup_ctx.append(cache.context)
    app.router.add_post("/pages/{number}", page)
    app.router.add_get("/data", cast("Handler", data), allow_head=False)
    inner.router.add_view("/{number}", View)
    app.add_subapp("/inner", inner)
    with pytest.raises(InvalidArgumentError) as raised:
        await start(app)
    place = f"{test_wrong_handlers_keep_the_application_from_starting.__name__}.<locals>"
    told = f"{__name__}:{place}.data is decorated by cached, which keeps data and no responses: use cached_handler"
    why = "which is no variable of the path: use a function of the request"
    assert str(raised.value).splitlines() == [
        f"POST /pages/{{number}}: key or tags of {place}.page name 'lang', {why}",
        f"POST /pages/{{number}}: key or tags of {place}.page name 'user', {why}",
        f"GET /data: {told}",
        f"* /inner/{{number}}: key or tags of {place}.View.post name 'missing', {why}",
    ]


async def test_decorators_in_the_wrong_order_are_told() -> None:
    """A route that is made before its handler is cached would keep nothing, silently; where both are, it is meant."""
    cache = AppCache()

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=request.path)

    kept = cache.cached_handler(key="page")(page)
    app = web.Application()
    app.cleanup_ctx.append(cache.context)
    app.add_routes([web.get("/wrong", page)])
    with pytest.raises(InvalidArgumentError, match=r"/wrong: \S+page is called as it was before it was cached"):
        await start(app)
    app = web.Application()
    app.cleanup_ctx.append(cache.context)
    app.add_routes([web.get("/wrong", page), web.get("/right", kept)])
    await start(app)


def test_cached_refuses_declared_responses() -> None:
    """Of data and responses, `cached` keeps the former; the annotation alone tells that it is the latter."""
    with pytest.raises(InvalidArgumentError, match="gives a Response, which is sent once"):

        @AppCache().cached(exclude=["request"])
        async def page(request: web.Request) -> web.Response:
            return web.Response(text=request.path)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"key": ""}, "key must not be empty"),
        ({"key": "{number"}, "key must be a template, or a function of the request"),
        ({"key": "{number!r}"}, "key has a field that is none"),
        ({"key": "{number:>3}"}, "key has a field that is none"),
        ({"key": "{number.name}"}, "key has a field that is none"),
        ({"key": 7}, "key must be a template, or a function of the request"),
        ({"key": "page", "tags": "pages"}, "tags must be a collection"),
        ({"key": "page", "tags": ["{}"]}, "tags has a field that is none"),
        ({"key": "page", "stale_for": 1}, "there is no option 'stale_for'"),
    ],
)
def test_bad_input_is_refused_at_once(options: dict[str, Any], sentence: str) -> None:
    """What is wrong is said when the handler is decorated, in one sentence that names the argument."""
    with pytest.raises(InvalidArgumentError, match=sentence):
        AppCache().cached_handler(**options)


def test_only_coroutine_functions_are_handlers() -> None:
    """A plain function is refused, as aiohttp itself refuses it."""
    plain: Any = dict[str, str]
    with pytest.raises(InvalidArgumentError, match="only a coroutine function"):
        AppCache().cached_handler(key="page")(plain)


async def test_handler_needs_a_request() -> None:
    """Called with anything else, or below a path that lacks a variable of its key, a handler says so."""
    cache = AppCache()

    @cache.cached_handler(key="{number}")
    async def page(request: web.Request) -> web.Response:
        return web.Response(text=request.path)

    unchecked: Any = page
    async with cache.opened() as provider:
        assert isinstance(provider, Provider)
        for arguments in ((), (7,)):
            with pytest.raises(InvalidArgumentError, match="must be called with a request"):
                await unchecked(*arguments)

    app = web.Application()
    app.router.add_get("/", page)

    async def open_without_a_look(_: web.Application) -> AsyncGenerator[None]:
        async with cache.opened():
            yield

    app.cleanup_ctx.append(open_without_a_look)
    async with TestClient(TestServer(app)) as client, client.get("/") as response:
        assert response.status == 500
