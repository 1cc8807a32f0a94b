"""The ASGI middleware: bodies in parts, clients that leave, applications that fail, and what is not its business."""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import pytest

from aiocache_kit import Config, Provider, new_provider
from aiocache_kit.integrations.asgi import ResponseCacheMiddleware, add_tags
from aiocache_kit.integrations.http import ResponseCache, ResponseCacheOptions
from aiocache_kit.integrations.http.stored import Stored
from aiocache_kit.testing import FakeClock
from tests.integration.http.doors import Pairs, scope_of

Send: TypeAlias = Callable[[Any], Awaitable[None]]
Body: TypeAlias = Callable[[Any, Send], Awaitable[None]]


class World:
    """A cache on a clock turned by hand, in front of an application that is a function of its test."""

    def __init__(self, provider: Provider, cache: ResponseCache, clock: FakeClock) -> None:
        self.provider = provider
        self.cache = cache
        self.clock = clock
        self.calls = 0
        self.app: Body = plain()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  - ASGI's
        await receive()
        self.calls += 1
        await self.app(scope, send)

    async def ask(
        self, path: str = "/page", headers: Pairs = (), *, method: str = "GET", send: Send | None = None
    ) -> Any:  # noqa: ANN401  - ASGI's messages
        """Ask, and give the messages that came."""
        sent: list[Any] = []

        async def receive() -> Any:  # noqa: ANN401  - as above
            return {"type": "http.request", "body": b"", "more_body": False}

        async def keep(message: Any) -> None:  # noqa: ANN401  - as above
            sent.append(message)
            if send is not None:
                await send(message)

        await ResponseCacheMiddleware(self, self.cache)(scope_of(method, path, headers), receive, keep)
        return sent


@asynccontextmanager
async def world(**options: Any) -> AsyncGenerator[World]:  # noqa: ANN401  - of many types
    """Make a world for one test."""
    clock = FakeClock()
    async with new_provider(Config(), clock=clock) as provider:
        cache = ResponseCache(provider, ResponseCacheOptions(**options), clock=clock)
        yield World(provider, cache, clock)
        await cache.close()


def start(headers: Iterable[tuple[bytes, bytes]] = (), status: int = 200, control: bytes = b"max-age=60") -> Any:  # noqa: ANN401  - ASGI's message
    return {"type": "http.response.start", "status": status, "headers": [(b"cache-control", control), *headers]}


def part(body: bytes, *, more: bool = True) -> Any:  # noqa: ANN401  - as above
    return {"type": "http.response.body", "body": body, "more_body": more}


def plain(*parts: bytes, headers: Iterable[tuple[bytes, bytes]] = (), control: bytes = b"max-age=60") -> Body:
    """Make an application that sends a body in parts."""

    async def app(scope: Any, send: Send) -> None:  # noqa: ANN401  - ASGI's
        del scope
        await send(start(headers, control=control))
        for number, each in enumerate(parts or (b"whole",)):
            await send(part(each, more=number + 1 < len(parts)))

    return app


def body_of(messages: Any) -> bytes:  # noqa: ANN401  - ASGI's messages
    return b"".join(message.get("body", b"") for message in messages[1:])


def told(messages: Any) -> str:  # noqa: ANN401  - as above
    headers: dict[bytes, bytes] = dict(messages[0]["headers"])
    return headers[b"cache-status"].decode()


async def test_a_hit_is_two_messages() -> None:
    """What is stored is sent as one start and one body, whatever parts it came in."""
    async with world() as it:
        it.app = plain(b"a", b"b", b"c")
        first, second = await it.ask(), await it.ask()

    assert [message["type"] for message in second] == ["http.response.start", "http.response.body"]
    assert body_of(first) == body_of(second) == b"abc"
    assert it.calls == 1


