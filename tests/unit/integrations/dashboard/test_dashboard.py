"""What is at which address, for whom, and how servers carry it: ASGI alone and mounted, and aiohttp."""

import json
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from aiocache_kit import Config, InvalidArgumentError, Provider, new_provider
from aiocache_kit.integrations import dashboard
from aiocache_kit.integrations.dashboard import Dashboard
from aiocache_kit.integrations.dashboard.aiohttp import dashboard_app
from aiocache_kit.integrations.dashboard.http import MOST_BODY, Request
from aiocache_kit.integrations.fastapi import AppCache

READ, ACT = "to-read-" * 2, "to-act-" * 3
ACTIONS = ("invalidate", "delete", "clear")
FILES = [
    *("", "dashboard.css", "icon.svg"),
    *("dashboard.js", "actions.js", "charts.js", "elements.js", "figures.js", "sections.js"),
]


@pytest.fixture
async def cache() -> AsyncIterator[Provider]:
    async with new_provider(Config(provider="memory")) as made:
        await made.set("a", 1, tags=["t"])
        await made.set("b", 2)
        yield made


def client_of(app: Any, **options: Any) -> httpx.AsyncClient:  # noqa: ANN401  - an ASGI application
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service", **options)


def bearing(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def ask(dashboard: Dashboard, action: str, what: Any, **headers: str) -> httpx.Response:  # noqa: ANN401  - JSON
    async with client_of(dashboard) as client:
        return await client.post(f"/actions/{action}", json=what, headers={**bearing(ACT), **headers})


# --- the page -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
async def test_files_of_the_page_are_there(cache: Provider, name: str) -> None:
    """Every file is given with a policy that lets it run its own scripts alone, and is not sent twice."""
    async with client_of(Dashboard(cache)) as client:
        first = await client.get(f"/{name}")
        again = await client.get(f"/{name}", headers={"if-none-match": first.headers["etag"]})
        head = await client.head(f"/{name}")

    policy = first.headers["content-security-policy"]
    assert first.status_code == 200
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert first.headers["x-content-type-options"] == "nosniff"
    assert (again.status_code, again.content) == (304, b"")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(first.content))


def test_all_files_of_the_page_are_listed() -> None:
    """What lies in the package is what is given, so that no file is forgotten, and none given by accident."""
    page = Path(dashboard.__file__).parent / "page"

    assert {path.name for path in page.iterdir()} == {name or "index.html" for name in FILES}


async def test_other_addresses_are_refused(cache: Provider) -> None:
    """What is not there is not there, however it is written, and what is there knows its methods only."""
    async with client_of(Dashboard(cache)) as client:
        for path in ("/x", "/page/index.html", "/%2e%2e/dashboard.py", "/../__init__.py", "/x//", "/figures/"):
            assert (await client.get(path)).status_code == 404
        refused = await client.post("/figures")
        wrong = await client.put("/dashboard.js")

    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    assert wrong.status_code == 405


async def test_settings_tell_what_the_page_needs(cache: Provider) -> None:
    """The page learns whether to ask for a token and to offer actions; it needs no token for that."""
    async with client_of(Dashboard(cache, read_token=READ, action_token=ACT, interval=5, keep=7)) as client:
        protected = (await client.get("/settings")).json()
    async with client_of(Dashboard(cache)) as client:
        open_to_all = (await client.get("/settings")).json()

    process = os.getpid()
    assert protected == {"protected": True, "actions": True, "interval": 5, "keep": 7, "process": process}
    assert open_to_all == {"protected": False, "actions": False, "interval": 2.0, "keep": 300, "process": process}


# --- reading --------------------------------------------------------------------------------------------------------


async def test_figures_hold_no_keys_and_values(cache: Provider) -> None:
    """What is read tells how many, and neither of what."""
    await cache.set("key-of-somebody", "value-of-somebody", tags=["tag-of-somebody"])
    async with client_of(Dashboard(cache)) as client:
        answer = await client.get("/figures")

    assert answer.json()["providers"][0]["totals"]["items"] == 3
    assert "somebody" not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in answer.headers


