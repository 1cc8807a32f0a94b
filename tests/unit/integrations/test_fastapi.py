"""FastAPI with a cache: its lifespan, its dependencies, and cached functions below its routes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import pytest
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Cookie,
    Depends,
    FastAPI,
    Header,
    HTTPException,
    Query,
    Request,
    Response,
    Security,
    UploadFile,
    WebSocket,
)
from fastapi.requests import HTTPConnection
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.security import APIKeyHeader, HTTPBasic, HTTPBasicCredentials, OAuth2PasswordBearer, SecurityScopes
from pydantic import BaseModel

from aiocache_kit import (
    Config,
    FileConfig,
    InvalidArgumentError,
    LoadConfig,
    Provider,
    ProviderClosedError,
    cached,
    new_provider,
)
from aiocache_kit.integrations.fastapi import (
    AppCache,
    CacheDep,
    KeyBy,
    app_cache,
    check_routes,
    get_cache,
    lifespans,
    readiness,
)
from aiocache_kit.testing import FakeClock

if TYPE_CHECKING:
    from aiocache_kit.provider.loading import LoadPolicy

calls: list[object] = []
lone = AppCache()


@pytest.fixture(autouse=True)
def forget_calls() -> None:
    """Begin with no calls."""
    calls.clear()


class User(BaseModel):
    """Who asks; a model is no part of a key by itself."""

    id: int
    name: str = "Ada"


@dataclass(frozen=True)
class Tenant:
    """For whom; a frozen dataclass is."""

    name: str


class Session:
    """A connection to a database, which is closed when the request is over."""

    is_open = True


class Search(BaseModel):
    """What is looked for."""

    word: str = ""


async def open_session() -> AsyncIterator[Session]:
    session = Session()
    yield session
    session.is_open = False


class Users:
    """Needs a session by itself."""

    def __init__(self, session: Annotated[Session, Depends(open_session)]) -> None:
        self.session = session


async def tenant(request: Request) -> Tenant:
    calls.append("tenant")
    return Tenant(request.headers.get("tenant", "acme"))


async def current_user(authorization: Annotated[str, Header()] = "") -> User:
    calls.append("auth")
    if not authorization:
        raise HTTPException(401, "who are you?")
    return User(id=int(authorization))


SessionDep = Annotated[Session, Depends(open_session)]
UserDep = Annotated[User, Depends(current_user)]
KnownUser = Annotated[User, Depends(current_user), KeyBy(lambda user: user.id)]


@asynccontextmanager
async def running(app: FastAPI, **headers: str) -> AsyncGenerator[httpx.AsyncClient]:
    """Start an application, and give a client of it."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client,
    ):
        yield client


async def texts(client: httpx.AsyncClient, *paths: str, **headers: str) -> list[str]:
    return [(await client.get(path, headers=headers)).text for path in paths]


# --- lifespan and dependencies ---------------------------------------------------------------------------------------


async def test_cache_lives_as_long_as_the_application() -> None:
    """The provider is opened when the application starts and closed when it ends, each time that it does."""
    cache = AppCache()
    app = FastAPI(lifespan=cache.lifespan)
    for _ in range(2):
        async with app.router.lifespan_context(app):
            provider: Provider = app.state.cache
            assert provider is cache.provider()
            await provider.set("key", 1)
        assert provider.closed
        assert not hasattr(app.state, "cache")


async def test_handlers_get_the_cache_as_a_dependency() -> None:
    """`Depends(cache)` is the provider, `CacheDep` that of the application, and a namespace is one as well."""
    cache = AppCache()
    app = FastAPI(lifespan=cache.lifespan)
    users = cache.namespace("users")

    @app.get("/")
    async def root(
        one: Annotated[Provider, Depends(cache)], other: CacheDep, part: Annotated[Provider, Depends(users)]
    ) -> list[bool]:
        await part.set("key", 1)
        return [one is other, await one.exists("key"), await cache.provider().namespace("users").exists("key")]

    async with running(app) as client:
        assert (await client.get("/")).json() == [True, False, True]
    assert app.openapi()["paths"]["/"]["get"].get("parameters") is None


