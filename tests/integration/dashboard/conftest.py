"""A real browser, headless, and a server of this machine whose pages it opens.

Rule 1: the browser is the one that `.ci/environment` installs; playwright drives it and downloads none.
Rule 2: whatever a test does, its pages log no errors, raise none, and ask nobody but their own server; a test that must
see an error in the log says which (`Visit.expected`).
Rule 3: one server and one browser serve a module; each test has dashboards, paths and pages of its own.
"""

import asyncio
import re
import shutil
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from socket import socket
from typing import Any, Protocol

import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, Request, async_playwright, expect
from starlette.applications import Starlette
from starlette.routing import Mount

from aiocache_kit.integrations.dashboard import Dashboard

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_numbers = count(1)
expect.set_options(timeout=30_000)  # milliseconds, which a busy machine may need


class Mounted(Protocol):
    """A dashboard, or what stands in the place of several."""

    async def __call__(self, scope: Any, receive: Any, send: Any, /) -> None:  # noqa: ANN401  - as ASGI has them
        """Serve one connection."""
        ...

    async def close(self) -> None:
        """Leave no task."""
        ...


class Started(uvicorn.Server):
    """A server that tells when it has started."""

    def __init__(self, app: Any) -> None:  # noqa: ANN401  - an ASGI application
        super().__init__(uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=5))
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start, and tell."""
        await super().startup(sockets)
        self.up.set()


@asynccontextmanager
async def served(app: Any) -> AsyncGenerator[str]:  # noqa: ANN401  - an ASGI application
    """Serve `app` on a port of this machine; give its origin."""
    with socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = Started(app)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await server.up.wait()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


@dataclass
class Stage:
    """What the tests of a module share."""

    browser: Browser
    app: Starlette
    origin: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    """A browser, and a server for the dashboards that tests mount."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert found is not None, f"none of {', '.join(BROWSERS)} is on PATH; .ci/environment installs the first"
    app = Starlette()
    async with served(app) as origin, async_playwright() as playwright:
        # Root may not use the sandbox, and what is opened here is our own.
        browser = await playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield Stage(browser, app, origin)
        await browser.close()


@dataclass
class Visit:
    """Opens dashboards in the browser and watches what their pages do."""

    stage: Stage
    expected: list[str] = field(default_factory=list[str])
    """Patterns of what may be in the log of a page."""
    said: list[str] = field(default_factory=list[str])
    asked: list[str] = field(default_factory=list[str])
    """Where pages sent requests to."""
    own: list[str] = field(default_factory=list[str])
    """Servers of the test itself, which its pages may ask."""
    contexts: list[BrowserContext] = field(default_factory=list[BrowserContext])
    dashboards: list[Mounted] = field(default_factory=list[Mounted])

    def mount(self, dashboard: Mounted) -> str:
        """Mount a dashboard under a path of its own and give its address."""
        path = f"/internal/{next(_numbers)}/cache"
        self.dashboards.append(dashboard)
        self.stage.app.routes.append(Mount(path, dashboard))
        return f"{self.stage.origin}{path}/"

    async def page(self, **options: Any) -> Page:  # noqa: ANN401  - as playwright has them
        """Give an empty page in a context of its own, which is watched."""
        fixed: dict[str, Any] = {"locale": "en-GB", "timezone_id": "UTC"}
        context = await self.stage.browser.new_context(**fixed | options)
        self.contexts.append(context)
        page = await context.new_page()
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"raised: {error}"))
        context.on("request", self._note)
        return page

    def _note(self, request: Request) -> None:
        self.asked.append(request.url)

    async def __call__(self, dashboard: Dashboard, **options: Any) -> Page:  # noqa: ANN401  - as above
        """Open a dashboard, and wait until it shows figures."""
        page = await self.page(**options)
        await page.goto(self.mount(dashboard))
        await page.locator("#tiles .tile").first.wait_for()
        return page

    async def end(self) -> None:
        """Close all pages; say what they should not have done."""
        for context in self.contexts:
            await context.close()
        for dashboard in self.dashboards:
            await dashboard.close()
        unexpected = [line for line in self.said if not any(re.search(known, line) for known in self.expected)]
        assert unexpected == []
        assert [url for url in self.asked if not url.startswith((f"{self.stage.origin}/", *self.own))] == []


@pytest_asyncio.fixture(loop_scope="module")
async def visit(stage: Stage) -> AsyncIterator[Visit]:
    """Open dashboards; at the end their pages have logged nothing and asked nobody else."""
    made = Visit(stage)
    yield made
    await made.end()
