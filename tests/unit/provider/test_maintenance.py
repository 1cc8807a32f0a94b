import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from aiocache_kit.errors import StorageUnavailableError
from aiocache_kit.management.failures import Failures
from aiocache_kit.provider.maintenance import Maintenance
from aiocache_kit.provider.tagging import Tagging
from aiocache_kit.storage.null import NullStorage
from aiocache_kit.testing import FakeClock, FaultyStorage


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def storage(clock: FakeClock) -> FaultyStorage:
    storage = FaultyStorage(NullStorage())
    storage.clock = clock
    return storage


def maintenance_of(storage: FaultyStorage, clock: FakeClock, cleanup: float = 1.0, sync: float = 0.0) -> Maintenance:
    return Maintenance(storage, Tagging(storage, clock), Failures(), clock, cleanup=cleanup, sync=sync)


@pytest.fixture
async def running(storage: FaultyStorage, clock: FakeClock) -> AsyncIterator[Maintenance]:
    maintenance = maintenance_of(storage, clock)
    maintenance.start()
    yield maintenance
    await maintenance.stop()


async def test_a_round_every_so_often(running: Maintenance, storage: FaultyStorage, clock: FakeClock) -> None:
    """Nothing happens at once; then the storage is tidied in each interval, and never synced."""
    running.start()
    await clock.settle()
    assert storage.calls == []
    await clock.advance(3.5)

    assert storage.calls == ["tidy"] * 3


@pytest.mark.parametrize(
    ("cleanup", "sync", "calls"),
    [(1.0, 2.0, {"tidy": 6, "sync": 3}), (3.0, 1.0, {"tidy": 6, "sync": 6}), (2.0, 3.0, {"tidy": 3, "sync": 1})],
)
async def test_syncs_come_in_their_own_interval(
    storage: FaultyStorage, clock: FakeClock, cleanup: float, sync: float, calls: dict[str, int]
) -> None:
    """The storage is written out no sooner than every `sync` seconds, and at the first round after them."""
    maintenance = maintenance_of(storage, clock, cleanup, sync)
    maintenance.start()
    await clock.advance(6.0)
    await maintenance.stop()

    assert {name: storage.calls.count(name) for name in calls} == calls


async def test_missed_rounds_are_not_made_up_for(
    running: Maintenance, storage: FaultyStorage, clock: FakeClock
) -> None:
    """Rule 3: after the process stood still there is one round."""
    del running
    await clock.settle()
    clock.leap(1000.0)
    await clock.settle()

    assert storage.calls == ["tidy"]


@pytest.mark.parametrize("error", [StorageUnavailableError("no answer"), LookupError("user:secret")], ids=repr)
@pytest.mark.parametrize("method", ["tidy", "sync"])
async def test_a_round_that_fails_is_logged(
    storage: FaultyStorage, clock: FakeClock, caplog: pytest.LogCaptureFixture, method: str, error: Exception
) -> None:
    """Rule 2: one line, which shows no key, and the next round comes in its time."""
    maintenance = maintenance_of(storage, clock, 1.0, 1.0)
    maintenance.start()
    storage.fail(error, of=[method])
    with caplog.at_level(logging.WARNING, "aiocache_kit"):
        await clock.advance(1.0)
    assert len(caplog.messages) == 1
    assert "null failed: " in caplog.text
    assert "secret" not in caplog.text
    await clock.advance(1.0)
    await maintenance.stop()

    assert storage.calls.count("tidy") == storage.calls.count("sync") == 2


async def test_stopping(storage: FaultyStorage, clock: FakeClock) -> None:
    """The task is gone when `stop` returns, also in the middle of a round; stopping twice, or unstarted, is fine."""
    maintenance = maintenance_of(storage, clock)
    await maintenance.stop()
    maintenance.start()
    gate = storage.hold(of=["tidy"])
    await clock.advance(1.0)
    await gate.reached.wait()
    await maintenance.stop()
    await maintenance.stop()

    assert [task.get_name() for task in asyncio.all_tasks()].count("aiocache_kit maintenance") == 0
    assert clock.sleepers == 0


def test_another_loop(storage: FaultyStorage, clock: FakeClock) -> None:
    """On a loop of its own each time the task begins anew, and stopping does not wait for one that is gone."""
    maintenance = maintenance_of(storage, clock)

    async def use() -> int:
        maintenance.start()
        before = len(storage.calls)
        await clock.advance(2.0)
        return len(storage.calls) - before

    async def stop() -> None:
        await maintenance.stop()

    assert [asyncio.run(use()), asyncio.run(use())] == [2, 2]
    asyncio.run(stop())
