import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any

import pytest

from aiocache_kit.errors import ProviderClosedError, RecursiveLoadError
from aiocache_kit.management.single_flight import Flight, SingleFlight, Work, is_inside_a_load
from aiocache_kit.sentinels import MISSING

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


class Held:
    """Work that waits to be let go, and tells what happened to it."""

    def __init__(self, *keys: str, error: BaseException | None = None) -> None:
        self.found: dict[str, object] = {key: f"value of {key}" for key in keys}
        self.go_on = asyncio.Event()
        self.flights: list[Flight] = []
        self.cancelled = 0
        self._error = error

    async def __call__(self, flight: Flight) -> dict[str, object]:
        self.flights.append(flight)
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self._error is not None:
            raise self._error
        return self.found


def ignore(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say nothing of an error that nobody asked for."""
    del loop, context


def at_once(**found: object) -> Work:
    """Make work that needs no waiting."""

    async def work(flight: Flight) -> dict[str, object]:
        del flight
        return found

    return work


async def started(load: Coroutine[Any, Any, tuple[object, bool]]) -> asyncio.Task[tuple[object, bool]]:
    """Begin to load in a task of its own, up to where that waits."""
    task = asyncio.create_task(load)
    await asyncio.sleep(0)
    return task


async def nothing_left(flights: SingleFlight) -> bool:
    """Whether no flight, key or store is remembered, once what was cancelled has had its turn."""
    for _ in range(3):
        await asyncio.sleep(0)
    return not (flights.flights or flights._all or flights._storing or flights._changing or flights._clearing)


# --- sharing ----------------------------------------------------------------------------------------------------------


async def test_work_that_needs_no_waiting_takes_no_turn() -> None:
    """Rule 1: such work is over inside of the call, and nothing of it is left."""
    flights = SingleFlight()
    load = flights.load("a", at_once(a=1))
    with pytest.raises(StopIteration) as end:
        load.send(None)

    assert end.value.value == (1, False)
    assert await nothing_left(flights)


async def test_callers_share_one_flight() -> None:
    """Everybody who comes while the work is under way gets its result, and is told to have joined."""
    flights, work = SingleFlight(), Held("a")
    tasks = [await started(flights.load("a", work)) for _ in range(10)]
    work.go_on.set()

    assert await asyncio.gather(*tasks) == [("value of a", False)] + [("value of a", True)] * 9
    assert len(work.flights) == 1
    assert await nothing_left(flights)


async def test_joining_a_flight_for_other_keys_too() -> None:
    """A caller may join work for several keys; `MISSING` says that it found none for his."""
    flights, work = SingleFlight(), Held("a", "b")
    flight = flights.start(("a", "b", "c"), work)
    waiting = asyncio.create_task(flights.wait_for([flight]))
    found, missing = await started(flights.load("b", at_once())), await started(flights.load("c", at_once()))
    work.go_on.set()

    assert await found == ("value of b", True)
    assert await missing == (MISSING, True)
    assert await waiting == [work.found]


async def test_an_exception_reaches_everyone_and_is_not_kept() -> None:
    """Rule 5: all waiters get the same object, its trace does not grow, and the next caller starts anew."""
    flights, error = SingleFlight(), LookupError("wrong")
    work = Held(error=error)
    tasks = [await started(flights.load("a", work)) for _ in range(3)]
    work.go_on.set()
    raised = await asyncio.gather(*tasks, return_exceptions=True)

    assert [each is error for each in raised] == [True] * 3
    depth, trace = 0, error.__traceback__
    while trace is not None:
        depth, trace = depth + 1, trace.tb_next
    assert depth < 10
    assert await flights.load("a", at_once(a=1)) == (1, False)
    assert await nothing_left(flights)


async def test_an_exception_of_work_without_waiting() -> None:
    """Work that fails in its first step fails the call, and leaves nothing."""
    flights = SingleFlight()

    async def work(flight: Flight) -> dict[str, object]:
        del flight
        raise LookupError

    with pytest.raises(LookupError):
        await flights.load("a", work)
    assert await nothing_left(flights)


async def test_an_interrupt_ends_the_flight() -> None:
    """`KeyboardInterrupt` in the first step passes through the call, and the key is free again."""
    flights = SingleFlight()
    asyncio.get_running_loop().set_exception_handler(ignore)  # 3.12 also notes it as the task's, unasked for

    async def work(flight: Flight) -> dict[str, object]:
        del flight
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await flights.load("a", work)
    assert await nothing_left(flights)


async def test_context_is_a_copy_of_the_first_callers() -> None:
    """Rule 2: work sees what its starter had set; what it sets is seen by nobody, and joiners lend nothing."""
    flights, go_on, seen = SingleFlight(), asyncio.Event(), list[str]()

    async def work(flight: Flight) -> dict[str, object]:
        del flight
        seen.append(variable.get())
        variable.set("work")
        await go_on.wait()
        seen.append(variable.get())
        return {"a": 1}

    variable.set("starter")
    first = await started(flights.load("a", work))
    variable.set("joiner")
    second = await started(flights.load("a", work))
    go_on.set()
    await first
    await second

    assert seen == ["starter", "work"]
    assert variable.get() == "joiner"


# --- leaving ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leaver", [0, 1, 2])
async def test_a_cancelled_caller_leaves_the_others_untouched(leaver: int) -> None:
    """Whoever leaves, be it the one who started, the others get their value and the work is not cancelled."""
    flights, work = SingleFlight(), Held("a")
    tasks = [await started(flights.load("a", work)) for _ in range(3)]
    tasks[leaver].cancel()
    await asyncio.wait([tasks[leaver]])
    work.go_on.set()
    rest = [task for task in tasks if task is not tasks[leaver]]

    assert [value for value, _ in await asyncio.gather(*rest)] == ["value of a"] * 2
    assert tasks[leaver].cancelled()
    assert work.cancelled == 0


async def test_the_last_to_leave_ends_the_work() -> None:
    """Once nobody waits the work is cancelled, may store nothing, and cannot be joined: the next caller starts anew."""
    flights, work = SingleFlight(), Held("a")
    tasks = [await started(flights.load("a", work)) for _ in range(2)]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    flight = work.flights[0]

    assert flight.abandoned
    assert not flights.may_store(flight, "a")
    assert flights.to_join("a") is None
    assert await flights.load("a", at_once(a="new")) == ("new", False)
    assert await nothing_left(flights)
    assert work.cancelled == 1


async def test_a_flight_everybody_left_does_not_take_away_its_successor() -> None:
    """Work that takes its time to end after the last left does not remove the flight that began meanwhile."""
    flights, cleaned = SingleFlight(), asyncio.Event()

    async def slow_to_end(flight: Flight) -> dict[str, object]:
        del flight
        try:
            await asyncio.Event().wait()
        finally:
            await cleaned.wait()
        return {}

    first = await started(flights.load("a", slow_to_end))
    first.cancel()
    await asyncio.wait([first])
    work = Held("a")
    second = await started(flights.load("a", work))
    cleaned.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    third = await started(flights.load("a", work))
    work.go_on.set()

    assert [await second, await third] == [("value of a", False), ("value of a", True)]
    assert await nothing_left(flights)


async def test_a_result_that_comes_with_the_cancellation() -> None:
    """A caller cancelled in the very turn in which the work ends is cancelled; the work has not failed."""
    flights, work = SingleFlight(), Held("a")
    task = await started(flights.load("a", work))
    other = await started(flights.load("a", work))
    work.go_on.set()
    await asyncio.sleep(0)
    task.cancel()

    assert await other == ("value of a", True)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.cancelled == 0


async def test_waiting_for_several_ends_with_the_first_that_fails() -> None:
    """`wait_for` raises what the first one raised, and leaves the others, which end if nobody else waits."""
    flights, error = SingleFlight(), LookupError("wrong")
    failing, left, kept = Held("a", error=error), Held("b"), Held("c")
    all_flights = [flights.start((key,), work) for key, work in (("a", failing), ("b", left), ("c", kept))]
    staying = await started(flights.load("c", kept))
    waiting = asyncio.create_task(flights.wait_for(all_flights))
    await asyncio.sleep(0)
    failing.go_on.set()
    with pytest.raises(LookupError) as caught:
        await waiting
    kept.go_on.set()

    assert caught.value is error
    assert await staying == ("value of c", True)
    assert await nothing_left(flights)
    assert (left.cancelled, kept.cancelled) == (1, 0)


# --- recursion --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turns", [0, 1], ids=["in the first step", "later"])
@pytest.mark.parametrize("depth", [1, 2, 5, 12])
async def test_a_circle_of_loads_is_told(depth: int, turns: int) -> None:
    """Rule 4: a load that waits for itself, directly or around other loads, raises and does not hang."""
    flights = SingleFlight()

    def work_of(number: int) -> Work:
        async def work(flight: Flight) -> dict[str, object]:
            del flight
            for _ in range(turns):
                await asyncio.sleep(0)
            following = (number + 1) % depth
            value, _ = await flights.load(str(following), work_of(following))
            return {str(number): value}

        return work

    async with asyncio.timeout(5):
        with pytest.raises(RecursiveLoadError):
            await flights.load("0", work_of(0))
    assert await nothing_left(flights)


async def test_two_loads_that_ask_for_each_other() -> None:
    """Of two loads begun independently that come to wait for each other, one is told, and both end."""
    flights, both = SingleFlight(), asyncio.Barrier(2)

    def work_of(key: str, other: str) -> Work:
        async def work(flight: Flight) -> dict[str, object]:
            del flight
            await both.wait()
            value, _ = await flights.load(other, at_once())
            return {key: value}

        return work

    async with asyncio.timeout(5):
        results = await asyncio.gather(
            flights.load("a", work_of("a", "b")), flights.load("b", work_of("b", "a")), return_exceptions=True
        )

    assert [type(each) for each in results] == [RecursiveLoadError] * 2
    assert await nothing_left(flights)


async def test_tasks_of_a_load_count_as_part_of_it() -> None:
    """A task that a load starts and waits for is told of recursion as the load itself is."""
    flights = SingleFlight()

    async def work(flight: Flight) -> dict[str, object]:
        del flight
        value, _ = await asyncio.create_task(flights.load("a", at_once()))
        return {"a": value}

    async with asyncio.timeout(5):
        with pytest.raises(RecursiveLoadError):
            await flights.load("a", work)


async def test_a_task_that_outlives_its_load_is_free() -> None:
    """When the load is over, a task that it started may ask for the same key."""
    flights, after, tasks = SingleFlight(), asyncio.Event(), list[asyncio.Task[tuple[object, bool]]]()
    inside: list[bool] = []

    async def later() -> tuple[object, bool]:
        inside.append(is_inside_a_load())
        await after.wait()
        inside.append(is_inside_a_load())
        return await flights.load("a", at_once(a="second"))

    async def work(flight: Flight) -> dict[str, object]:
        del flight
        tasks.append(asyncio.create_task(later()))
        await asyncio.sleep(0)
        return {"a": "first"}

    assert await flights.load("a", work) == ("first", False)
    after.set()

    assert await tasks[0] == ("second", False)
    assert inside == [True, False]
    assert not is_inside_a_load()


async def test_one_key_asked_for_twice_by_parts_of_one_load() -> None:
    """Two tasks of one load may wait for the same other load: that is no circle."""
    flights, inner = SingleFlight(), Held("b")

    async def work(flight: Flight) -> dict[str, object]:
        del flight
        parts = await asyncio.gather(flights.load("b", inner), flights.load("b", inner))
        return {"a": [value for value, _ in parts]}

    task = await started(flights.load("a", work))
    await asyncio.sleep(0)
    inner.go_on.set()

    assert await task == (["value of b", "value of b"], False)


async def test_a_chain_of_loads_longer_than_the_stack() -> None:
    """Loads that load the next one, a thousand deep, end: not all of them are begun inside of one another."""
    flights = SingleFlight()

    def work_of(number: int) -> Work:
        async def work(flight: Flight) -> dict[str, object]:
            del flight
            value: object = 0
            if number:
                value, _ = await flights.load(str(number - 1), work_of(number - 1))
            return {str(number): value}

        return work

    assert await flights.load("1000", work_of(1000)) == (0, False)


# --- explicit changes -------------------------------------------------------------------------------------------------


async def test_a_superseded_flight_goes_on_for_those_who_wait() -> None:
    """Rule 3: its waiters get the value, it may not store, and who asks from then on starts another one."""
    flights, old, new = SingleFlight(), Held("a"), Held("a")
    new.found = {"a": "new"}
    waiting = await started(flights.load("a", old))
    flights.supersede("a")
    later = await started(flights.load("a", new))
    old.go_on.set()
    new.go_on.set()

    assert await waiting == ("value of a", False)
    assert await later == ("new", False)
    assert not flights.may_store(old.flights[0], "a")
    assert flights.may_store(new.flights[0], "a")
    assert await nothing_left(flights)


async def test_only_the_key_that_changed_is_superseded() -> None:
    """Of work for several keys the others may still be joined and stored."""
    flights, work = SingleFlight(), Held("a", "b")
    flight = flights.start(("a", "b"), work)
    waiting = asyncio.create_task(flights.wait_for([flight]))
    flights.supersede("a")

    assert flights.to_join("a") is None
    assert flights.to_join("b") is flight
    assert not flights.may_store(flight, "a")
    assert flights.may_store(flight, "b")
    work.go_on.set()
    await waiting


async def test_prefixes_supersede_all_that_begin_with_them() -> None:
    """What is cleared is superseded by the beginning of its key, and nothing else is."""
    flights, work = SingleFlight(), Held()
    flight = flights.start(("user:1", "user:2", "use", "order"), work)
    waiting = asyncio.create_task(flights.wait_for([flight]))
    await asyncio.sleep(0)
    flights.supersede_prefix("user")

    assert flight.superseded == {"user:1", "user:2"}
    work.go_on.set()
    await waiting


async def test_tags_supersede_what_is_known_to_have_them() -> None:
    """Flights that are known to have the tag are superseded; every flight is told, for tags that turn up later."""
    flights, tagged, other = SingleFlight(), Held("a"), Held("b")
    tasks = [await started(flights.load("a", tagged, ("t", "u"))), await started(flights.load("b", other, ("v",)))]
    flights.supersede_tags(["t"])

    assert [flights.to_join("a") is None, flights.to_join("b") is None] == [True, False]
    assert [work.flights[0].invalidated for work in (tagged, other)] == [{"t"}, {"t"}]
    for work in (tagged, other):
        work.go_on.set()
    await asyncio.gather(*tasks)


async def test_who_joined_before_an_invalidation_gets_the_value() -> None:
    """A tag that turns up at the end takes the value from those alone who joined after it was invalidated."""
    flights, go_on = SingleFlight(), asyncio.Event()

    async def work(flight: Flight) -> dict[str, object]:
        await go_on.wait()
        flight.tags = ("t",)
        return {"a": 1}

    early = [await started(flights.load("a", work)), await started(flights.load("a", work))]
    flights.supersede_tags(["t"])
    late = await started(flights.load("a", work))
    go_on.set()

    assert await asyncio.gather(*early, late) == [(1, False), (1, True), (MISSING, True)]


async def test_nothing_is_stored_while_a_change_is_on_its_way() -> None:
    """Between the beginning and the end of a change no work may store, one begun meanwhile neither; then all may."""
    flights, before, meanwhile = SingleFlight(), Held("a"), Held("a")
    tasks = [await started(flights.load("a", before))]
    flights.begin_change("a")
    flights.begin_change("a")
    tasks.append(await started(flights.load("a", meanwhile)))
    assert not flights.may_store(meanwhile.flights[0], "a")
    flights.end_change("a")
    assert not flights.may_store(meanwhile.flights[0], "a")
    flights.end_change("a")
    after = Held("a")
    tasks.append(await started(flights.load("a", after)))

    assert [flights.may_store(work.flights[0], "a") for work in (before, meanwhile, after)] == [False, False, True]
    for work in (before, meanwhile, after):
        work.go_on.set()
    await asyncio.gather(*tasks)
    assert await nothing_left(flights)


async def test_nothing_is_stored_while_a_prefix_is_cleared() -> None:
    """The same for keys with a prefix, and for those alone; clears of one prefix may overlap."""
    flights, work = SingleFlight(), Held()
    flights.begin_clear("u")
    flights.begin_clear("u")
    flight = flights.start(("u1", "x"), work)
    waiting = asyncio.create_task(flights.wait_for([flight]))
    await asyncio.sleep(0)

    assert [flights.may_store(flight, key) for key in ("u1", "x")] == [False, True]
    flights.end_clear("u")
    assert [flights.may_store(flight, key) for key in ("u1", "u2", "x")] == [False, False, True]
    flights.end_clear("u")
    assert [flights.may_store(flight, key) for key in ("u1", "u2", "x")] == [False, True, True]
    work.go_on.set()
    await waiting
    assert await nothing_left(flights)


@pytest.mark.parametrize(
    ("prefix", "key", "waits"),
    [("", None, True), ("", "a1", True), ("", "b", False), ("a", None, True), ("b", None, False)],
)
async def test_a_change_waits_for_a_store_that_has_begun(prefix: str, key: str | None, *, waits: bool) -> None:
    """`stored` returns once nothing is being stored under that key or prefix, and at once where nothing is."""
    flights, go_on = SingleFlight(), asyncio.Event()

    async def store() -> None:
        async with flights.storing(["a1", "a2"]):
            await go_on.wait()

    storing = asyncio.create_task(store())
    await asyncio.sleep(0)
    assert flights.is_storing()
    waiting = asyncio.create_task(flights.stored(prefix, key))
    await asyncio.sleep(0)
    assert waiting.done() is not waits
    go_on.set()
    await asyncio.gather(storing, waiting)

    assert not flights.is_storing()


async def test_a_store_that_fails_is_over() -> None:
    """Whoever waits for a store goes on also where it raised."""
    flights = SingleFlight()

    async def store() -> None:
        async with flights.storing(["a"]):
            await asyncio.sleep(0)
            raise LookupError

    storing = asyncio.create_task(store())
    await asyncio.sleep(0)
    await flights.stored(key="a")
    with pytest.raises(LookupError):
        await storing
    assert not flights.is_storing()


async def test_two_stores_of_one_key_are_waited_for() -> None:
    """Stores of one key by several flights may overlap; all are waited for."""
    flights, gates = SingleFlight(), [asyncio.Event(), asyncio.Event()]

    async def store(gate: asyncio.Event) -> None:
        async with flights.storing(["a"]):
            await gate.wait()

    tasks = [asyncio.create_task(store(gate)) for gate in gates]
    await asyncio.sleep(0)
    waiting = asyncio.create_task(flights.stored(key="a"))
    gates[0].set()
    await tasks[0]
    await asyncio.sleep(0)
    assert not waiting.done()
    gates[1].set()
    await waiting
    await tasks[1]


# --- the end ----------------------------------------------------------------------------------------------------------


async def test_close_ends_all_work() -> None:
    """Waiters get `ProviderClosedError`; superseded work is cancelled, too, and has ended when `close` returns."""
    flights, work, old = SingleFlight(), Held("a"), Held("b")
    tasks = [await started(flights.load("b", old))]
    flights.supersede("b")
    tasks += [await started(flights.load("a", work)) for _ in range(2)]
    await flights.close()

    assert (work.cancelled, old.cancelled) == (1, 1)
    for task in tasks:
        with pytest.raises(ProviderClosedError):
            await task
    assert await nothing_left(flights)


async def test_work_may_close_what_it_runs_in() -> None:
    """`close` called by the work itself does not wait for itself, and its caller is told."""
    flights = SingleFlight()

    async def work(flight: Flight) -> dict[str, object]:
        del flight
        await asyncio.sleep(0)
        await flights.close()
        return {"a": 1}

    async with asyncio.timeout(5):
        with pytest.raises(ProviderClosedError):
            await flights.load("a", work)


async def test_a_task_cancelled_by_somebody_else_ends_its_flight() -> None:
    """Work whose task is cancelled from outside, before or after its first turn, leaves no key behind."""
    flights, work = SingleFlight(), Held("a")
    for turns in (0, 1):
        flight = flights.start(("a",), work)
        waiting = asyncio.create_task(flights.wait_for([flight]))
        for _ in range(turns):
            await asyncio.sleep(0)
        assert flight.task is not None
        flight.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        assert await nothing_left(flights)