async def test_reading_needs_the_token_that_was_given(cache: Provider) -> None:
    """With a `read_token`, figures go to those who have it or the one to act; for others the provider is not asked."""
    asked: list[bool] = []

    def provider() -> Provider:
        asked.append(True)
        return cache

    async with client_of(Dashboard(provider, read_token=READ, action_token=ACT)) as client:
        refused = [await client.get("/figures", headers=headers) for headers in ({}, bearing("x" * 16))]
        assert asked == []
        given = [await client.get("/figures", headers=bearing(token)) for token in (READ, ACT)]

    assert [answer.status_code for answer in refused] == [401, 401]
    assert refused[0].headers["www-authenticate"] == "Bearer"
    assert [answer.status_code for answer in given] == [200, 200]


# --- actions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ACTIONS)
async def test_without_token_there_are_no_actions(cache: Provider, action: str) -> None:
    """By default the addresses of actions do not exist, for any method and any header."""
    dashboard = Dashboard(cache, read_token=READ)
    async with client_of(dashboard) as client:
        got = await client.get(f"/actions/{action}")
        posted = await client.post(f"/actions/{action}", json={"provider": "cache"}, headers=bearing(READ))

    assert got.status_code == 404
    assert posted.status_code == 405  # as for any address that is not there
    assert await cache.get_multi(["a", "b"]) == {"a": 1, "b": 2}


async def test_actions_do_what_they_say(cache: Provider, caplog: pytest.LogCaptureFixture) -> None:
    """A tag is invalidated, a key deleted, everything cleared; the log says so, without key and tag."""
    dashboard = Dashboard({"main": cache}, action_token=ACT)
    with caplog.at_level(logging.INFO, "aiocache_kit"):
        invalidated = await ask(dashboard, "invalidate", {"provider": "main", "tag": "t"})
        assert await cache.get_multi(["a", "b"]) == {"b": 2}
        deleted = await ask(dashboard, "delete", {"provider": "main", "key": "b"})
        gone = await ask(dashboard, "delete", {"provider": "main", "key": "b"})
        assert await cache.get_multi(["a", "b"]) == {}
        await cache.set("c", 3)
        cleared = await ask(dashboard, "clear", {"provider": "main"})

    assert await cache.get("c") is None
    done = [answer.json()["done"] for answer in (invalidated, deleted, gone, cleared)]
    assert done == [
        "The tag was invalidated.",
        "The item was deleted.",
        "There was no such item.",
        "Everything was removed.",
    ]
    assert [record.args for record in caplog.records] == [
        (f"/actions/{name}", "main") for name in ("invalidate", "delete", "delete", "clear")
    ]


async def test_clearing_a_namespace_leaves_the_rest(cache: Provider) -> None:
    """What is cleared is the provider of that name, which may be a namespace of another."""
    users = cache.namespace("users")
    await users.set("a", "user")
    await ask(Dashboard({"all": cache, "users": users}, action_token=ACT), "clear", {"provider": "users"})

    assert await users.get("a") is None
    assert await cache.get("a") == 1


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": ""}, 401),
        (bearing(READ), 401),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
