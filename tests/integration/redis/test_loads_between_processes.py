"""Processes that load the same keys: one load at a time, and nothing old is stored over what somebody has changed."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.integration.redis.workers import CallError, Worker, Workers
from tests.servers.server import Server

SHORT = 0.4
"""Seconds of a lease in tests where one has to end."""


async def added_and_deleted(other: Worker) -> None:
    """Store and remove again."""
    await other.call("add", "k", "changed")
    await other.call("delete", "k")


Change = Callable[[Worker], Awaitable[object]]
CHANGES: dict[str, tuple[Change, object]] = {
    "set": (lambda other: other.call("set", "k", "changed"), "changed"),
    "set_multi": (lambda other: other.call("set_multi", {"k": "changed", "l": 1}), "changed"),
    "add and delete": (added_and_deleted, None),
    "delete": (lambda other: other.call("delete", "k"), None),
    "delete_multi": (lambda other: other.call("delete_multi", ["k", "l"]), None),
    "expire": (lambda other: other.call("expire", "k"), None),
    "clear": (lambda other: other.call("clear"), None),
    "invalidate_prefix": (lambda other: other.call("invalidate_prefix", "k"), None),
    "invalidate_tags": (lambda other: other.call("invalidate_tags", "t"), None),
}
"""What another process may do during a load, and what is there afterwards."""


async def test_eight_processes_load_once(
    workers: Workers, redis_server: Server, fresh_prefix: str, tmp_path: Path
) -> None:
    """Of eight processes that want one cold key at once, one loads it, and all get its value."""
    witness = tmp_path / "loads"
    async with workers(redis_server, fresh_prefix, 8) as processes:
        calls = [each.start("timed_load", "k", at, 0.05, str(witness)) for at, each in enumerate(processes)]
        values = await asyncio.gather(*(call.result() for call in calls))

    assert len(set(values)) == 1
    assert witness.read_text() == "load\n"


@pytest.mark.parametrize("change", CHANGES)
async def test_change_elsewhere_beats_a_load(
    workers: Workers, redis_server: Server, fresh_prefix: str, change: str
) -> None:
    """What another process changes during a load stays; who waits for the load gets what it found."""
    act, left = CHANGES[change]
    async with workers(redis_server, fresh_prefix, 2) as (loader, other):
        load = await loader.load("k", tags=["t"])
        await act(other)
        load.end("old")
        assert await load.result() == "old"
        assert await other.call("get", "k") == left
        assert await loader.call("get", "k") == left


@pytest.mark.parametrize("change", CHANGES)
async def test_change_elsewhere_beats_a_refresh(
    workers: Workers, redis_server: Server, fresh_prefix: str, change: str
) -> None:
    """The same while a live item is loaded anew."""
    act, left = CHANGES[change]
    async with workers(redis_server, fresh_prefix, 2) as (loader, other):
        await other.call("set", "k", "first", tags=["t"])
        load = loader.start("refresh", "k", tags=["t"])
        await load.began
        await act(other)
        load.end("old")
        assert await load.result() == "old"
        assert await other.call("get", "k") == left


@pytest.mark.parametrize("call", ["get_or_set", "refresh"])
async def test_change_elsewhere_beats_the_load_of_a_stale_item(
    workers: Workers, redis_server: Server, fresh_prefix: str, call: str
) -> None:
    """An item that is stale is loaded by one process; expiring it in another makes the result of no use."""
    async with workers(redis_server, fresh_prefix, 2) as (loader, other):
        await other.call("set", "k", "first", tags=["t"])
        assert await other.call("expire", "k") is True
        load = loader.start(call, "k", tags=["t"])
        await load.began
        await other.call("expire", "k")
        load.end("old")
        assert await load.result() == "old"
        assert await other.call("get", "k") is None
        again = await loader.load("k")
        again.end("new")
        assert await again.result() == "new"
        assert await other.call("get", "k") == "new"


async def test_tags_that_only_the_loader_knows(workers: Workers, redis_server: Server, fresh_prefix: str) -> None:
    """A tag that a load finds out at its end, and that was invalidated elsewhere meanwhile, keeps it out of Redis."""
    async with workers(redis_server, fresh_prefix, 2) as (loader, other):
        load = await loader.load("k")
        await other.call("invalidate_tags", "late")
        load.end("old", tags=["late"])
        assert await load.result() == "old"
        assert await other.call("get", "k") is None

        again = await loader.load("k")
        await other.call("invalidate_tags", "another")
        again.end("new", tags=["late"])
        assert await again.result() == "new"
        assert await other.call("get", "k") == "new"
        await other.call("invalidate_tags", "late")
        assert await loader.call("get", "k") is None


async def test_loader_that_is_killed(workers: Workers, redis_server: Server, fresh_prefix: str) -> None:
    """A process that dies in mid-load costs the others its lease's time and one more load."""
    async with workers(redis_server, fresh_prefix, 4, lease_ttl=SHORT) as (victim, *others):
        await victim.load("k")
        calls = [each.start("get_or_set", "k") for each in others]
        victim.signal(signal.SIGKILL)
        done, _ = await asyncio.wait([call.began for call in calls], return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 1
        for call in calls:
            call.end("second")
        assert [await call.result() for call in calls] == ["second"] * 3
        assert sum(call.began.done() for call in calls) == 1


async def test_loader_that_stood_still(workers: Workers, redis_server: Server, fresh_prefix: str) -> None:
    """Who stood still for longer than its lease does not store over what another process has loaded since."""
    async with workers(redis_server, fresh_prefix, 2, lease_ttl=SHORT) as (sleeper, other):
        first = await sleeper.load("k")
        sleeper.signal(signal.SIGSTOP)
        first.end("of the sleeper")  # it is told, and cannot hear it
        second = await other.load("k")
        second.end("of the other")
        assert await second.result() == "of the other"
        sleeper.signal(signal.SIGCONT)
        assert await first.result() in {"of the sleeper", "of the other"}
        assert await sleeper.call("get", "k") == await other.call("get", "k")


async def test_loader_that_stood_still_while_another_loads(
    workers: Workers, redis_server: Server, fresh_prefix: str
) -> None:
    """Nor does it store in the middle of the other's load, which is stored."""
    async with workers(redis_server, fresh_prefix, 2, lease_ttl=SHORT) as (sleeper, other):
        first = await sleeper.load("k")
        sleeper.signal(signal.SIGSTOP)
        second = await other.load("k")
        sleeper.signal(signal.SIGCONT)
        first.end("of the sleeper")
        assert await first.result() == "of the sleeper"
        assert await sleeper.call("get", "k") is None
        second.end("of the other")
        assert await second.result() == "of the other"
        assert await sleeper.call("get", "k") == "of the other"


async def test_lease_lasts_as_long_as_the_load(workers: Workers, redis_server: Server, fresh_prefix: str) -> None:
    """A load that takes longer than a lease keeps it: nobody else loads, and its value is stored."""
    async with workers(redis_server, fresh_prefix, 3, lease_ttl=0.2) as (loader, other, timer):
        load = await loader.load("k")
        waiting = other.start("get_or_set", "k")
        await timer.call("timed_load", "another", 1, 0.7, "/dev/null")
        assert not waiting.began.done()
        load.end("once")
        assert await load.result() == await waiting.result() == "once"


async def test_loader_that_raises(workers: Workers, redis_server: Server, fresh_prefix: str) -> None:
    """Who waits for a load that fails in another process loads at once."""
    async with workers(redis_server, fresh_prefix, 2, lease_ttl=30) as (loader, other):
        load = await loader.load("k")
        waiting = other.start("get_or_set", "k")
        load.end(error="as ordered")
        with pytest.raises(CallError, match="RuntimeError"):
            await load.result()
        await waiting.began
        waiting.end("second")
        assert await waiting.result() == "second"


async def test_load_that_is_cancelled(workers: Workers, redis_server: Server, fresh_prefix: str) -> None:
    """Who waits for a load that is cancelled in another process loads at once."""
    async with workers(redis_server, fresh_prefix, 2, lease_ttl=30) as (loader, other):
        load = await loader.load("k")
        waiting = other.start("get_or_set", "k")
        load.cancel()
        with pytest.raises(CallError, match="CancelledError"):
            await load.result()
        await waiting.began
        waiting.end("second")
        assert await waiting.result() == "second"


async def test_many_keys_are_loaded_once_each(
    workers: Workers, redis_server: Server, fresh_prefix: str, tmp_path: Path
) -> None:
    """Processes that load overlapping sets of keys at once load each key once, and get all they asked for."""
    witness = tmp_path / "loads"
    keys = [f"k{at}" for at in range(40)]
    async with workers(redis_server, fresh_prefix, 4) as processes:
        parts = [keys[at * 8 : at * 8 + 16] for at in range(4)]
        calls = [
            each.start("timed_loads", part, 0.05, str(witness)) for each, part in zip(processes, parts, strict=True)
        ]
        for part, call in zip(parts, calls, strict=True):
            assert await call.result() == {key: f"value of {key}" for key in part}

    assert sorted(witness.read_text().split()) == sorted(keys)


async def test_refreshes_of_many_in_two_processes_end(
    workers: Workers, redis_server: Server, fresh_prefix: str
) -> None:
    """Two processes that load the same keys anew, in opposite orders, do so one after the other."""
    async with workers(redis_server, fresh_prefix, 2) as (one, two):
        await one.call("set_multi", {"a": 1, "b": 2})
        first = one.start("refresh_multi", ["a", "b"])
        await first.began
        second = two.start("refresh_multi", ["b", "a"])
        second.end("second")
        first.end("first")
        assert await first.result() == {"a": "first a", "b": "first b"}
        assert await second.result() == {"a": "second a", "b": "second b"}
        assert await one.call("get_multi", ["a", "b"]) == {"a": "second a", "b": "second b"}
