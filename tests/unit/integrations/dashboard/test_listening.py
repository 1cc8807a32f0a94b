"""Listening to groups of keys: begun by looks, over when nobody looks, and gone with the provider."""

import asyncio
import json
from typing import Any

import pytest

from aiocache_kit import Config, Provider, new_provider
from aiocache_kit.integrations.dashboard import Dashboard
from aiocache_kit.integrations.dashboard.http import Request
from aiocache_kit.integrations.dashboard.listening import Listening
from aiocache_kit.testing import FakeClock


def listeners() -> int:
    """Count the tasks that listen."""
    return sum(task.get_name() == "aiocache_kit dashboard" for task in asyncio.all_tasks())


async def use(cache: Provider) -> None:
    """Read users often, and load a report once, slowly."""
    for number in range(40):
        await cache.get_or_set(f"user:{number % 4}", lambda: "value-of-somebody")
    await cache.get_or_set("report:secret", lambda: 1)


async def test_groups_are_counted_while_somebody_looks() -> None:
    """After the first look reads and loads count for their groups, without keys; what was before does not."""
    clock = FakeClock()
    async with new_provider(Config(provider="memory"), clock=clock) as cache:
        await use(cache)
        listening = Listening(1, 10.0, clock)
        listening.look({"main": cache})
        await clock.settle()
        await use(cache)
        await clock.settle()
        shown: Any = listening.shown("main")
        await listening.close()

    assert [(group["group"], group["reads"]) for group in shown["hot"]] == [("user:*", 40), ("report:*", 1)]
    assert shown["hot"][0]["hit_rate"] == 1.0
    assert shown["slow"] == []
    assert "secret" not in str(shown)
    assert "somebody" not in str(shown)


async def test_loads_are_counted_all() -> None:
    """Of loads none is left out, however few reads are told."""
    clock = FakeClock()
    async with new_provider(Config(provider="memory"), clock=clock) as cache:
        listening = Listening(1000, 10.0, clock)
        listening.look({"main": cache})
        await clock.settle()
        await use(cache)
        await clock.settle()
        shown: Any = listening.shown("main")
        await listening.close()

    assert {group["group"]: group["loads"] for group in shown["slow"]} == {"user:*": 4, "report:*": 1}


async def test_it_ends_where_nobody_looks() -> None:
    """The first event after nobody has looked for long enough ends it; the next look begins anew."""
    clock = FakeClock()
    async with new_provider(Config(provider="memory"), clock=clock) as cache:
        listening = Listening(1, 10.0, clock)
        listening.look({"main": cache})
        await clock.advance(9.0)
        listening.look({"main": cache})
        await clock.advance(9.0)
        await use(cache)
        await clock.settle()
        assert listeners() == 1

        await clock.advance(1.5)
        await use(cache)
        await clock.settle()
        assert listeners() == 0

        listening.look({"main": cache})
        await clock.settle()
        shown: Any = listening.shown("main")
        assert (listeners(), shown["hot"]) == (1, [])
        await listening.close()


async def test_it_ends_with_the_provider() -> None:
    """A closed provider leaves no task, and one that is closed when somebody looks is no error."""
    clock = FakeClock()
    listening = Listening(1, 10.0, clock)
    async with new_provider(Config(provider="memory"), clock=clock) as cache:
        listening.look({"main": cache})
        await clock.settle()
        assert listeners() == 1
    await clock.settle()
    assert listeners() == 0

    listening.look({"main": cache})
    await clock.settle()

    assert listeners() == 0


async def test_providers_that_go_are_left() -> None:
    """Where a name is given up or gets another provider, nobody listens to the old one."""
    clock = FakeClock()
    async with (
        new_provider(Config(provider="memory"), clock=clock) as one,
        new_provider(Config(provider="memory"), clock=clock) as other,
    ):
        listening = Listening(1, 10.0, clock)
        listening.look({"a": one, "b": one})
        await clock.settle()
        assert listeners() == 2
        listening.look({"a": other})
        await clock.settle()

        assert listeners() == 1
        assert listening.shown("b") is None
        await listening.close()
        assert listeners() == 0


async def test_very_many_events_give_others_a_turn() -> None:
    """What waits in a full stream is counted in parts, between which others run."""
    clock = FakeClock()
    async with new_provider(Config(provider="memory"), clock=clock) as cache:
        listening = Listening(1, 10.0, clock)
        listening.look({"main": cache})
        await clock.settle()
        for _ in range(950):
            await cache.get("user:1")
        turns, task = 0, next(task for task in asyncio.all_tasks() if task.get_name() == "aiocache_kit dashboard")
        while (listening.shown("main") or {})["hot"] == [] or turns < 3:
            await asyncio.sleep(0)
            turns += 1
        shown: Any = listening.shown("main")

        assert shown["hot"][0]["reads"] < 950
        assert not task.done()
        await listening.close()


@pytest.mark.parametrize("sample", [None, 1])
async def test_dashboard_hears_of_reads_where_it_is_told_to(sample: int | None) -> None:
    """The dashboard has the slow groups of each provider, and the hot ones if it was asked for them."""
    clock = FakeClock()
    async with new_provider(Config(provider="memory"), clock=clock) as cache:
        dashboard = Dashboard(cache, read_sample=sample, clock=clock)
        await dashboard.answer(Request(method="GET", path="/figures"))
        await clock.settle()
        await use(cache)
        await clock.settle()
        answer = await dashboard.answer(Request(method="GET", path="/figures"))
        await dashboard.close()

    groups = json.loads(answer.body)["providers"][0]["groups"]
    assert {group["group"] for group in groups["slow"]} == {"user:*", "report:*"}
    assert {group["group"] for group in groups["hot"]} == (set() if sample is None else {"user:*", "report:*"})