async def test_actions_of_others_are_refused(
    cache: Provider, action: str, headers: dict[str, str], status: int
) -> None:
    """Without the token, as a form would send it, or from another origin, nothing is changed."""
    dashboard = Dashboard(cache, read_token=READ, action_token=ACT)
    refused = await ask(dashboard, action, {"provider": "cache", "tag": "t", "key": "a"}, **headers)

    assert refused.status_code == status
    assert await cache.get_multi(["a", "b"]) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("action", "what", "status"),
    [
        ("clear", {"provider": "other"}, 404),
        ("clear", {}, 400),
        ("clear", {"provider": ["cache"]}, 400),
        ("clear", ["cache"], 400),
        ("invalidate", {"provider": "cache"}, 400),
        ("invalidate", {"provider": "cache", "tag": ""}, 400),
        ("invalidate", {"provider": "cache", "tag": 5}, 400),
        ("delete", {"provider": "cache", "key": ""}, 400),
        ("delete", {"provider": "cache", "key": None}, 400),
        ("delete", {"provider": "cache", "key": "x" * MOST_BODY}, 413),
    ],
)
async def test_actions_are_checked_whole(cache: Provider, action: str, what: Any, status: int) -> None:  # noqa: ANN401  - JSON
    """What is asked wrongly is refused with a sentence, and changes nothing."""
    refused = await ask(Dashboard(cache, action_token=ACT), action, what)

    assert refused.status_code == status
    assert refused.json()["error"]
    assert await cache.get_multi(["a", "b"]) == {"a": 1, "b": 2}


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"\xff", b"[" * 60_000])
async def test_bodies_that_are_no_json_are_refused(cache: Provider, body: bytes) -> None:
    """Whatever is sent, the answer is a refusal and not a failure."""
    headers = {**bearing(ACT), "content-type": "application/json"}
    async with client_of(Dashboard(cache, action_token=ACT)) as client:
        refused = await client.post("/actions/clear", content=body, headers=headers)

    assert refused.status_code == 400


async def test_failing_storage_is_said(cache: Provider) -> None:
    """Where the provider cannot do it, the answer says so in our own words."""
    dashboard = Dashboard(cache, action_token=ACT)
    await cache.close()
    refused = await ask(dashboard, "clear", {"provider": "cache"})

    assert (refused.status_code, refused.json()["error"]) == (503, "this provider is closed: make a new one")


# --- servers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [FastAPI, Starlette])
@pytest.mark.parametrize("path", ["/cache", "/a/b/cache"])
async def test_it_can_be_mounted(cache: Provider, make: type[Starlette], path: str) -> None:
    """Under a path of a larger application everything is below that path, which leads to its page without a slash."""
    app = make(routes=[Mount(path, Dashboard(cache))])
    async with client_of(app, follow_redirects=True) as client:
        page = await client.get(path)
        figures = await client.get(f"{path}/figures")
        outside = await client.get("/figures")

    assert page.url.path == f"{path}/"
    assert "<title>Cache</title>" in page.text
    assert figures.json()["providers"][0]["name"] == "cache"
    assert outside.status_code == 404


@pytest.mark.parametrize("is_cut", [True, False], ids=["path is cut", "path is whole"])
async def test_place_is_found_whatever_the_path_holds(cache: Provider, is_cut: bool) -> None:  # noqa: FBT001  - a parameter
    """Servers differ in whether the path still has the place of mounting; both are understood."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:  # noqa: ANN401  - as ASGI has it
        sent.append(message)

    async def get(path: str) -> Any:  # noqa: ANN401  - as above
        scope: dict[str, Any] = {
            "type": "http",
            "method": "GET",
            "root_path": "/in/cache",
            "query_string": b"",
            "headers": [],
        }
        await Dashboard(cache)({**scope, "path": path if is_cut else f"/in/cache{path}"}, receive, send)
        return sent[-2]

    assert (await get("/figures"))["status"] == 200
    redirect = await get("")
    assert redirect["status"] == 307
    assert dict(redirect["headers"])[b"location"] == b"./cache/"


async def test_client_who_goes_away_gets_nothing(cache: Provider) -> None:
    """A body that breaks off is no action."""
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:  # noqa: ANN401  - as ASGI has it
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/actions/clear", "headers": []}
    await Dashboard(cache, action_token=ACT)(scope, receive, send)

    assert sent == []


async def test_it_lives_with_a_server_of_its_own(cache: Provider) -> None:
    """Served alone, it answers the server's start and end; a websocket is refused."""
    messages: list[dict[str, Any]] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:  # noqa: ANN401  - as ASGI has it
        sent.append(message)

    await Dashboard(cache)({"type": "lifespan"}, receive, send)
    await Dashboard(cache)({"type": "websocket", "path": "/"}, receive, send)

    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
        "websocket.close",
    ]


