"""What a running program's dashboard tells, in a terminal."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from aiocache_kit import Provider, new_layered, new_provider
from aiocache_kit.integrations.dashboard import Dashboard
from aiocache_kit.integrations.dashboard.aiohttp import dashboard_app
from tests.integration.cli.conftest import Outcome, Run
from tests.servers.certificates import Certificates

TOKEN = "a-token-of-sixteen-or-more"  # noqa: S105  - opens nothing but a dashboard of a test
LOOKS = ("--count", 2, "--interval", 0.1)


async def load() -> str:
    """Give a value."""
    return "value"


@pytest.fixture
async def cache() -> AsyncIterator[Provider]:
    """A provider with a layer above another one, that has been used."""
    async with new_layered("memory://", "lru://?max_entries=50") as made:
        for number in range(20):
            await made.get_or_set(f"user:{number % 10}", load)
        yield made


async def top(run: Run, app: web.Application, *arguments: object) -> Outcome:
    """Serve an application and let the command look at it."""
    outer = web.Application()
    outer.add_subapp("/internal/cache", app)
    async with TestServer(outer) as server:
        url = str(server.make_url("/internal/cache/"))
        return await asyncio.to_thread(run, "top", "--dashboard", url, *LOOKS, *arguments)


async def test_caches_of_a_program_are_shown(aiocache_kit: Run, cache: Provider) -> None:
    """With rates, layers and groups of keys, wherever they lie: here in the program's own memory."""
    dashboard = Dashboard({"users": cache}, interval=0.1, read_sample=1)
    seen = await top(aiocache_kit, dashboard_app(dashboard))
    await dashboard.close()

    assert (seen.code, seen.err) == (0, "")
    assert seen.out.count("reads/s") == 2
    assert "users / memory" in seen.out


async def test_json_has_all_that_the_dashboard_tells(aiocache_kit: Run, cache: Provider) -> None:
    """One object a line, with the time of the look."""
    dashboard = Dashboard({"users": cache}, interval=0.1)
    seen = await top(aiocache_kit, dashboard_app(dashboard), "--json")
    await dashboard.close()

    for line in seen.out.splitlines():
        told = json.loads(line)
        (users,) = told["providers"]
        assert told["at"] > 0
        assert (users["name"], users["totals"]["loads"]) == ("users", 10)
    assert len(seen.out.splitlines()) == 2


async def test_a_token_is_given_and_not_shown(
    aiocache_kit: Run, cache: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a file or the environment; without it the dashboard refuses."""
    dashboard = Dashboard(cache, read_token=TOKEN)
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n", "ascii")

    assert (await top(aiocache_kit, dashboard_app(dashboard), "--token-file", path)).code == 0
    refused = await top(aiocache_kit, dashboard_app(dashboard))
    assert (refused.code, "the dashboard asks for a token" in refused.err) == (4, True)
    monkeypatch.setenv("AIOCACHE_DASHBOARD_TOKEN", "another-token-that-is-wrong")
    wrong = await top(aiocache_kit, dashboard_app(dashboard))
    assert (wrong.code, "the dashboard refuses the token that was given" in wrong.err) == (4, True)
    for seen in (refused, wrong):
        assert "try: give its read_token by AIOCACHE_DASHBOARD_TOKEN or --token-file" in seen.err
        assert "redis" not in seen.err
    assert (await top(aiocache_kit, dashboard_app(dashboard), "--token-file", tmp_path / "nowhere")).code == 2
    await dashboard.close()


@pytest.mark.parametrize(
    ("typed", "speaks_tls", "code", "words"),
    [
        ("https", False, 3, ["does not speak TLS as it was asked to", "write http:// if it has none"]),
        ("https", True, 4, ["a certificate that was not accepted", "SSL_CERT_FILE"]),
        ("http", True, 3, ["the dashboard hung up", "write https:// if it speaks TLS"]),
    ],
    ids=["TLS to none", "unknown authority", "none to TLS"],
)
async def test_tls_of_a_dashboard_is_not_that_of_redis(
    aiocache_kit: Run, certificates: Certificates, typed: str, code: int, words: list[str], *, speaks_tls: bool
) -> None:
    """What to do about it is said of the dashboard's address."""
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    right = certificates.right
    own.load_cert_chain(right.certificate, right.key)
    server = TestServer(web.Application())
    await server.start_server(ssl=own if speaks_tls else None)
    url = server.make_url("/").with_scheme(typed)
    seen = await asyncio.to_thread(aiocache_kit, "top", "--dashboard", url, *LOOKS)
    await server.close()

    assert seen.code == code
    assert all(each in seen.err for each in words)
    assert "redis" not in seen.err


async def test_a_failing_cache_is_told(aiocache_kit: Run) -> None:
    """With what it failed for, beside the others."""
    closed, good = new_provider("memory://"), new_provider("memory://")
    await closed.close()
    async with good:
        dashboard = Dashboard({"gone": closed, "there": good}, interval=0.1)
        seen = await top(aiocache_kit, dashboard_app(dashboard))
        await dashboard.close()

    assert seen.code == 0
    assert "gone: this provider is closed" in seen.out


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(text="hello"),
        web.Response(text="[1]"),
        web.Response(text='{"providers": 1}'),
        web.Response(status=404),
        web.Response(status=302, headers={"location": "http://127.0.0.1:1/figures"}),
    ],
    ids=["text", "list", "other", "nothing", "redirection"],
)
async def test_what_is_no_dashboard_is_told_to_be_none(aiocache_kit: Run, answer: web.Response) -> None:
    """A redirection is not followed: a token must not go where it was not meant to."""
    app = web.Application()

    async def give(_: web.Request) -> web.Response:
        return answer

    app.router.add_get("/figures", give)
    seen = await top(aiocache_kit, app)

    assert seen.code == 2
    assert "no dashboard of aiocache_kit" in seen.err


async def test_what_a_program_says_is_not_obeyed(aiocache_kit: Run) -> None:
    """Names are made safe, and what is not of the kind that is expected is left out."""
    names: dict[str, Any] = {
        "name": "a\x1b[2J",
        "error": "e\x1b",
        "layers": [{"name": "l\x1b", "depth": "x"}, 5],
        "groups": 7,
        "points": {},
    }
    app = web.Application()

    async def give(_: web.Request) -> web.Response:
        return web.json_response({"epoch": 1, "cursor": 2, "providers": [names, None]})

    app.router.add_get("/figures", give)
    seen = await top(aiocache_kit, app)

    assert seen.code == 0
    assert "\x1b" not in seen.out
    assert "a\\x1b[2J" in seen.out


@pytest.mark.parametrize("url", ["ftp://host/", "localhost:8000", "http://", "http://me:secret@host/", "file:///etc"])
def test_an_address_that_is_none_is_refused(aiocache_kit: Run, url: str) -> None:
    """Before anything is asked, and without repeating what may be a secret."""
    refused = aiocache_kit("top", "--dashboard", url)

    assert refused.code == 2
    assert "secret" not in refused.err


def test_nobody_at_the_address(aiocache_kit: Run) -> None:
    """Told as for a server."""
    refused = aiocache_kit("top", "--dashboard", "http://127.0.0.1:1/")

    assert refused.code == 3
    assert "nothing listens at this address" in refused.err
