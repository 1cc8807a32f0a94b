import asyncio

import pytest

from aiocache_kit.errors import ProviderClosedError, StorageUnavailableError
from aiocache_kit.management.single_flight import Flight
from aiocache_kit.provider.core import Core
from aiocache_kit.storage.base import IF_ABSENT, Condition
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock, FaultyStorage


@pytest.fixture
def storage() -> FaultyStorage:
    return FaultyStorage(memory_storage())


@pytest.fixture
def core(storage: FaultyStorage) -> Core:
    return Core(storage, 600.0, 1.0, 0.0, FakeClock())


async def never(flight: Flight) -> dict[str, object]:
    """Be under way until cancelled."""
    del flight
    await asyncio.Event().wait()
    return {}


async def loading(core: Core, *keys: str, tags: tuple[str, ...] = ()) -> tuple[Flight, asyncio.Task[object]]:
    """Begin a load that somebody waits for."""
    flight = core.flights.start(keys, never, tags)
    waiting: asyncio.Task[object] = asyncio.create_task(core.flights.wait_for([flight]))
    await asyncio.sleep(0)
    return flight, waiting


def is_ready(core: Core) -> bool:
    """Ask anew, where a type checker would remember the answer."""
    return core.ready


async def leave(waiting: asyncio.Task[object]) -> None:
    waiting.cancel()
    await asyncio.wait([waiting])
    await asyncio.sleep(0)


# --- opening and closing ----------------------------------------------------------------------------------------------


async def test_it_is_opened_once(core: Core, storage: FaultyStorage) -> None:
    """However many come at once, the storage is opened once, before any of them goes on."""
    gate = storage.hold(of=["open"])
    opening = [asyncio.create_task(core.open()) for _ in range(5)]
    await gate.reached.wait()
    assert not is_ready(core)
    gate.open()
    await asyncio.gather(*opening)
    await core.open()

    assert is_ready(core)
    assert storage.calls == ["open"]
    await core.close()
    await core.close()
    assert storage.calls == ["open", "close"]


@pytest.mark.parametrize("cancelled", [False, True])
async def test_an_opening_that_fails_is_tried_again(core: Core, storage: FaultyStorage, *, cancelled: bool) -> None:
    """An error, or a cancellation, ends that call alone; the next one opens."""
    if cancelled:
        gate = storage.hold(of=["open"])
        opening = asyncio.create_task(core.open())
        await gate.reached.wait()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        storage.heal()
    else:
        storage.fail(of=["open"])
        with pytest.raises(StorageUnavailableError):
            await core.open()
    assert not is_ready(core)
    await core.open()

    assert is_ready(core)
    await core.close()


async def test_closed_while_it_is_being_opened(core: Core, storage: FaultyStorage) -> None:
    """Who is opening is told, the storage is closed again, and no task is left."""
    gate = storage.hold(of=["open"])
    opening = asyncio.create_task(core.open())
    await gate.reached.wait()
    closing = asyncio.create_task(core.close())
    await asyncio.sleep(0)
    gate.open()
    with pytest.raises(ProviderClosedError):
        await opening
    await closing

    assert storage.calls == ["open", "close"]
    assert not is_ready(core)
    with pytest.raises(ProviderClosedError):
        await core.open()


async def test_a_storage_that_does_not_close_leaves_no_task(core: Core, storage: FaultyStorage) -> None:
    """The error comes out, and all else has ended."""
    await core.open()
    _, waiting = await loading(core, "k")
    storage.fail(of=["close"])
    with pytest.raises(StorageUnavailableError):
        await core.close()

    with pytest.raises(ProviderClosedError):
        await waiting
    with pytest.raises(ProviderClosedError):
        core.check_open()