async def test_parts_go_out_as_they_come() -> None:
    """Each part of a body that is stored reaches its client before the application sends the next one."""
    order: list[str] = []

    async def app(scope: Any, send: Send) -> None:  # noqa: ANN401  - ASGI's
        del scope
        await send(start())
        for each in (b"a", b"b"):
            order.append(f"sends {each.decode()}")
            await send(part(each))
        await send(part(b"", more=False))

    async def client(message: Any) -> None:  # noqa: ANN401  - as above
        if message.get("body"):
            order.append(f"got {message['body'].decode()}")

    async with world() as it:
        it.app = app
        await it.ask(send=client)

    assert order == ["sends a", "got a", "sends b", "got b"]


async def test_a_slow_client_slows_the_application() -> None:
    """The application cannot send the next part before the client has taken the last one."""
    gate = asyncio.Event()
    sent: list[bytes] = []

    async def app(scope: Any, send: Send) -> None:  # noqa: ANN401  - ASGI's
        del scope
        await send(start())
        for each in (b"a", b"b"):
            await send(part(each))
            sent.append(each)
        await send(part(b"", more=False))

    async def client(message: Any) -> None:  # noqa: ANN401  - as above
        if message.get("body"):
            await gate.wait()

    async with world() as it:
        it.app = app
        asking = asyncio.create_task(it.ask(send=client))
        await it.clock.settle()
        assert sent == []
        gate.set()
        await asking

    assert sent == [b"a", b"b"]


async def test_headers_of_what_is_not_stored_go_out_at_once() -> None:
    """A stream of events begins before its first event is there."""
    begun = asyncio.Event()

    async def app(scope: Any, send: Send) -> None:  # noqa: ANN401  - ASGI's
        del scope
        await send(start(control=b"no-store"))
        assert begun.is_set()
        await send(part(b"event", more=False))

    async def client(message: Any) -> None:  # noqa: ANN401  - as above
        del message
        begun.set()

    async with world() as it:
        it.app = app
        assert body_of(await it.ask(send=client)) == b"event"


async def test_a_body_beyond_the_limit_passes_through() -> None:
    """What is larger than allowed reaches its client whole, in its parts, and is not stored."""
    async with world(max_body=1000) as it:
        it.app = plain(*[b"x" * 400] * 5)
        first, second = await it.ask(), await it.ask()

    assert len(first) == len(second) == 6
    assert body_of(first) == b"x" * 2000
    assert it.calls == 2


@pytest.mark.parametrize("where", ["before the start", "after the start", "in mid-body"])
async def test_an_application_that_raises(where: str) -> None:
    """Its error reaches the server, nothing of the response is stored, and the next request is answered."""

    async def app(scope: Any, send: Send) -> None:  # noqa: ANN401  - ASGI's
        del scope
        if where != "before the start":
            await send(start())
        if where == "in mid-body":
            await send(part(b"half"))
        raise ZeroDivisionError

    async with world() as it:
        it.app = app
        with pytest.raises(ZeroDivisionError):
            await it.ask()
        it.app = plain(b"whole")
        assert body_of(await it.ask()) == b"whole"
        assert (await it.provider.stats()).items == 1


@pytest.mark.parametrize("messages", [[], [start()], [start(), part(b"half")]], ids=["nothing", "no body", "half"])
async def test_an_application_that_never_ends_its_body(messages: list[Any]) -> None:
    """What it sent goes out as it is, and nothing is stored."""

    async def app(scope: Any, send: Send) -> None:  # noqa: ANN401  - ASGI's
        del scope
        for message in messages:
            await send(message)

    async with world() as it:
        it.app = app
        for _ in range(2):
            await it.ask()
        assert it.calls == 2
        assert (await it.provider.stats()).items == 0


async def test_a_body_of_another_length_than_announced_is_not_stored() -> None:
    """Fewer bytes than `Content-Length` said are half a response."""
    async with world() as it:
        it.app = plain(b"ab", headers=[(b"content-length", b"4")])
        for _ in range(2):
            await it.ask()

    assert it.calls == 2