async def test_aiohttp_serves_it(cache: Provider) -> None:
    """In an application of aiohttp the page, its files, figures and actions are the same."""
    app = web.Application()
    app.add_subapp("/in/cache", dashboard_app(Dashboard(cache, action_token=ACT)))
    async with TestClient(TestServer(app)) as client:
        async with client.get("/in/cache") as page:
            assert page.url.path == "/in/cache/"
            assert "<title>Cache</title>" in await page.text()
            assert "default-src 'none'" in page.headers["content-security-policy"]
        async with client.get("/in/cache/figures?after=") as figures:
            assert (await figures.json())["providers"][0]["totals"]["items"] == 2
        async with client.head("/in/cache/charts.js") as head:
            assert int(head.headers["content-length"]) > 1000
        what = {"provider": "cache", "key": "a"}
        async with client.post("/in/cache/actions/delete", json=what, headers=bearing(ACT)) as deleted:
            assert (await deleted.json())["done"] == "The item was deleted."
        too_long = {"provider": "cache", "key": "x" * MOST_BODY}
        async with client.post("/in/cache/actions/delete", json=too_long, headers=bearing(ACT)) as refused:
            assert refused.status == 413

    assert await cache.get("a") is None


# --- making one -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"interval": 0}, "interval"),
        ({"interval": float("nan")}, "interval"),
        ({"interval": True}, "interval"),
        ({"keep": 1}, "keep"),
        ({"keep": 2.5}, "keep"),
        ({"read_sample": 0}, "read_sample"),
        ({"read_token": "short"}, "read_token"),
        ({"action_token": "short"}, "action_token"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], named: str) -> None:
    """What cannot be is said when the dashboard is made, and which argument it was."""
    with pytest.raises(InvalidArgumentError, match=f"^{named} must"):
        Dashboard({}, **options)


async def test_wrong_providers_are_named() -> None:
    """What could never give figures is said at once: among others an `AppCache`, which is awaited when it is called."""

    async def provider() -> Provider:
        return new_provider(Config(provider="null"))

    wrong: list[Any] = [None, "memory://", provider, AppCache("memory://")]
    for each in wrong:
        with pytest.raises(InvalidArgumentError, match=r"^providers must be a Provider.* plain function"):
            Dashboard(each)


async def test_app_cache_is_shown_while_its_application_runs() -> None:
    """The method `provider` of an `AppCache` is what the dashboard of its application is made with."""
    cache = AppCache("memory://")
    app = FastAPI(lifespan=cache.lifespan)
    app.mount("/cache", Dashboard(cache.provider))
    async with app.router.lifespan_context(app), client_of(app) as client:
        figures = await client.get("/cache/figures")

    assert figures.json()["providers"][0]["error"] is None


def test_tokens_are_not_shown() -> None:
    """Neither `repr` nor anything that the dashboard holds has the tokens in it."""
    dashboard = Dashboard({}, read_token=READ, action_token=ACT)

    assert repr(dashboard) == "<Dashboard, read with a token, with actions>"
    assert repr(Dashboard({})) == "<Dashboard, read by everybody, without actions>"


async def test_names_of_any_kind_travel() -> None:
    """Names with any characters, halves of surrogates included, come through as they are."""
    names = ['<img src=x onerror="x">', "\ud800", "\u202e", "é"]
    async with new_provider(Config(provider="null")) as cache:
        answer = await Dashboard(dict.fromkeys(names, cache)).answer(Request(method="GET", path="/figures"))

    assert [each["name"] for each in json.loads(answer.body)["providers"]] == names
