"""A fuzzer for the cache of responses: nobody may ever see what was made for somebody else.

    python -m tests.fuzz.http            2,000 pairs of requests, as the tests do
    python -m tests.fuzz.http 100000     a hundred thousand; another second argument is another seed

Two users ask for the same at the same time, with cookies, credentials, languages and hosts of their own. The
application says in each body what that depends on, and calls its response what it is: it never says of a personal one
that it is for all, but it forgets `private` and `Vary` as often as not, changes its mind, streams, is slow, fails.
"""

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from aiocache_kit import Config, new_provider
from aiocache_kit.clock import stopwatch
from aiocache_kit.integrations.asgi import ResponseCacheMiddleware
from aiocache_kit.integrations.http import ResponseCache, ResponseCacheOptions
from aiocache_kit.testing import FakeClock
from tests.integration.http.doors import Pairs, scope_of

FOR_ALL: Final = (
    "public, max-age=60",
    "s-maxage=60",
    "public, max-age=5, stale-while-revalidate=60",
    "public, no-cache",
)
PERSONAL: Final = (
    *("private", "no-store", "max-age=60", "max-age=60, stale-while-revalidate=60", "max-age=5, stale-if-error=60"),
    *("no-cache", "max-age=0", "private, max-age=60", "", 'private="x-a", max-age=60', "immutable, max-age=60"),
)
WHO: Final = (None, "ann", "bob")
OPTIONS: Final = (
    ResponseCacheOptions(remember_unshared=0),
    ResponseCacheOptions(default_ttl=60, stale_while_revalidate=60, stale_if_error=60),
    ResponseCacheOptions(sort_query=True, max_variants=2, wait_timeout=1, max_body=4000),
)


class Figures(NamedTuple):
    """What a run found."""

    pairs: int
    outcomes: Counter[str]
    """By what `Cache-Status` says first."""
    seconds: float


class LeakError(AssertionError):
    """Raised where a response came to somebody whom it was not made for."""