async def test_a_client_that_leaves_in_mid_body() -> None:
    """Its error reaches the application, nothing is stored, and who waited gets a whole body."""
    gate = asyncio.Event()

    async def app(scope: Any, send: Send) -> None:  # noqa: ANN401  - ASGI's
        del scope
        await send(start())
        await send(part(b"a"))
        await send(part(b"b", more=False))

    async def leaving(message: Any) -> None:  # noqa: ANN401  - as above
        if message.get("body"):
            await gate.wait()
            raise ConnectionResetError

    async with world() as it:
        it.app = app
        first = asyncio.create_task(it.ask(send=leaving))
        await it.clock.settle()
        others = [asyncio.create_task(it.ask()) for _ in range(3)]
        await it.clock.settle()
        gate.set()
        with pytest.raises(ConnectionResetError):
            await first
        assert [body_of(await each) for each in others] == [b"ab"] * 3


async def test_a_request_that_is_cancelled_hands_its_turn_on() -> None:
    """Of those who wait, one asks the application, once, and all get what it got."""
    gate = asyncio.Event()

    async def app(scope: Any, send: Send) -> None:  # noqa: ANN401  - ASGI's
        await gate.wait()
        await plain(b"whole")(scope, send)

    async with world() as it:
        it.app = app
        first = asyncio.create_task(it.ask())
        await it.clock.settle()
        others = [asyncio.create_task(it.ask()) for _ in range(5)]
        await it.clock.settle()
        first.cancel()
        await asyncio.wait([first])
        gate.set()
        assert [body_of(await each) for each in others] == [b"whole"] * 5

    assert it.calls == 2


async def test_one_of_many_asks() -> None:
    """A hundred requests for the same at once are one call of the application."""
    async with world() as it:
        it.app = plain(b"a", b"b")
        found = await asyncio.gather(*(it.ask() for _ in range(100)))

    assert it.calls == 1
    assert {body_of(each) for each in found} == {b"ab"}
    assert min(told(each) for each in found) == "aiocache_kit; fwd=uri-miss; collapsed"


async def test_what_is_private_is_given_to_nobody_who_waited() -> None:
    """Each request gets its own response, and from the second time on they do not even wait for each other."""
    gate = asyncio.Event()

    async def app(scope: Any, send: Send) -> None:  # noqa: ANN401  - ASGI's
        await gate.wait()
        await plain(dict(scope["headers"])[b"x-user"], control=b"private, max-age=60")(scope, send)

    async with world() as it:
        it.app = app
        for calls in (1, 10):  # how many are at the application before it answers
            gate.clear()
            it.calls = 0
            asking = [asyncio.create_task(it.ask(headers=(("x-user", str(each)),))) for each in range(10)]
            await it.clock.settle()
            assert it.calls == calls
            gate.set()
            assert [body_of(await each) for each in asking] == [str(each).encode() for each in range(10)]


async def test_who_waited_for_another_variant_asks_for_his_own() -> None:
    """Nobody gets a response that varies by what he asked with."""

    async def app(scope: Any, send: Send) -> None:  # noqa: ANN401  - ASGI's
        await asyncio.sleep(0)
        language = dict(scope["headers"])[b"accept-language"]
        await plain(language, headers=[(b"vary", b"Accept-Language")])(scope, send)

    async with world() as it:
        it.app = app
        languages = ["de", "en", "fr"] * 5
        found = await asyncio.gather(*(it.ask(headers=(("accept-language", each),)) for each in languages))

    assert [body_of(each).decode() for each in found] == languages
    assert it.calls <= 5


