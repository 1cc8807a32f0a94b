"""What callers see while nodes fail, freeze, flap and come back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from aiocache_kit import (
    MissingDependencyError,
    PartialFailureError,
    Provider,
    StorageUnavailableError,
    ValueTooLargeError,
)
from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.storage.base import IF_ABSENT, if_version
from aiocache_kit.storage.distributed import DistributedStorage, Node
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock, FaultyStorage
from tests.unit.storage.distributed.cluster import Cluster

Call: TypeAlias = Callable[[], Awaitable[object]]

# --- a node that does not answer -------------------------------------------------------------------------------------


async def test_a_frozen_node_slows_only_its_own_keys() -> None:
    """Keys of other nodes are read at once while calls of a frozen one wait, and those end in their time."""
    async with Cluster() as cluster:
        frozen = cluster.nodes["node-0"]
        slow, quick = cluster.keys_of(frozen)[0], cluster.keys_of(cluster.nodes["node-1"])[0]
        frozen.hold(times=None)
        waiting = asyncio.create_task(cluster.get(slow))
        await cluster.clock.settle()

        assert await cluster.get(quick) is None
        assert not waiting.done()
        with pytest.raises(StorageUnavailableError):
            await cluster.wait(waiting, 0.5)


@pytest.mark.parametrize("callers", [1, 50])
async def test_a_frozen_node_is_left_alone_within_a_second(callers: int) -> None:
    """One caller after the other, or all at once: after the first time limit nobody waits for the node any more."""
    async with Cluster() as cluster:
        frozen = cluster.nodes["node-0"]
        key = cluster.keys_of(frozen)[0]
        frozen.hold(times=None)
        tasks = [asyncio.create_task(cluster.get(key)) for _ in range(callers)]
        await cluster.clock.advance(0.5)
        asked = len(frozen.calls)

        assert all(task.done() for task in tasks)
        assert all(isinstance(task.exception(), StorageUnavailableError) for task in tasks)
        with pytest.raises(StorageUnavailableError):
            await cluster.get(key)
        assert len(frozen.calls) == asked


async def test_a_node_that_answers_others_is_only_slow() -> None:
    """A call that takes too long counts as one failure where the node answered somebody meanwhile."""
    async with Cluster(failures=3) as cluster:
        node = cluster.nodes["node-0"]
        key = cluster.keys_of(node)[0]
        node.hold(times=1)
        slow = asyncio.create_task(cluster.get(key))
        await cluster.clock.advance(0.25)
        await cluster.get(key)
        await cluster.clock.advance(0.25)

        assert isinstance(slow.exception(), StorageUnavailableError)
        assert cluster.members(key)[0].is_in


async def test_a_node_that_flaps_is_switched_seldom() -> None:
    """A node that fails and works in turns of 200 ms for 10 s is let in a few times only, and nothing stale is read."""
    async with Cluster(replicas=2) as cluster:
        key = "k"
        node, member = cluster.owners(key)[0], cluster.members(key)[0]
        for turn in range(50):
            if turn % 2 == 0:
                node.fail(times=None)
            else:
                node.heal()
            await cluster.set(key, turn)
            assert await cluster.get(key) == turn
            await cluster.clock.advance(0.2)
            assert await cluster.get(key) == turn

        assert member.breaker.openings <= 6


# --- what a node missed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True])
async def test_what_a_node_missed_is_not_read_from_it(*, after: bool) -> None:
    """A node that was away while keys changed gives nothing of before, though all other nodes are away then."""
    async with Cluster(replicas=2) as cluster:
        keys = [f"k{each}" for each in range(50)]
        for key in keys:
            await cluster.set(key, "old")
        away = cluster.nodes["node-0"]
        away.fail(times=None, after=after)
        for key in keys[:20]:
            await cluster.set(key, "new")
        await cluster.storage.remove_multi(keys[20:40])
        assert cluster.storage._nodes.members["node-0"].missed
        away.heal()
        await cluster.clock.advance(5.0)
        for other in list(cluster.nodes.values())[1:]:
            other.fail(times=None)
        for key in keys:
            expected = {"new"} if key in keys[:20] else {None} if key in keys[20:40] else {"old"}
            try:
                assert await cluster.get(key) in expected
            except StorageUnavailableError:
                assert away not in cluster.owners(key)


async def test_a_node_that_comes_back_empty_gets_its_copies() -> None:
    """A node that lost everything has its copies again in a while, and is asked last until then."""
    async with Cluster(replicas=2) as cluster:
        keys = [f"k{each}" for each in range(500)]
        for key in keys:
            await cluster.storage.write(cluster.item(key, key, ttl=100.0))
        node = cluster.nodes["node-1"]
        node.fail(times=None)
        for _ in range(3):
            assert len(await cluster.storage.read_multi(keys)) == len(keys)
        await node.inner.clear()
        node.heal()
        await cluster.clock.advance(40.0)

        held = {key async for key in node.inner.scan()}
        assert held == {key for key in keys if node in cluster.owners(key)}
        item = await node.inner.read(next(iter(held)))
        assert item is not None
        assert item.expiration == pytest.approx(cluster.clock.time() + 60.0, abs=0.01)


async def test_more_than_can_be_remembered_clears_the_node() -> None:
    """A node that missed more changes than are kept in mind comes back empty."""
    async with Cluster(count=2) as cluster:
        node = cluster.nodes["node-0"]
        keys = cluster.keys_of(node, 3)
        await cluster.storage.write_multi([cluster.item(key, 1) for key in keys])
        node.fail(times=None)
        for _ in range(3):
            with pytest.raises(StorageUnavailableError):
                await cluster.get(keys[0])
        cluster.storage._nodes.members["node-0"].miss_many(f"x{each}" for each in range(10_001))
        node.heal()
        await cluster.clock.advance(5.0)

        assert await cluster.storage.read_multi(keys) == {}
        assert (await cluster.storage.layers())["node-0"].health == 1.0
        assert [await node.inner.read(key) for key in keys] == [None] * 3
        assert all(cluster.members(key)[0].may_answer(key) for key in keys)


async def test_a_clear_that_a_node_missed_is_made_up_for() -> None:
    """A node that did not clear is out until it has, while all others go on; with one copy the caller is told."""
    async with Cluster() as cluster:
        keys = [f"a{each}" for each in range(30)]
        await cluster.storage.write_multi([cluster.item(key, 1) for key in [*keys, "b"]])
        node = cluster.nodes["node-2"]
        node.fail(of=["clear"])
        with pytest.raises(StorageUnavailableError):
            await cluster.storage.clear("a")
        assert (await cluster.storage.layers())["node-2"].health == 0.0
        await cluster.clock.advance(5.0)

        assert await cluster.storage.read_multi(keys) == {}
        assert await cluster.get("b") == 1
        assert all(cluster.members(key)[0].may_answer(key) for key in keys)


async def test_a_single_failure_is_made_up_for_at_once() -> None:
    """With two copies a write that one node refused to answer reaches it soon, though the node was never left out."""
    async with Cluster(replicas=2) as cluster:
        await cluster.set("k", "old")
        second = cluster.owners("k")[1]
        second.fail(of=["write"], times=2)
        await cluster.set("k", "new")
        assert not cluster.members("k")[1].may_answer("k")
        await cluster.clock.advance(1.0)
        item = await second.inner.read("k")

        assert cluster.members("k")[1].may_answer("k")
        assert item is not None
        assert item.value == "new"


async def test_what_one_node_refuses_is_stored_nowhere() -> None:
    """Where one copy does not fit, the call raises, and the copy that was stored is taken back."""
    async with Cluster(replicas=2) as cluster:
        await cluster.set("k", "old")
        first, second = cluster.owners("k")
        second.fail(ValueTooLargeError("too large"), of=["write"])
        with pytest.raises(ValueTooLargeError):
            await cluster.set("k", "large")
        await cluster.clock.advance(1.0)

        assert await first.inner.read("k") is None or (await cluster.get("k")) == "old"
        assert await cluster.get("k") in ("old", None)


# --- decisions -------------------------------------------------------------------------------------------------------


async def test_conditions_counters_and_ends_are_decided_once_and_copied() -> None:
    """Both copies have what one node decided."""
    async with Cluster(replicas=2) as cluster:
        storage = cluster.storage
        assert await storage.write(cluster.item("k", 1), IF_ABSENT)
        assert not await storage.write(cluster.item("k", 2), IF_ABSENT)
        assert await storage.increment(cluster.item("k", 0), 4) == 5
        item = await storage.read("k")
        assert item is not None
        assert await storage.write(cluster.item("k", 6), if_version(item.version))
        assert not await storage.write(cluster.item("k", 7), if_version(item.version))
        assert await storage.touch(cluster.item("k", None, ttl=50.0))
        copies = [await node.inner.read("k") for node in cluster.owners("k")]
        assert [copy and (copy.value, copy.ttl) for copy in copies] == [(6, 50.0)] * 2
        assert await storage.expire("k")
        assert [copy and copy.is_stale for copy in [await node.inner.read("k") for node in cluster.owners("k")]] == [
            True,
            True,
        ]


async def test_a_copy_with_another_sum_is_put_right() -> None:
    """A counter whose copy got lost is copied anew by the next count."""
    async with Cluster(replicas=2) as cluster:
        for _ in range(3):
            await cluster.storage.increment(cluster.item("n", 0), 1)
        second = cluster.owners("n")[1]
        await second.inner.remove("n")
        assert await cluster.storage.increment(cluster.item("n", 0), 1) == 4
        item = await second.inner.read("n")

        assert item is not None
        assert item.value == 4


async def test_what_nobody_knows_is_raised() -> None:
    """A decision whose answer got lost is an error, in every mode, and the next one is made by a node that is sure."""
    async with Cluster(replicas=2, on_failure="miss") as cluster:
        await cluster.storage.increment(cluster.item("n", 0), 1)
        cluster.owners("n")[0].fail(of=["increment", "write", "read"], after=True)
        with pytest.raises(StorageUnavailableError):
            await cluster.storage.increment(cluster.item("n", 0), 1)

        assert await cluster.storage.increment(cluster.item("n", 0), 1) == 2


async def test_the_next_owner_decides_where_the_first_is_out() -> None:
    """Counting goes on where the first owner is out, from what it has counted."""
    async with Cluster(replicas=2) as cluster:
        assert await cluster.storage.increment(cluster.item("n", 0), 5) == 5
        cluster.owners("n")[0].fail(times=None)
        for _ in range(3):
            await cluster.get("n")

        assert await cluster.storage.increment(cluster.item("n", 0), 1) == 6


# --- all nodes are away ----------------------------------------------------------------------------------------------


async def test_all_down_is_an_error() -> None:
    """Where no node answers, every call says so, and none of them hangs."""
    async with Cluster(replicas=2) as cluster:
        for node in cluster.nodes.values():
            node.fail(times=None)
        calls: list[Call] = [
            lambda: cluster.get("k"),
            lambda: cluster.set("k", 1),
            lambda: cluster.storage.remove("k"),
            lambda: cluster.storage.read_multi(["k", "l"]),
            lambda: cluster.storage.write_multi([cluster.item("k", 1)]),
            lambda: cluster.storage.remove_multi(["k"]),
            lambda: cluster.storage.increment(cluster.item("k", 1), 1),
            cluster.storage.clear,
            cluster.storage.ping,
        ]
        for _ in range(4):
            for call in calls:
                with pytest.raises(StorageUnavailableError):
                    await call()


async def test_all_down_may_be_a_miss() -> None:
    """Told to degrade, a cache without nodes loads and forgets; what counts and compares raises all the same."""
    clock = FakeClock()
    nodes = [FaultyStorage(memory_storage()) for _ in range(3)]
    storage = DistributedStorage([Node(f"n{i}", node) for i, node in enumerate(nodes)], on_failure="miss")
    async with Provider(storage, clock=clock) as cache:
        await cache.set("k", "old")
        for node in nodes:
            node.fail(times=None)
        loads = 0

        async def load() -> str:
            nonlocal loads
            loads += 1
            return "loaded"

        for _ in range(5):
            assert await cache.get_or_set("k", load) == "loaded"
            await cache.set("k", "new")
            await cache.delete("k")
            assert await cache.get_multi(["k", "l"]) == {}
            with pytest.raises(StorageUnavailableError):
                await cache.increment("n")
        assert loads == 5
        assert (await cache.stats()).errors > 0
        for node in nodes:
            node.heal()
        await clock.advance(40.0)

        assert await cache.get("k") is None


async def test_opening_needs_one_node() -> None:
    """A storage opens while one node does, and lets the others in when they come; without any it says so."""
    cluster = Cluster(replicas=2)
    for node in cluster.nodes.values():
        node.fail(of=["open"])
    with pytest.raises(StorageUnavailableError):
        await cluster.storage.open()
    cluster.nodes["node-0"].fail(of=["open"])
    async with cluster:
        assert (await cluster.storage.layers())["node-0"].health == 0.0
        await cluster.set("k", 1)
        await cluster.clock.advance(5.0)

        assert (await cluster.storage.layers())["node-0"].health == 1.0
        assert await cluster.get("k") == 1


async def test_a_node_that_is_set_up_wrongly_is_not_left_out_silently() -> None:
    """An error of opening that says to mend something is raised as it is, though other nodes are there."""
    cluster = Cluster()
    cluster.nodes["node-1"].fail(MissingDependencyError("a package", "an extra"), of=["open"])
    with pytest.raises(MissingDependencyError):
        await cluster.storage.open()
    async with cluster:
        await cluster.set("k", 1)
        assert await cluster.get("k") == 1


# --- many keys -------------------------------------------------------------------------------------------------------


async def test_many_keys_are_one_call_a_node_and_name_what_failed() -> None:
    """Of a thousand keys with one node down those of the others are found, and the rest is named."""
    cluster = Cluster(count=4)
    async with Provider(cluster.storage, clock=cluster.clock) as cache:
        keys = [f"user:{each}" for each in range(1000)]
        space = cache.namespace("users")
        await space.set_multi(dict.fromkeys(keys, 1))
        down = cluster.nodes["node-3"]
        down.fail(times=None)
        for node in cluster.nodes.values():
            node.calls.clear()
        with pytest.raises(PartialFailureError) as caught:
            await space.get_multi(keys)

        assert caught.value.found == dict.fromkeys(set(keys) - caught.value.failed, 1)
        assert 150 < len(caught.value.failed) < 350
        assert caught.value.failed < set(keys)
        assert [node.calls for node in cluster.nodes.values()] == [["read_multi"]] * 4
        for call in (space.set_multi(dict.fromkeys(keys, 2)), space.delete_multi(keys)):
            with pytest.raises(PartialFailureError) as caught:
                await call
            assert caught.value.failed < set(keys)
        down.heal()


async def test_other_errors_of_many_keys_are_what_they_are() -> None:
    """An error that is no failure of a node is raised as it is, and not as a group of one."""
    async with Cluster() as cluster:
        cluster.nodes["node-1"].fail(ValueTooLargeError("too large"), of=["write_multi"])
        with pytest.raises(ValueTooLargeError):
            await cluster.storage.write_multi([cluster.item(f"k{each}", 1) for each in range(100)])


async def test_a_scan_with_nodes_down() -> None:
    """With two copies all keys are given, each once, while one node is out; with more out than that it raises."""
    async with Cluster(replicas=2) as cluster:
        keys = {f"k{each}" for each in range(300)}
        await cluster.storage.write_multi([cluster.item(key, 1) for key in keys])
        cluster.storage._nodes.members["node-0"].put_out()
        found = [key async for key in cluster.storage.scan()]
        assert len(found) == len(keys)
        assert set(found) == keys
        cluster.storage._nodes.members["node-1"].put_out()
        with pytest.raises(StorageUnavailableError):
            _ = [key async for key in cluster.storage.scan()]


# --- hot keys --------------------------------------------------------------------------------------------------------


async def test_a_hot_key_is_read_from_all_its_copies() -> None:
    """With `balance`, many readers of one key at once are spread over its nodes; without, all go to one."""
    for balance, nodes in ((None, 1), (1.25, 2)):
        async with Cluster(replicas=2, balance=balance) as cluster:
            await cluster.set("hot", 1)
            for node in cluster.nodes.values():
                node.calls.clear()
                node.hold(times=None, of=["read"])
            readers = [asyncio.create_task(cluster.get("hot")) for _ in range(100)]
            await cluster.clock.settle()
            counts = sorted(len(node.calls) for node in cluster.nodes.values() if node.calls)
            for node in cluster.nodes.values():
                node.heal()
            await asyncio.gather(*readers)

            assert len(counts) == nodes
            assert counts[0] >= 100 / nodes - 25


async def test_who_compares_reads_where_it_is_decided() -> None:
    """A version that came from another copy is refused once, and the next one comes from where it is decided."""
    async with Cluster(replicas=2, balance=1.01) as cluster:
        await cluster.set("k", 1)
        first, second = cluster.members("k")
        first.in_flight = 5
        item = await cluster.storage.read("k")
        assert item is not None
        assert second.inward(item.version) is not None
        assert not await cluster.storage.write(cluster.item("k", 2), if_version(item.version))
        item = await cluster.storage.read("k")
        first.in_flight = 0

        assert item is not None
        assert await cluster.storage.write(cluster.item("k", 2), if_version(item.version))


# --- cancellation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turns", range(12))
async def test_a_cancelled_change_is_made_everywhere_or_nowhere(turns: int) -> None:
    """Whenever a writer is cancelled, both copies agree in the end, and nothing is left waiting."""
    cluster = Cluster(replicas=2)
    for name, node in cluster.nodes.items():
        cluster.nodes[name] = FaultyStorage(node.inner, turns=True)
    cluster.storage = cluster.over(replicas=2)
    async with cluster:
        await cluster.set("k", "old")
        task = asyncio.create_task(cluster.set("k", "new"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await cluster.clock.settle()
        copies = [await node.inner.read("k") for node in cluster.owners("k")]

        assert len({copy and copy.value for copy in copies}) == 1
        assert len(cluster.storage._changes.locks) == 0
        assert await cluster.get("k") in ("old", "new")


async def test_a_change_whose_caller_leaves_reaches_the_slower_node() -> None:
    """Where one of two nodes has it already, the other one gets it, too, though nobody waits for that."""
    async with Cluster(replicas=2) as cluster:
        await cluster.set("k", "old")
        first, second = cluster.owners("k")
        gate = second.hold(of=["write"])
        task = asyncio.create_task(cluster.set("k", "new"))
        await gate.reached.wait()
        task.cancel()
        await asyncio.wait([task])
        gate.open()
        await cluster.clock.settle()
        copies = [await node.inner.read("k") for node in (first, second)]

        assert [copy and copy.value for copy in copies] == ["new", "new"]


async def test_closing_waits_for_changes_on_their_way() -> None:
    """A change whose caller has left is brought to its end before the nodes are closed."""
    cluster = Cluster(replicas=2)
    await cluster.storage.open()
    gates = [node.hold(of=["write"]) for node in cluster.owners("k")]
    task = asyncio.create_task(cluster.set("k", 1))
    for gate in gates:
        await gate.reached.wait()
    task.cancel()
    await asyncio.wait([task])
    closing = asyncio.create_task(cluster.storage.close())
    await cluster.clock.settle()
    assert not closing.done()
    for gate in gates:
        gate.open()
    await closing

    assert [node.calls[-1] for node in cluster.owners("k")] == ["close", "close"]


# --- what it is made of ----------------------------------------------------------------------------------------------


async def test_layers_tell_of_each_node() -> None:
    """Each node has its share, its items and its health in the statistics of the provider."""
    cluster = Cluster(count=4)
    async with Provider(cluster.storage, clock=cluster.clock) as cache:
        await cache.set_multi({f"k{each}": 1 for each in range(1000)})
        layers = (await cache.stats()).layers

        assert set(layers) == set(cluster.nodes)
        assert sum(layer.share for layer in layers.values()) == pytest.approx(1.0)
        assert sum(layer.items for layer in layers.values()) == 1000
        assert all(layer.health == 1.0 for layer in layers.values())


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"replicas": 4}, "replicas"),
        ({"replicas": 0}, "replicas"),
        ({"on_failure": "ignore"}, "on_failure"),
        ({"timeout": 0}, "timeout"),
        ({"failures": 0}, "failures"),
        ({"probe_after": float("inf")}, "probe_after"),
        ({"balance": 1.5}, "balance"),
        ({"balance": 1.0, "replicas": 2}, "balance"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(options: dict[str, Any], named: str) -> None:
    """Settings that make no sense are refused in words that name them."""
    with pytest.raises(InvalidArgumentError, match=named):
        Cluster(**options)


def test_nodes_are_storages_of_different_names() -> None:
    """Two nodes of one name, and a node that is no storage, are refused."""
    with pytest.raises(InvalidArgumentError, match="different names"):
        DistributedStorage([Node("a", memory_storage()), Node("a", memory_storage())])
    with pytest.raises(InvalidArgumentError, match="Storage"):
        DistributedStorage([Node("a", "redis://localhost")])