class Application:
    """Makes responses that say what they depend on."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  - ASGI's
        """Answer, now and then in parts, late, or not at all."""
        await receive()
        chance, headers = self._chance, {name.decode(): said.decode() for name, said in scope["headers"]}
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        if chance.random() < 0.03:
            raise ZeroDivisionError
        said, body = self._response(headers, f"{scope['path']}?{scope['query_string'].decode()}")
        if headers.get("if-none-match") == said.get("etag", "none"):
            await send({"type": "http.response.start", "status": 304, "headers": _encoded(said)})
            await send({"type": "http.response.body", "body": b""})
            return
        status = 503 if chance.random() < 0.03 else 200
        await send({"type": "http.response.start", "status": status, "headers": _encoded(said)})
        if scope["method"] == "HEAD":
            body = b""
        if chance.random() < 0.3:
            await send({"type": "http.response.body", "body": body[:9], "more_body": True})
            await asyncio.sleep(0)
            body = body[9:]
        await send({"type": "http.response.body", "body": body})

    def _response(self, headers: dict[str, str], target: str) -> tuple[dict[str, str], bytes]:
        """Give headers and body."""
        chance = self._chance
        depends = {"target": target, "user": "*", "session": "*", "language": "*", "host": "*"}
        said: dict[str, str] = {}
        vary: list[str] = []
        if chance.random() < 0.5:
            said["cache-control"] = chance.choice(FOR_ALL)
        else:
            said["cache-control"] = chance.choice(PERSONAL)
            depends["user"], depends["session"] = headers.get("authorization", "-"), headers.get("cookie", "-")
            if chance.random() < 0.2:
                said["set-cookie"] = "session=new"
            if chance.random() < 0.3:
                vary.append("Cookie")
        if chance.random() < 0.3:
            depends["language"] = headers.get("accept-language", "-")
            vary.append("Accept-Language")
        if chance.random() < 0.2:
            depends["host"] = headers.get("x-forwarded-host", "-")
        body = ";".join(f"{name}={value}" for name, value in depends.items())
        if vary:
            said["vary"] = ", ".join(vary)
        if chance.random() < 0.4:
            said["etag"] = f'"{body.encode().hex()}"'
        return said, body.encode()


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), said.encode()) for name, said in headers.items()]


class User:
    """Asks, and looks whether what came was for him."""

    def __init__(self, chance: random.Random, middleware: ResponseCacheMiddleware, outcomes: Counter[str]) -> None:
        self._chance = chance
        self._middleware = middleware
        self._outcomes = outcomes

    def headers(self) -> dict[str, str]:
        """Say who asks, and how."""
        chance = self._chance
        drawn = {
            "authorization": chance.choice(WHO),
            "cookie": chance.choice(WHO),
            "accept-language": chance.choice((None, "de", "en", "fr")),
            "x-forwarded-host": chance.choice((None, None, "a.example", "evil.example")),
            "cache-control": chance.choice((None, None, None, "no-cache", "max-stale", "max-age=3", "only-if-cached")),
            "range": chance.choice((*[None] * 20, "bytes=0-3")),
        }
        said_less = chance.random() < 0.3
        return {name: said for name, said in drawn.items() if said is not None and not (said_less and name != "cookie")}

    async def ask(self, target: str) -> None:
        """Ask once; raise `LeakError` where the response is not for this user."""
        headers = self.headers()
        method = self._chance.choice(("GET",) * 12 + ("HEAD", "POST"))
        sent: list[Any] = []

        async def receive() -> Any:  # noqa: ANN401  - ASGI's
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:  # noqa: ANN401  - as above
            sent.append(message)
            await asyncio.sleep(0)

        pairs: Pairs = tuple(headers.items())
        try:
            await self._middleware(scope_of(method, target, pairs), receive, send)
        except ZeroDivisionError:
            self._outcomes["raised"] += 1
            return
        self._check(sent, headers, target, whole=method == "GET")

    def _check(self, sent: list[Any], headers: dict[str, str], target: str, *, whole: bool) -> None:
        told = {name.decode(): said.decode() for name, said in sent[0]["headers"]}
        words = told["cache-status"].split("; ")
        self._outcomes["collapsed" if "collapsed" in words else words[1]] += 1
        body = b"".join(message.get("body", b"") for message in sent[1:]).decode()
        if not body:
            assert not whole or sent[0]["status"] in {304, 504}
            return
        mine = {
            "target": target if "?" in target else f"{target}?",
            "user": headers.get("authorization", "-"),
            "session": headers.get("cookie", "-"),
            "language": headers.get("accept-language", "-"),
            "host": headers.get("x-forwarded-host", "-"),
        }
        its = dict(pair.split("=", 1) for pair in body.split(";"))
        if set(its) != set(mine) or any(value not in {"*", mine[name]} for name, value in its.items()):
            raise LeakError(f"{mine} got {its}, with {told}")


async def run(count: int, seed: int = 1, tell: Callable[[str], None] = lambda _: None) -> Figures:
    """Try `count` pairs of requests; raise `LeakError` for the first response that came to the wrong one."""
    chance, outcomes, begun = random.Random(seed), Counter[str](), stopwatch()  # noqa: S311  - chance, no secret
    for number, options in enumerate(OPTIONS):
        clock = FakeClock()
        async with new_provider(Config(max_entries=200), clock=clock) as provider:
            cache = ResponseCache(provider, options, clock=clock)
            user = User(chance, ResponseCacheMiddleware(Application(chance), cache), outcomes)
            for pair in range(number, count, len(OPTIONS)):
                if chance.random() < 0.1:
                    clock.leap(chance.choice((0.5, 2, 10, 70)))
                path = chance.choice(("/a", "/b", "/c", f"/new/{pair}"))  # one of them is never there
                targets = [
                    path + chance.choice(("", "?q=1", "?q=2")) if chance.random() < 0.2 else path for _ in range(2)
                ]
                await asyncio.gather(*map(user.ask, targets))
                if pair % 9999 < len(OPTIONS):
                    tell(f"{pair} pairs")
            await cache.close()
    return Figures(count, outcomes, stopwatch() - begun)


def main() -> None:
    """Run as the command line says, and print the figures."""
    count, seed = (*map(int, sys.argv[1:]), *(2_000, 1)[len(sys.argv) - 1 :])
    figures = asyncio.run(run(count, seed, lambda text: print(text, file=sys.stderr)))  # noqa: T201  - a program
    lines = [f"{figures.pairs} pairs of requests in {figures.seconds:.0f} s, and nobody saw what was not for him"]
    lines += [f"{number:>9} {text}" for text, number in figures.outcomes.most_common()]
    print("\n".join(lines))  # noqa: T201  - a program


if __name__ == "__main__":
    main()
