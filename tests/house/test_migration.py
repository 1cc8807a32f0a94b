"""The guides for those who come from another library: each call of ours that a table names exists and does not raise.

A guide has tables of three columns: their call, ours, and what differs. Ours is a program in code marks, or the word
"none". It runs with a provider over memory as ``cache`` and the other names of `names`. A decorator is applied to a
method, a lock is taken, and an async iterator gone through.
"""

import ast
import asyncio
import inspect
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi import FastAPI

import aiocache_kit
from aiocache_kit import Provider, cached, new_provider
from aiocache_kit.integrations.asgi import ResponseCacheMiddleware
from aiocache_kit.integrations.fastapi import AppCache
from aiocache_kit.integrations.http import ResponseCache
from aiocache_kit.integrations.prometheus import PrometheusMetrics

ROOT = Path(__file__).parents[2]
GUIDES = sorted(ROOT.glob("docs/how-to/migrate-from-*.md"))
ROW = re.compile(r"^\| (?P<theirs>.+?) \| (?P<ours>.+?) \| (?P<differs>.*?) ?\|$")

guides = pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)


def rows(guide: Path) -> Iterator[tuple[str, str]]:
    """Give the pairs of their call and ours, of all tables of a guide."""
    for line in guide.read_text("utf-8").splitlines():
        found = ROW.match(line)
        if found and found["ours"] not in {"---", "aiocache_kit"}:
            yield found["theirs"], found["ours"]


async def load() -> str:
    """Stand for a loader."""
    return "loaded"


async def load_user(self: object, user_id: int) -> str:
    """Stand for a function or a method that users would cache."""
    return f"user {user_id}, {self}"


async def load_users(self: object, user_ids: list[int]) -> dict[int, str]:
    """Stand for one of many ids."""
    return {user_id: f"user {user_id}, {self}" for user_id in user_ids}


async def names(cache: Provider) -> dict[str, object]:
    """Give what calls may name: all that is public, a provider with something in it, and what stands for a program."""

    @cached(cache)
    async def by_id(user_id: int) -> str:
        return f"user {user_id}"

    await cache.set_multi({"k": 1, "a": 1})
    return {
        **{name: getattr(aiocache_kit, name) for name in aiocache_kit.__all__},
        "AppCache": AppCache,
        "PrometheusMetrics": PrometheusMetrics,
        "ResponseCache": ResponseCache,
        "ResponseCacheMiddleware": ResponseCacheMiddleware,
        "app": FastAPI(),
        "app_cache": AppCache(),
        "cache": cache,
        "item": await cache.get_item("k"),
        "load": load,
        "load_user": by_id,
        "secret": os.urandom(32),
    }


async def run(call: str, known: dict[str, object]) -> None:
    """Do what a cell of the table says, to its end."""
    if call.startswith("@"):
        known["function"] = load_users if "cached_multi" in call else load_user
        call = f"({call.removeprefix('@')})(function)"
    code: Any = compile(call, call, "eval", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    value: object = eval(code, known)  # noqa: S307  - the text is this repository's own
    if inspect.iscoroutine(value):
        value = await value
    if isinstance(value, AsyncIterator):
        async for _ in cast("AsyncIterator[object]", value):
            pass
    elif isinstance(value, AbstractAsyncContextManager) and not isinstance(value, Provider):
        async with cast("AbstractAsyncContextManager[object]", value):
            pass


@guides
def test_every_call_of_ours_exists(guide: Path) -> None:
    """Whatever a guide says to write instead is a call that this package has."""
    told = list(rows(guide))

    async def run_all() -> None:
        for _, ours in told:
            calls: list[str] = re.findall(r"`([^`]+)`", ours)
            assert calls or ours == "none", f"{ours!r} is no call"
            for call in calls:
                async with new_provider("memory://") as cache:
                    await run(call, await names(cache))

    asyncio.run(run_all())

    assert len(told) > 10


@guides
def test_every_call_of_theirs_is_python(guide: Path) -> None:
    """What stands on the other side of the table can be written so, as far as Python is concerned."""
    for theirs, _ in rows(guide):
        for call in re.findall(r"`([^`]+)`", theirs):
            program = f"{call}\nasync def function(): ..." if call.startswith("@") else call
            compile(program, call, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
