"""What a function gives that declares one of several models was not read from bytes: `InvalidArgumentError`."""

from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field

from aiocache_kit import Config, FileConfig
from aiocache_kit.integrations.fastapi import AppCache


class Cat(BaseModel):
    """One."""

    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    """Another, of another shape."""

    kind: Literal["dog"] = "dog"
    tricks: list[str] = []


class Plane(BaseModel):
    """One that only its fields tell apart."""

    wings: int


Animal = Annotated[Cat | Dog, Field(discriminator="kind")]
CASES: list[tuple[Any, object]] = [
    (Cat | Dog, Dog(tricks=["roll"])),
    (Animal, Dog(tricks=["roll"])),
    (list[Cat | Dog], [Dog(), Cat()]),
    (list[Animal], [Dog(), Cat()]),
    (dict[str, Animal | None], {"a": Dog(), "b": None}),
    (Plane | Cat, Cat(lives=1)),
    (Cat | str, Cat(lives=1)),
    (Cat | str, "no cat"),
    (Cat | dict[str, Any], Cat(lives=1)),
    (Cat | dict[str, Any], {"no": "cat"}),
    (Cat | None, Cat(lives=1)),
]


@pytest.mark.parametrize(("declared", "value"), CASES, ids=lambda each: str(each)[:40])
async def test_it_comes_back(tmp_path: Path, declared: object, value: object) -> None:
    """The second answer is the first one, and the function gives an equal object of the same class."""
    cache = AppCache(Config(provider="file", file_config=FileConfig(dir=tmp_path)))
    app = FastAPI(lifespan=cache.lifespan)

    async def read() -> object:
        return value

    read.__annotations__["return"] = declared
    kept = cache.cached(key="animal")(read)
    app.get("/")(kept)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service") as client,
    ):
        answers = [(await client.get("/")).json() for _ in range(2)]
        again = await kept()
        stats = await cache.provider().stats()

    assert answers[0] == answers[1]
    assert again == value
    assert type(again) is type(value)
    assert (stats.loads, stats.hits) == (1, 2)