async def test_who_waited_for_what_varies_by_more_asks_for_his_own() -> None:
    """A response that turns out to vary by another header as well is for nobody who waited for a variant."""

    async def app(scope: Any, send: Send) -> None:  # noqa: ANN401  - ASGI's
        user = dict(scope["headers"])[b"x-user"]
        await asyncio.sleep(0)
        await plain(user, headers=[(b"vary", b"X-A" if user == b"first" else b"X-A, X-User")])(scope, send)

    async with world() as it:
        it.app = app
        await it.ask(headers=(("x-a", "1"), ("x-user", "first")))
        users = [str(number) for number in range(5)]
        found = await asyncio.gather(*(it.ask(headers=(("x-a", "2"), ("x-user", user))) for user in users))

    assert [body_of(each).decode() for each in found] == users


async def test_who_waited_for_what_must_be_validated_asks_for_himself() -> None:
    """A response that may not be given twice without asking is given once, though it is stored."""

    async def app(scope: Any, send: Send) -> None:  # noqa: ANN401  - ASGI's
        number = str(it.calls).encode()
        await asyncio.sleep(0)
        await plain(number, headers=[(b"etag", b'"' + number + b'"')], control=b"no-cache")(scope, send)

    async with world() as it:
        it.app = app
        found = await asyncio.gather(*(it.ask() for _ in range(5)))

    assert {body_of(each) for each in found} == {b"1", b"2", b"3", b"4", b"5"}


async def test_nobody_waits_for_ever() -> None:
    """Who has waited for another request as long as the options have it asks for himself."""
    gate = asyncio.Event()

    async def app(scope: Any, send: Send) -> None:  # noqa: ANN401  - ASGI's
        if it.calls == 1:
            await gate.wait()
        await plain(b"whole")(scope, send)

    async with world(wait_timeout=2) as it:
        it.app = app
        first = asyncio.create_task(it.ask())
        await it.clock.settle()
        second = asyncio.create_task(it.ask())
        await it.clock.advance(1.5)
        assert not second.done()
        await it.clock.advance(0.5)
        assert body_of(await second) == b"whole"
        gate.set()
        await first


async def test_a_change_beats_a_response_that_is_being_made() -> None:
    """What was made before an unsafe request ended is not stored after it."""
    gate = asyncio.Event()

    async def app(scope: Any, send: Send) -> None:  # noqa: ANN401  - ASGI's
        if scope["method"] == "GET":
            await gate.wait()
        await plain(scope["method"].encode())(scope, send)

    async with world() as it:
        it.app = app
        first = asyncio.create_task(it.ask())
        await it.clock.settle()
        await it.ask(method="PUT")
        gate.set()
        await first
        await it.ask()

    assert it.calls == 3


async def test_an_application_that_asks_itself() -> None:
    """A request within a request is answered without waiting for the outer one, even for the same address."""

    async def app(scope: Any, send: Send) -> None:  # noqa: ANN401  - ASGI's
        inner = body_of(await it.ask()) if it.calls < 3 else b""
        await plain(b"(" + inner + b")")(scope, send)

    async with world() as it:
        it.app = app
        assert body_of(await it.ask()) == b"((()))"


async def test_stale_while_revalidate_asks_behind_the_back() -> None:
    """The reader of a stale response does not wait, many of them cause one call, and it is over with the cache."""
    gate = asyncio.Event()
    gate.set()

    async def app(scope: Any, send: Send) -> None:  # noqa: ANN401  - ASGI's
        await gate.wait()
        await plain(str(it.calls).encode(), control=b"max-age=60, stale-while-revalidate=60")(scope, send)

    async with world() as it:
        it.app = app
        await it.ask()
        await it.clock.advance(61)
        gate.clear()
        found = [await it.ask() for _ in range(5)]
        assert {body_of(each) for each in found} == {b"1"}
        await it.clock.settle()
        assert it.calls == 2
        gate.set()
        await it.clock.settle()
        assert body_of(await it.ask()) == b"2"
        await it.clock.advance(61)
        gate.clear()
        await it.ask()  # what this begins never ends by itself


