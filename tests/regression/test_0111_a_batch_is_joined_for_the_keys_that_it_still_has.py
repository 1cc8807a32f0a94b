"""A batch that was joined for one key gave another one, too, which had been changed since the batch was begun."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from aiocache_kit import Config, Provider, new_provider
from aiocache_kit.testing import FakeClock


async def remove(cache: Provider) -> None:
    await cache.delete("b")


async def replace(cache: Provider) -> None:
    await cache.set("b", "new")


@pytest.mark.parametrize("change", [remove, replace])
@pytest.mark.parametrize("anew", [False, True])
@pytest.mark.parametrize("provider", ["memory", "null"])
async def test_a_batch_is_joined_for_the_keys_that_it_still_has(
    provider: str, change: Callable[[Provider], Awaitable[None]], *, anew: bool
) -> None:
    """Whoever asks after a change gets what was loaded after it."""
    rows, gate, clock = {"a": "a", "b": "old"}, asyncio.Event(), FakeClock()

    async def slow(keys: Sequence[str]) -> dict[str, str]:
        read = {key: rows[key] for key in keys}
        await gate.wait()
        return read

    async def quick(keys: Sequence[str]) -> dict[str, str]:
        return {key: rows[key] for key in keys}

    async with new_provider(Config(provider=provider), clock=clock) as cache:
        ask: Any = cache.refresh_multi if anew else cache.get_or_set_multi
        first = asyncio.create_task(ask(["a", "b"], slow))
        await clock.settle()
        rows["b"] = "new"
        await change(cache)
        second = asyncio.create_task(ask(["a", "b"], quick))
        await clock.settle()
        gate.set()
        assert await first == {"a": "a", "b": "old"}
        assert await second == {"a": "a", "b": "new"}
