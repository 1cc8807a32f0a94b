"""A cached function behind ``dependencies=[...]`` was not looked at when the application started."""

from collections.abc import Callable
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException
from fastapi.responses import PlainTextResponse

from aiocache_kit import InvalidArgumentError
from aiocache_kit.integrations.fastapi import AppCache, check_routes

cache = AppCache()


@cache.cached(key="may-see-reports")
async def may_see(user: Annotated[str, Header()] = "") -> bool:
    """Answer for whoever asks first: the key does not say who that is."""
    return user == "admin"


class Check:
    """Needs the cached function by itself."""

    def __init__(self, ok: Annotated[bool, Depends(may_see)]) -> None:
        if not ok:
            raise HTTPException(403)


async def check(checked: Annotated[Check, Depends()]) -> None:
    """Need it through another one."""
    del checked


async def reports() -> str:
    """Give what not everybody may see."""
    return "secret"


BESIDE = [Depends(check)]


def of_the_route() -> FastAPI:
    app = FastAPI()
    app.get("/reports", dependencies=BESIDE)(reports)
    return app


def of_the_class() -> FastAPI:
    app = FastAPI()
    app.get("/reports", dependencies=[Depends(Check)])(reports)
    return app


def of_the_router() -> FastAPI:
    app, router = FastAPI(), APIRouter(dependencies=BESIDE)
    router.get("/reports")(reports)
    app.include_router(router)
    return app


def of_the_inclusion() -> FastAPI:
    app, router = FastAPI(), APIRouter()
    router.get("/reports")(reports)
    app.include_router(router, dependencies=BESIDE)
    return app


def of_an_outer_inclusion() -> FastAPI:
    app, outer, inner = FastAPI(), APIRouter(), APIRouter()
    inner.get("/reports")(reports)
    outer.include_router(inner)
    app.include_router(outer, dependencies=BESIDE)
    return app


def of_the_application() -> FastAPI:
    app, router = FastAPI(dependencies=BESIDE), APIRouter()
    router.get("/reports")(reports)
    app.include_router(router)
    return app


def of_a_mounted_application() -> FastAPI:
    app, inner = FastAPI(), FastAPI(dependencies=BESIDE)
    inner.get("/reports")(reports)
    app.mount("/mounted", inner)
    return app


@pytest.mark.parametrize(
    "build",
    [
        *(of_the_route, of_the_class, of_the_router, of_the_inclusion, of_an_outer_inclusion),
        *(of_the_application, of_a_mounted_application),
    ],
)
def test_it_is_looked_at(build: Callable[[], FastAPI]) -> None:
    """Wherever the dependency is named, the route that it guards is named, with the parameter that the key lacks."""
    with pytest.raises(InvalidArgumentError, match=r"^GET \S*/reports: the parameter 'user' of \S+:may_see is no part"):
        check_routes(build())


def test_what_nobody_asks_is_not_looked_at() -> None:
    """A mounted application does not inherit what the outer one depends on, and neither do routes of Starlette."""
    app, inner = FastAPI(dependencies=BESIDE), FastAPI()
    inner.get("/reports")(reports)
    app.mount("/mounted", inner)
    app.add_route("/plain", lambda _: PlainTextResponse("plain"))
    check_routes(app)