async def test_what_goes_on_behind_the_back_ends_with_the_lifespan() -> None:
    """When the application's lifespan is over, however it ended, no task of the cache is left."""
    never = asyncio.Event()

    async def app(scope: Any, send: Send) -> None:  # noqa: ANN401  - ASGI's
        if it.calls > 1:
            await never.wait()
        await plain(b"old", control=b"max-age=60, stale-while-revalidate=60")(scope, send)

    async def lifespan(*_: object) -> None:
        raise ZeroDivisionError

    async with world() as it:
        it.app = app
        await it.ask()
        await it.clock.advance(61)
        before = asyncio.all_tasks()
        await it.ask()
        assert len(asyncio.all_tasks() - before) > 0
        call: Any = ({"type": "lifespan"}, object(), object())
        with pytest.raises(ZeroDivisionError):
            await ResponseCacheMiddleware(lifespan, it.cache)(*call)
        await it.clock.settle()
        assert asyncio.all_tasks() - before == set()


async def test_tags_by_header_and_by_scope() -> None:
    """What is tagged in either way is forgotten with its tag, and nothing else is."""

    async def app(scope: Any, send: Send) -> None:  # noqa: ANN401  - ASGI's
        add_tags(scope, f"scope:{scope['path']}")
        await plain(headers=[(b"cache-tag", b"all, header:" + scope["path"].encode())])(scope, send)

    async with world() as it:
        it.app = app
        for tag, again in (("scope:/a", 1), ("header:/a", 1), ("all", 2), ("none", 0)):
            for path in ("/a", "/b"):
                await it.ask(path)
            it.calls = 0
            await it.cache.invalidate_tags(tag)
            for path in ("/a", "/b"):
                await it.ask(path)
            assert it.calls == again


async def test_more_tags_than_there_may_be() -> None:
    """A response with too many tags is given, and not stored: it could not be forgotten by all of them."""
    tags = b", ".join(b"%d" % number for number in range(1001))
    async with world() as it:
        it.app = plain(headers=[(b"cache-tag", tags)])
        for _ in range(2):
            assert body_of(await it.ask("/a")) == b"whole"
        assert it.calls == 2


async def test_forgetting_by_address() -> None:
    """An address, a path with all its queries, what lies below it, and everything can be forgotten."""
    async with world() as it:
        paths = ("/a", "/a?q=1", "/a/b", "/ab")
        for forget, gone in (
            (lambda: it.cache.invalidate_url("http://service.example/a?q=1"), 1),
            (lambda: it.cache.invalidate_path("/a"), 2),
            (lambda: it.cache.invalidate_path("/a", below=True), 3),
            (it.cache.clear, 4),
        ):
            for path in paths:
                await it.ask(path)
            it.calls = 0
            await forget()
            for path in paths:
                await it.ask(path)
            assert it.calls == gone
        assert not await it.cache.invalidate_url("http://service.example/none")


@pytest.mark.parametrize("kind", ["websocket", "lifespan", "something else"])
async def test_other_scopes_pass_through_untouched(kind: str) -> None:
    """The application gets the very scope, `receive` and `send`."""
    got: list[object] = []

    async def app(*call: object) -> None:
        got.extend(call)

    async with world() as it:
        call: Any = ({"type": kind}, object(), object())
        await ResponseCacheMiddleware(app, it.cache)(*call)

    assert all(mine is its for mine, its in zip(call, got, strict=True))


@pytest.mark.parametrize("kind", ["http.response.pathsend", "http.response.zerocopysend", "http.response.trailers"])
async def test_responses_of_other_kinds_pass_through(kind: str) -> None:
    """What a server sends in its own way is not stored, and reaches it."""

    async def app(scope: Any, send: Send) -> None:  # noqa: ANN401  - ASGI's
        del scope
        await send(start())
        await send({"type": kind, "x": 1})

    async with world() as it:
        it.app = app
        found = [await it.ask() for _ in range(2)]

    assert it.calls == 2
    assert [message["type"] for message in found[1]] == ["http.response.start", kind]


