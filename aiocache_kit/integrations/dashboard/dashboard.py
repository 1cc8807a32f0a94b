"""`Dashboard`: an application of its own, to be mounted in another one, that shows what providers do.

Rule 1: it is open to whoever can reach it unless it is given tokens, and shows neither keys nor values.
Rule 2: an address that is not there for this configuration is not there at all: no actions without an `action_token`.
Rule 3: the page itself holds no figures, so it may be seen by all; figures are given to those who may read them.
"""

import os
from typing import TYPE_CHECKING, Final, final
from urllib.parse import parse_qs, quote

from aiocache_kit.clock import Clock, SystemClock
from aiocache_kit.integrations.dashboard.access import Access, is_of_another_origin
from aiocache_kit.integrations.dashboard.actions import ACTIONS, act
from aiocache_kit.integrations.dashboard.asgi import Receive, Scope, Send, serve
from aiocache_kit.integrations.dashboard.assets import Assets
from aiocache_kit.integrations.dashboard.http import Answer, Request, of_data, of_json, of_refusal
from aiocache_kit.integrations.dashboard.listening import Listening
from aiocache_kit.integrations.dashboard.watch import Providers, Watch, check_numbers, check_providers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_PATIENCE: Final = 10
"""Intervals, but no fewer seconds, after the last look at which nobody is taken to watch any more."""
_TOKEN_WANTED: Final = (("www-authenticate", "Bearer"),)


@final
class Dashboard:
    """A page that shows live what providers do, as an ASGI application.

    `providers` is a `Provider`, a mapping of names to providers and namespaces, or a function of no arguments that
    gives one of these each time a reading is taken, such as the method `provider` of an `AppCache`.

    Every `interval` seconds (0.1 to 3600) at most, and only while somebody watches, each provider's `stats` is called
    once, for all viewers together. `keep` points (2 to 10,000) of each provider are kept for whoever comes later.

    While somebody watches, the slow groups of keys are counted from events of loads. With `read_sample`, so are the hot
    ones, from one in so many reads: a hit in memory takes some microseconds more meanwhile. None leaves them out.

    Whoever can reach the page can read it, unless `read_token` is given. What is stored can be changed with
    `action_token` only; without one there are no actions. Tokens are of 16 characters or more, and differ.

    Raises `InvalidArgumentError` for anything else.
    """

    def __init__(
        self,
        providers: Providers,
        *,
        interval: float = 2.0,
        keep: int = 300,
        read_sample: int | None = None,
        read_token: str | None = None,
        action_token: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Watch `providers`; nothing is asked of them before the first viewer comes."""
        check_providers(providers)
        check_numbers(interval, keep, read_sample)
        self._access = Access(read_token, action_token)
        self._assets = Assets()
        used_clock = SystemClock() if clock is None else clock
        patience = max(interval * _PATIENCE, _PATIENCE)
        listening = Listening(read_sample, patience, used_clock)
        self._watch = Watch(providers, interval, keep, used_clock, listening)
        self._routes: dict[str, tuple[str, Callable[[Request], Awaitable[Answer]]]] = {
            "/settings": ("GET", self._settings),
            "/figures": ("GET", self._figures),
        }
        if self._access.has_actions:
            self._routes |= dict.fromkeys(ACTIONS, ("POST", self._act))

    def __repr__(self) -> str:
        reading = "with a token" if self._access.protects_reading else "by everybody"
        return f"<Dashboard, read {reading}, {'with' if self._access.has_actions else 'without'} actions>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of an ASGI server."""
        await serve(self, scope, receive, send)

    async def close(self) -> None:
        """Stop listening to providers: no task is left. A server that runs this alone calls it; else they end it."""
        await self._watch.close()

    async def answer(self, request: Request) -> Answer:
        """Answer one request: what bridges to other kinds of servers call."""
        if not request.path:
            # Relative, because what stands before the last part may have been taken away by a proxy.
            return Answer(307, (("location", f"./{quote(request.mount.rpartition('/')[2])}/"),))
        method, serve_it = self._routes.get(request.path, ("GET", self._file))
        asked = "GET" if request.method == "HEAD" else request.method
        if asked != method:
            allowed = "GET, HEAD" if method == "GET" else method
            return of_refusal(405, f"this address knows {allowed} alone", (("allow", allowed),))
        return await serve_it(request)

    async def _file(self, request: Request) -> Answer:
        found = await self._assets.answer(request)
        return of_refusal(404, "there is nothing at this address") if found is None else found

    async def _settings(self, request: Request) -> Answer:
        del request
        access, watch = self._access, self._watch
        rights = {"protected": access.protects_reading, "actions": access.has_actions}
        return of_data({**rights, "interval": watch.interval, "keep": watch.keep, "process": os.getpid()})

    async def _figures(self, request: Request) -> Answer:
        if not self._access.may_read(request.headers):
            return of_refusal(401, "the token is missing or wrong", _TOKEN_WANTED)
        after = parse_qs(request.query).get("after", [""])[0]
        return of_json(await self._watch.look(after))

    async def _act(self, request: Request) -> Answer:
        if is_of_another_origin(request.headers):
            return of_refusal(403, "a page of another origin asked for this")
        if not self._access.may_act(request.headers):
            return of_refusal(401, "the token is missing or wrong", _TOKEN_WANTED)
        return await act(self._watch, request)