# --- changes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fails", [False, True])
async def test_a_change_supersedes_before_and_after(core: Core, *, fails: bool) -> None:
    """Loads from before and from the middle of a change may not store, also where the change failed."""
    await core.open()
    before, first = await loading(core, "k")
    between: list[tuple[Flight, asyncio.Task[object]]] = []

    async def act() -> int:
        assert core.flights.to_join("k") is None
        between.append(await loading(core, "k"))
        assert not core.flights.may_store(between[0][0], "k")
        if fails:
            raise LookupError
        return 5

    if fails:
        with pytest.raises(LookupError):
            await core.change("k", act)
    else:
        assert await core.change("k", act) == 5

    assert not core.flights.may_store(before, "k")
    assert not core.flights.may_store(between[0][0], "k")
    after, last = await loading(core, "k")
    assert core.flights.may_store(after, "k")
    for waiting in (first, between[0][1], last):
        await leave(waiting)
    await core.close()


async def test_a_change_waits_for_a_store_under_way(core: Core) -> None:
    """What is being stored right now is changed after that; other keys do not wait."""
    await core.open()
    done: list[str] = []
    go_on = asyncio.Event()

    async def store() -> None:
        async with core.flights.storing(["k1"]):
            await go_on.wait()
            done.append("stored")

    async def act(name: str) -> None:
        done.append(name)

    storing = asyncio.create_task(store())
    await asyncio.sleep(0)
    changes = [
        asyncio.create_task(core.change("k1", lambda: act("change"))),
        asyncio.create_task(core.change_many(["x", "k1"], lambda: act("many"))),
        asyncio.create_task(core.change_all("k", lambda: act("all"))),
        asyncio.create_task(core.change("other", lambda: act("other"))),
    ]
    for _ in range(3):
        await asyncio.sleep(0)
    assert done == ["other"]
    go_on.set()
    await asyncio.gather(storing, *changes)

    assert done[:2] == ["other", "stored"]
    assert sorted(done[2:]) == ["all", "change", "many"]
    await core.close()


@pytest.mark.parametrize("turns", range(3))
async def test_a_cancelled_change_leaves_no_mark(core: Core, turns: int) -> None:
    """Wherever a change is cancelled, loads that begin afterwards may store."""
    await core.open()

    async def act() -> None:
        await asyncio.Event().wait()

    changes = [
        asyncio.create_task(core.change("k", act)),
        asyncio.create_task(core.change_many(["k", "x"], act)),
        asyncio.create_task(core.change_all("", act)),
    ]
    for _ in range(turns):
        await asyncio.sleep(0)
    for change in changes:
        change.cancel()
    await asyncio.wait(changes)
    flight, waiting = await loading(core, "k")

    assert core.flights.may_store(flight, "k")
    await leave(waiting)
    await core.close()


@pytest.mark.parametrize("holds", [True, False])
async def test_a_condition_that_fails_costs_no_load_in_the_process(*, holds: bool) -> None:
    """On a table, a conditional write that did not happen supersedes nothing."""
    core = Core(memory_storage(), 600.0, 1.0, 0.0, FakeClock())
    await core.open()
    flight, waiting = await loading(core, "k")

    async def write(condition: Condition) -> bool:
        assert condition is IF_ABSENT
        return holds

    assert await core.change_if("k", IF_ABSENT, write) is holds
    assert (core.flights.to_join("k") is flight) is not holds
    assert core.flights.may_store(flight, "k") is not holds
    await leave(waiting)
    await core.close()


async def test_what_was_invalidated_is_buried_before_a_condition(core: Core, storage: FaultyStorage) -> None:
    """A storage that knows nothing of tags must not take a killed item for present."""
    await core.open()
    await core.write("k", 1, 10.0, ("t",))
    core.tagging.invalidate(["t"])
    assert not await core.holds("k")
    assert await storage.inner.read("k") is not None
    await core.bury("k")
    assert await storage.inner.read("k") is None
    assert await core.write("k", 2, 10.0, ("t",), condition=IF_ABSENT)
    await core.bury("k")

    assert await core.holds("k")
    await core.close()


def test_items_are_stamped(core: Core) -> None:
    """An item says when it was made and when it ends, by the wall clock; for ever is None."""
    item = core.item("k", 1, 10.0, ("t",), 5)

    assert (item.ttl, item.expiration, item.created_at) == (10.0, core.clock.time() + 10.0, core.clock.time())
    assert (item.tags, item.cost) == (("t",), 5)
    assert (core.item("k", 1, float("inf")).ttl, core.item("k", 1, float("inf")).expiration) == (None, None)