async def test_a_storage_that_is_closed_stops_nobody() -> None:
    """Without a provider the application answers, and it is told why."""
    async with world() as it:
        await it.provider.close()
        found = await it.ask()

    assert told(found) == "aiocache_kit; fwd=bypass; detail=storage"
    assert body_of(found) == b"whole"


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        *((2, block) for block in ("odd", "a\nb\nc", "a\n\u6f22")),
        *((4, text) for text in ("\u6f22", "%%%")),
        *((5, born) for born in (math.inf, -math.inf, math.nan, 1e300)),
    ],
)
@pytest.mark.parametrize("user", [(), (("cookie", "a=b"),)], ids=["nobody", "somebody"])
async def test_a_response_that_somebody_has_spoilt_stops_nobody(place: int, wrong: object, user: Pairs) -> None:
    """The application answers instead, and the next request is answered from the cache again, or not at all."""
    async with world() as it:
        spoilt = Stored(200, "a\nb", "base64" if wrong == "%%%" else "text", "x", 1.0, 9e9, 0.0, 0.0, 0, []).packed()
        spoilt[place] = wrong
        await it.provider.set("/page? http://service.example", spoilt)
        found = [await it.ask(headers=user) for _ in range(3)]

    assert {body_of(each) for each in found} <= {b"whole", b"x"}
    assert all(each[0]["status"] == 200 for each in found)


async def test_something_else_under_a_key_is_a_miss() -> None:
    """What others have written where a response should be is not given, and is replaced."""
    async with world() as it:
        for foreign in ("text", ["aiocache-kit response 1"], ["aiocache-kit index 1", 1, 2, 3], {"a": 1}, None):
            await it.provider.set("/page? http://service.example", foreign)
            assert body_of(await it.ask()) == b"whole"
            assert told(await it.ask()) == "aiocache_kit; hit; ttl=60"


async def test_the_application_asks_who_it_is_for_every_caller() -> None:
    """Who may not see a page gets none from the cache, whatever it says of its freshness, nor does who waits for it."""
    gate = asyncio.Event()

    async def app(scope: Any, send: Send) -> None:  # noqa: ANN401  - ASGI's
        user = dict(scope["headers"]).get(b"authorization") or dict(scope["headers"]).get(b"cookie")
        await gate.wait()
        await plain(user or b"who are you?")(scope, send)

    async with world() as it:
        it.app = app
        callers: list[Pairs] = [(), (("authorization", "one"),), (("authorization", "two"),), (("cookie", "three"),)]
        asking = [asyncio.create_task(it.ask(headers=each)) for each in callers * 2]
        await it.clock.settle()
        gate.set()
        expected = [b"who are you?", b"one", b"two", b"three"]
        assert [body_of(await each) for each in asking] == expected * 2
        for _ in range(2):
            assert [body_of(await it.ask(headers=each)) for each in callers] == expected

    assert it.calls >= 1 + 3 * 4


@pytest.mark.parametrize("when", ["before", "after"])
async def test_what_was_asked_with_a_body_is_for_nobody_else(when: str) -> None:
    """A GET whose body no header tells of, as HTTP/2 has it, leaves nothing behind, whenever the application reads."""

    async def reading(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  - ASGI's
        del scope
        if when == "before":
            body = (await receive()).get("body", b"")
            await send(start())
        else:
            await send(start())
            body = (await receive()).get("body", b"")
        await send(part(body or b"plain", more=False))

    async def ask(body: bytes) -> bytes:
        sent: list[Any] = []

        async def receive() -> Any:  # noqa: ANN401  - as above
            return {"type": "http.request", "body": body, "more_body": False}

        async def keep(message: Any) -> None:  # noqa: ANN401  - as above
            sent.append(message)

        await ResponseCacheMiddleware(reading, it.cache)(scope_of("GET", "/page"), receive, keep)
        return body_of(sent)

    async with world() as it:
        assert await ask(b"evil") == b"evil"
        assert await ask(b"") == b"plain"
        assert await ask(b"evil") == b"plain"