async def test_several_caches_and_an_own_lifespan_live_together() -> None:
    """They start in order and end in reverse, and what a lifespan yields is the state of requests, as without them."""
    pages, sessions, order = AppCache(), AppCache("lru://", name="sessions"), list[str]()

    @asynccontextmanager
    async def own(app: FastAPI) -> AsyncGenerator[dict[str, str]]:
        order.append(f"with {app.state.cache!r}")
        yield {"who": "own"}
        order.append(f"still {app.state.sessions!r}")

    app = FastAPI(lifespan=lifespans(pages.lifespan, sessions.lifespan, own))
    async with app.router.lifespan_context(app) as state:
        assert state == {"who": "own"}
    assert order == ["with <Provider over memory, open>", "still <Provider over lru, open>"]

    none = lifespans(pages.lifespan)
    async with none(app) as state:
        assert state is None


async def test_failing_start_closes_what_was_opened() -> None:
    """Where a later lifespan cannot start, the caches before it are closed again."""
    cache = AppCache()

    @asynccontextmanager
    async def fail(app: FastAPI) -> AsyncGenerator[None]:
        if app.state.cache.closed is False:
            raise OSError("no port")
        yield

    app = FastAPI(lifespan=lifespans(cache.lifespan, fail))
    with pytest.raises(OSError, match="no port"):
        async with app.router.lifespan_context(app):
            pass
    with pytest.raises(ProviderClosedError):
        cache.provider()
    assert not hasattr(app.state, "cache")


async def test_taken_name_is_refused() -> None:
    """What the program keeps in the state of the application is not overwritten."""
    app = FastAPI(lifespan=AppCache(name="settings").lifespan)
    app.state.settings = {}
    with pytest.raises(InvalidArgumentError, match=r"app\.state has 'settings' already"):
        async with app.router.lifespan_context(app):
            pass


async def test_missing_cache_is_told() -> None:
    """A handler that asks for a cache of an application that has none says what is missing."""
    app = FastAPI()

    @app.get("/")
    async def root(request: Request) -> str:
        with pytest.raises(InvalidArgumentError, match="the application has no cache 'other'"):
            get_cache(request, "other")
        return "told"

    async with running(app) as client:
        assert (await client.get("/")).json() == "told"


async def test_dependencies_can_be_overridden() -> None:
    """FastAPI's own way for tests reaches handlers; `replaced` reaches cached functions, too."""
    cache = AppCache()
    app = FastAPI(lifespan=cache.lifespan)

    @app.get("/kept")
    @cache.cached(10)
    async def kept(user: KnownUser) -> int:
        calls.append(user.id)
        return user.id

    @app.get("/other")
    async def other(one: Annotated[Provider, Depends(cache)], other: CacheDep) -> str:
        return f"{one!r}{other!r}"

    clock = FakeClock()
    app.dependency_overrides[current_user] = lambda: User(id=7)
    async with new_provider("lru://") as instead:
        app.dependency_overrides |= {cache: lambda: instead, app_cache: lambda: instead}
        with cache.replaced(lambda: new_provider(clock=clock)):
            async with running(app) as client:
                assert (await client.get("/other")).text.count("lru") == 2
                assert await texts(client, "/kept", "/kept") == ["7", "7"]
                await clock.advance(11)
                assert await texts(client, "/kept") == ["7"]
    assert calls == [7, 7]


@pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient`")
def test_test_client_runs_the_application() -> None:
    """FastAPI's client for tests without asyncio starts and ends the application, each time on another event loop."""
    from fastapi.testclient import TestClient  # noqa: PLC0415  - it warns when it is imported

    cache = AppCache()
    app = FastAPI(lifespan=cache.lifespan)

    @app.get("/{number}")
    @cache.cached()
    def double(number: int) -> int:
        calls.append(number)
        return number * 2

    for _ in range(2):
        with TestClient(app) as made:
            client: Any = made  # its types are those of a package that is not installed everywhere
            assert [client.get("/2").json() for _ in range(3)] == [4, 4, 4]
    assert calls == [2, 2]


async def test_readiness_tells_by_status() -> None:
    """The check answers 200 while the cache can be used and 503 otherwise, and never says where anything is."""
    cache, away = AppCache(), AppCache(name="away")
    app = FastAPI(lifespan=cache.lifespan)
    app.add_api_route("/ready", readiness(cache))
    app.add_api_route("/all", readiness(cache, away))

    async with running(app) as client:
        ready, both = await client.get("/ready"), await client.get("/all")
    assert (ready.status_code, ready.json()) == (200, {"cache": "ok"})
    assert (both.status_code, both.json()) == (503, {"cache": "ok", "away": "unavailable"})
    assert ready.headers["cache-control"] == "no-store"


# --- cached functions below routes -----------------------------------------------------------------------------------


async def test_cached_routes_are_routes_like_any_other(tmp_path: Path) -> None:
    """Parameters are converted, documented and injected; `def` and `async def` are cached alike, on every storage."""
    cache = AppCache(Config(provider="file", file_config=FileConfig(dir=tmp_path)))
    app = FastAPI(lifespan=cache.lifespan)
    router = APIRouter(prefix="/users")

    @router.get("/{number}")
    @cache.cached(tags=["user:{number}"], exclude=["session"])
    async def read(number: int, session: SessionDep, known: Annotated[list[str], Query()] = []) -> User:  # noqa: B006  - FastAPI's way
        """Show a user."""
        calls.append((number, session.is_open))
        return User(id=number, name=",".join(known))

    @router.get("/{number}/friends")
    @cache.cached(tags=["user:{number}"])
    def friends(number: int, since: date | None = None) -> list[User] | None:
        calls.append((number, since))
        return [User(id=number + 1)] if since else None

    app.include_router(router, prefix="/v1")
    async with running(app) as client:
        paths = ["/v1/users/1?known=a&known=b"] * 2 + [
            "/v1/users/1/friends",
            "/v1/users/1/friends?since=2020-01-01",
        ] * 2
        answers = [(await client.get(path)).json() for path in paths]
        await cache.provider().invalidate_tags("user:1")
        again = (await client.get("/v1/users/1?known=a&known=b")).json()
        direct = await friends(1, date(2020, 1, 1))

    assert answers == [{"id": 1, "name": "a,b"}] * 2 + [None, [{"id": 2, "name": "Ada"}]] * 2
    assert again == {"id": 1, "name": "a,b"}
    assert calls == [(1, True), (1, None), (1, date(2020, 1, 1)), (1, True), (1, date(2020, 1, 1))]
    assert direct == [User(id=2)]
    shown = app.openapi()["paths"]["/v1/users/{number}"]["get"]
    assert [each["name"] for each in shown["parameters"]] == ["number", "known"]
    assert shown["description"] == "Show a user."
    assert shown["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith("User")


async def test_authorisation_is_asked_for_every_caller() -> None:
    """Who may not see the page does not get it from the cache either, and users see their own pages."""
    cache = AppCache()
    app = FastAPI(lifespan=cache.lifespan)

    @app.get("/mine")
    @cache.cached()
    async def mine(user: KnownUser, tenant: Annotated[Tenant, Depends(tenant)]) -> str:
        calls.append((user.id, tenant.name))
        return f"{user.id} of {tenant.name}"

    @app.get("/ours", dependencies=[Depends(current_user)])
    @cache.cached(exclude=["user"])
    async def ours(user: UserDep) -> str:
        calls.append(("ours", user.id))
        return "the same for all who may see it"

    async with running(app) as client:
        assert await texts(client, "/mine", "/mine", authorization="1") == ['"1 of acme"'] * 2
        assert await texts(client, "/mine", authorization="2") == ['"2 of acme"']
        assert await texts(client, "/mine", authorization="1", tenant="other") == ['"1 of other"']
        assert await texts(client, "/ours", authorization="1") == await texts(client, "/ours", authorization="2")
        for path in ("/mine", "/ours"):
            assert (await client.get(path)).status_code == 401
    assert [call for call in calls if isinstance(call, tuple)] == [
        (1, "acme"),
        (2, "acme"),
        (1, "other"),
        ("ours", 1),
    ]
    assert calls.count("auth") == 8


async def test_errors_pass_and_are_not_kept() -> None:
    """An `HTTPException` is the answer to all who wait for it, with its status and headers, and to nobody later."""
    cache = AppCache()
    app = FastAPI(lifespan=cache.lifespan)
    entered, going_on = asyncio.Event(), asyncio.Event()

    @app.get("/{number}")
    @cache.cached()
    async def read(number: int) -> int:
        calls.append(number)
        entered.set()
        await going_on.wait()
        if len(calls) == 1:
            raise HTTPException(404, "not yet", {"retry-after": "3"})
        return number

    async with running(app) as client:
        asking = [asyncio.create_task(client.get("/1")) for _ in range(3)]
        await entered.wait()
        going_on.set()
        answers = [await each for each in asking]
        assert {(each.status_code, each.text, each.headers["retry-after"]) for each in answers} == {
            (404, '{"detail":"not yet"}', "3")
        }
        assert await texts(client, "/1", "/1") == ["1", "1"]
        assert (await client.get("/one")).status_code == 422
    assert calls == [1, 1]


async def test_answers_are_no_failures_of_the_source() -> None:
    """With ``stale_if_error`` an old page is given for a 503 or a bug, but not where the page is gone: a 404."""
    clock, outcomes = FakeClock(), list[Exception]()
    cache = AppCache(lambda: new_provider(clock=clock))
    app = FastAPI(lifespan=cache.lifespan)

    @app.get("/")
    @cache.cached(10, stale_if_error=3600, throttle=0)
    async def read() -> str:
        if outcomes:
            raise outcomes.pop()
        return "page"

    async with running(app) as client:
        statuses: list[int] = []
        for outcome in (None, OSError("away"), HTTPException(503), HTTPException(404)):
            outcomes.extend([] if outcome is None else [outcome])
            statuses.append((await client.get("/")).status_code)
            await clock.advance(11)
    assert statuses == [200, 200, 200, 404]


async def test_many_at_once_share_a_call() -> None:
    """Requests for one page that come together cost one call, whose session belongs to the first of them."""
    cache = AppCache()
    app = FastAPI(lifespan=cache.lifespan)
    entered, going_on = asyncio.Event(), asyncio.Event()

    @app.get("/")
    @cache.cached(exclude=["session"])
    async def read(session: SessionDep) -> bool:
        entered.set()
        await going_on.wait()
        return session.is_open

    async with running(app) as client:
        asking = [asyncio.create_task(client.get("/")) for _ in range(20)]
        await entered.wait()
        going_on.set()
        assert [(await each).json() for each in asking] == [True] * 20
        assert (await cache.provider().stats()).loads == 1


# --- what is wrong is said when the application starts ---------------------------------------------------------------


async def request(number: int, it: Request) -> None: ...
async def response(number: int, it: Response) -> None: ...
async def background(number: int, it: BackgroundTasks) -> None: ...
async def scopes(number: int, it: SecurityScopes) -> None: ...
async def session(number: int, it: SessionDep) -> None: ...
async def older_way(number: int, it: Session = Depends(open_session)) -> None: ...  # noqa: B008  - FastAPI's older way
async def user(number: int, it: UserDep) -> None: ...
async def by_class(number: int, it: Annotated[Users, Depends()]) -> None: ...
async def untold(number: int, it: Annotated[Any, Depends(tenant)]) -> None: ...  # noqa: ANN401  - that is what is tried
async def unsaid(number: int, it=Depends(open_session)) -> None: ...  # type: ignore[no-untyped-def]  # pyright: ignore[reportMissingParameterType]  # noqa: ANN001, B008  - as above
async def token(number: int, it: Annotated[str, Depends(OAuth2PasswordBearer("token"))]) -> None: ...
async def api_key(number: int, it: Annotated[str, Security(APIKeyHeader(name="key"))]) -> None: ...
async def basic(number: int, it: Annotated[HTTPBasicCredentials, Depends(HTTPBasic())]) -> None: ...
async def secured(number: int, it: Annotated[User, Security(current_user, scopes=["read"])]) -> None: ...
async def body(number: int, it: User) -> None: ...
async def model(number: int, it: Annotated[Search, Query()]) -> None: ...
async def models(number: int, it: list[User]) -> None: ...


def own_key(number: int, it: object) -> str:
    return f"{number} {type(it).__name__}"


Handler = Callable[..., Awaitable[None]]
UNKEYABLE: list[tuple[Handler, str]] = [
    (request, "is the request"),
    (response, "is the Response"),
    (background, "is a list of tasks for after the response"),
    (scopes, "is the scopes that are asked for"),
    (session, "is what a dependency gives, declared as Session"),
    (older_way, "is what a dependency gives, declared as Session"),
    (user, "is what a dependency gives, declared as User"),
    (by_class, "is what a dependency gives, declared as Users"),
    (untold, "is what a dependency gives, which"),
    (unsaid, "is what a dependency gives, of a type that is not declared, which"),
    (token, "is a credential"),
    (api_key, "is a credential"),
    (basic, "is a credential"),
    (secured, "is what a dependency gives, declared as User"),
    (body, "is declared as User"),
    (model, "is declared as Search"),
    (models, r"is declared as list\[.*User\]"),
]
NAMES = [handler.__name__ for handler, _ in UNKEYABLE]


def below_a_route(cache: AppCache, function: object) -> FastAPI:
    """Make an application with one route, in a router within a router."""
    app = FastAPI(lifespan=cache.lifespan)
    inner, outer = APIRouter(prefix="/inner"), APIRouter(prefix="/outer")
    inner.add_api_route("/{number}", function, methods=["POST"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  - any object that is called
    outer.include_router(inner)
    app.include_router(outer, prefix="/v1")
    return app


async def start(app: FastAPI) -> None:
    async with app.router.lifespan_context(app):
        pass


@pytest.mark.parametrize(("handler", "sentence"), UNKEYABLE, ids=NAMES)
async def test_what_is_no_part_of_a_key_keeps_the_application_from_starting(handler: Handler, sentence: str) -> None:
    """The error names route, function and parameter, and comes before the first request."""
    cache = AppCache()
    app = below_a_route(cache, cache.cached()(handler))
    named = rf"^POST /v1/outer/inner/\{{number\}}: the parameter 'it' of \S+:{handler.__name__} {sentence}"
    with pytest.raises(InvalidArgumentError, match=named):
        await start(app)
    with pytest.raises(InvalidArgumentError, match=named):
        check_routes(app)


@pytest.mark.parametrize("handler", [handler for handler, _ in UNKEYABLE], ids=NAMES)
async def test_what_is_excluded_or_told_apart_may_start(handler: Handler) -> None:
    """The author decides: leave it out, name an attribute of it, or make the key with a function."""
    ways: list[dict[str, Any]] = [
        {"exclude": ["it"]},
        {"key": "{number}:{it.name}"},
        {"key": own_key},
    ]
    for way in ways:
        cache = AppCache()
        await start(below_a_route(cache, cache.cached(**way)(handler)))


@pytest.mark.parametrize("annotation", [KnownUser, Annotated[str, Depends(tenant)], Annotated[Tenant, Depends(tenant)]])
async def test_what_tells_callers_apart_may_start(annotation: object) -> None:
    """What a dependency gives is part of the key where its type can be, or `KeyBy` says what stands for it."""

    async def handler(number: int, it: object) -> None: ...

    handler.__annotations__["it"] = annotation
    cache = AppCache()
    await start(below_a_route(cache, cache.cached()(handler)))


@pytest.mark.parametrize("annotation", [Annotated[str, Header()], Annotated[str | None, Cookie()], set[int], date])
async def test_plain_input_may_start(annotation: object) -> None:
    """Whatever the client sends that keys can be made of is part of them."""

    async def handler(number: int, it: object) -> None: ...

    handler.__annotations__["it"] = annotation
    cache = AppCache()
    await start(below_a_route(cache, cache.cached()(handler)))


async def test_template_leaves_nothing_out_silently() -> None:
    """A parameter that a template forgets would give one client the page of another: it is excluded in words, or in."""
    cache = AppCache()

    async def handler(number: int, page: int = 1) -> None: ...

    with pytest.raises(InvalidArgumentError, match=r"the parameter 'page' of .* is no part of the key: name it there"):
        await start(below_a_route(cache, cache.cached(key="{number}")(handler)))
    await start(below_a_route(cache, cache.cached(key="{number}", exclude=["page"])(handler)))


async def test_template_cannot_name_a_request() -> None:
    """An object without a text of its own is no better in a template than in a default key."""
    cache = AppCache()
    with pytest.raises(InvalidArgumentError, match=r"the parameter 'it' of .* is the request"):
        await start(below_a_route(cache, cache.cached(key="{number}:{it}")(request)))


async def test_everything_that_is_wrong_is_told_at_once() -> None:
    """One start names all parameters of all routes, so that nobody mends one after the other."""
    cache = AppCache()
    app = below_a_route(cache, cache.cached()(request))

    @app.get("/other")
    @cache.cached()
    async def other(session: SessionDep, tasks: BackgroundTasks) -> None: ...

    with pytest.raises(InvalidArgumentError) as raised:
        await start(app)
    assert [line.split(" of ")[0] for line in str(raised.value).splitlines()] == [
        "POST /v1/outer/inner/{number}: the parameter 'it'",
        "GET /other: the parameter 'session'",
        "GET /other: the parameter 'tasks'",
    ]


async def test_decorators_in_the_wrong_order_are_told() -> None:
    """A route that is made before its function is cached would keep nothing, silently; where both are, it is meant."""
    cache = AppCache()
    app = FastAPI(lifespan=cache.lifespan)

    @cache.cached()
    @app.get("/wrong")
    async def read() -> str:
        return "never kept"

    with pytest.raises(InvalidArgumentError, match=r"^GET /wrong: \S+read is called as it was before it was cached"):
        await start(app)
    app.get("/right")(read)
    await start(app)


async def test_all_cached_functions_are_looked_at() -> None:
    """So are dependencies, methods, wrapped functions, mounted applications, and what `aiocache_kit.cached` made."""

    @cached(lone.provider)
    async def dependency(session: SessionDep) -> None: ...

    class Controller:
        @cached(lone.provider, exclude=["self"])
        async def method(self, session: SessionDep) -> None: ...

    @cached(lone.provider)
    async def mounted(session: SessionDep) -> None: ...

    async def outer(it: Annotated[None, Depends(dependency)]) -> None: ...

    app, inner = FastAPI(), FastAPI()
    app.get("/dependency")(outer)
    app.get("/method")(Controller().method)
    inner.get("/inner")(mounted)
    app.mount("/mounted", inner)
    with pytest.raises(InvalidArgumentError) as raised:
        check_routes(app)
    assert [line.split(": ")[0] for line in str(raised.value).splitlines()] == [
        "GET /dependency",
        "GET /method",
        "GET /mounted/inner",
    ]


async def test_what_ends_with_the_request_is_not_used_after_it() -> None:
    """A load in the background would use a session that is closed by then, so the two do not go together."""

    async def by_way(number: int, it: Annotated[Users, Depends()]) -> None: ...
    async def harmless(number: int, it: Annotated[Session, Depends(Session)]) -> None: ...

    background: dict[str, LoadPolicy] = {
        "stale_while_revalidate": {"stale_while_revalidate": 5},
        "refresh_ahead": {"refresh_ahead": 0.5},
        "early_beta": {"early_beta": 1},
        "stale_timeout": {"stale_timeout": 1},
    }
    for name, policy in background.items():
        cache = AppCache()
        for handler in (session, by_way):
            app = below_a_route(cache, cache.cached(exclude=["it"], **policy)(handler))
            with pytest.raises(InvalidArgumentError, match=f"ends with the request, but {name} loads after it"):
                await start(app)
        await start(below_a_route(cache, cache.cached(exclude=["it"], **policy)(harmless)))
    cache = AppCache(Config(load_config=LoadConfig(refresh_ahead=0.5)))
    with pytest.raises(InvalidArgumentError, match="ends with the request, but refresh_ahead loads"):
        await start(below_a_route(cache, cache.cached(exclude=["it"])(session)))


@pytest.mark.parametrize("model", [User, list[User], User | None, dict[str, Tenant]], ids=str)
async def test_what_a_route_sends_is_not_what_its_function_declares(model: object) -> None:
    """Of a model, bytes hold the parts: where only the route says what they are of, the application does not start."""
    cache = AppCache()

    async def untold(number: int):  # type: ignore[no-untyped-def]  # noqa: ANN202  - that is what is tried
        return number

    async def anything(number: int) -> Any:  # noqa: ANN401  - FastAPI's way
        return number

    async def told(number: int) -> User:
        return User(id=number)

    for function in (untold, anything):
        app = FastAPI(lifespan=cache.lifespan)
        app.get("/{number}", response_model=model)(cache.cached()(function))
        with pytest.raises(InvalidArgumentError, match=rf"^GET \S+: \S+{function.__name__} does not declare what it"):
            await start(app)
    right: list[Any] = [cache.cached()(told), cache.cached(type=User)(untold)]
    for kept in right:
        app = FastAPI(lifespan=cache.lifespan)
        app.get("/{number}", response_model=model)(kept)
        app.get("/plain/{number}", response_model=dict[str, int])(cache.cached()(untold))
        await start(app)


@pytest.mark.parametrize(("kind", "ends"), [(UploadFile, True), (WebSocket, False), (HTTPConnection, False)])
def test_other_things_of_one_request_are_known(kind: type, *, ends: bool) -> None:
    """An uploaded file, a socket and a connection are no part of keys either."""
    argument = AppCache().argument(kind, None)
    assert argument is not None
    assert (argument.may_identify, argument.ends) == (False, ends)


# --- responses and streams -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [Response | User, JSONResponse | None, list[Response], Annotated[User | Response, "x"]], ids=str
)
async def test_responses_within_a_declaration_are_refused(kind: object) -> None:
    """It is no better to give a response now and then, or several."""

    async def handler(number: int) -> object: ...

    handler.__annotations__["return"] = kind
    with pytest.raises(InvalidArgumentError, match=r"handler gives a \w*Response, which is sent once"):
        AppCache().cached()(handler)


@pytest.mark.parametrize("kind", [Response, JSONResponse, HTMLResponse, StreamingResponse])
async def test_declared_responses_are_refused(kind: type[Response]) -> None:
    """A function that declares to give a response is refused when it is decorated, or when the application starts."""

    async def handler(number: int) -> object: ...

    handler.__annotations__["return"] = kind
    with pytest.raises(InvalidArgumentError, match=f"handler gives a {kind.__name__}, which is sent once"):
        AppCache().cached()(handler)
    with pytest.raises(InvalidArgumentError, match=rf"^POST .*: \S+ gives a {kind.__name__}, which is sent once"):
        check_routes(below_a_route(AppCache(), cached(lone.provider)(handler)))


async def test_undeclared_responses_are_refused_when_they_come() -> None:
    """Where nothing is declared, the request that gets a response out of the function is an error, not a half page."""
    cache = AppCache()
    app = FastAPI(lifespan=cache.lifespan)

    @app.get("/{kind}")
    @cache.cached()
    async def read(kind: str):  # type: ignore[no-untyped-def]  # noqa: ANN202  - that is what is tried
        return PlainTextResponse("text") if kind == "text" else StreamingResponse(iter(["a", "b"]))

    async with running(app) as client:
        for kind in ("text", "stream"):
            assert (await client.get(f"/{kind}")).status_code == 500
            with pytest.raises(InvalidArgumentError, match="keep whole responses with the response cache"):
                await read(kind)
        assert (await cache.provider().stats()).items == 0


def test_streaming_endpoints_are_refused() -> None:
    """A generator, of which FastAPI makes a stream, is refused when it is decorated."""
    cache = AppCache()

    async def stream() -> AsyncIterator[str]:
        yield "a"

    def lines() -> Iterator[str]:
        yield "a"

    for function in (stream, lines):
        with pytest.raises(InvalidArgumentError, match="is a generator, which gives its values only once"):
            cache.cached()(function)
