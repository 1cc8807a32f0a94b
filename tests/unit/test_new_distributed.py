"""From configurations and addresses to one provider over several storages."""

from pathlib import Path

import pytest

from aiocache_kit import Config, FileConfig, Node, Provider, new_distributed, new_storage
from aiocache_kit.errors import ConfigError, InvalidArgumentError
from aiocache_kit.storage.distributed import DistributedStorage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock


def nodes(provider: Provider) -> dict[str, float]:
    """Give the nodes of a provider, with their weights."""
    storage = provider._core.storage
    assert isinstance(storage, DistributedStorage)
    return dict(storage._nodes.ring.weights)


async def test_nodes_may_be_storages_configurations_and_urls(tmp_path: Path) -> None:
    """All kinds of nodes work together, under the names that they were given or that their places have."""
    file = Config(provider="file", file_config=FileConfig(dir=tmp_path))
    async with new_distributed(
        Node("a", memory_storage(), 2.0), Node("b", "memory://"), Node("c", Config()), file, clock=FakeClock()
    ) as cache:
        await cache.set_multi({f"k{each}": each for each in range(100)})

        assert await cache.get_multi([f"k{each}" for each in range(100)]) == {f"k{each}": each for each in range(100)}
        assert nodes(cache) == {"a": 2.0, "b": 1.0, "c": 1.0, str(tmp_path): 1.0}
        assert all(layer.items for layer in (await cache.stats()).layers.values())


async def test_addresses_are_names_without_secrets() -> None:
    """A server that has no name is named by its address and database, and never by its user or password."""
    cache = new_distributed("redis://me:secret@one:6379/0", "redis://two:6380/3", replicas=2, on_failure="miss")

    assert set(nodes(cache)) == {"one:6379/0", "two:6380/3"}
    await cache.close()


async def test_a_node_never_degrades_by_itself() -> None:
    """A node whose configuration would answer a failure by a miss raises all the same, so that others are asked."""
    cache = new_distributed("redis://one?on_unavailable=miss")
    storage = cache._core.storage
    assert isinstance(storage, DistributedStorage)
    (member,) = storage._nodes.members.values()

    assert not vars(member.storage)["_degrades"]
    await cache.close()


def test_what_is_no_node_is_refused() -> None:
    """What is neither a node nor a place, two places of one name, and a place without an address are refused."""
    with pytest.raises(InvalidArgumentError, match="a Node, a Config or a URL"):
        new_distributed(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # wrong on purpose
    with pytest.raises(InvalidArgumentError, match="different names"):
        new_distributed("redis://one", "redis://one")
    with pytest.raises(InvalidArgumentError, match="no address"):
        new_distributed("memory://")
    with pytest.raises(InvalidArgumentError, match="nodes must be"):
        new_distributed()
    with pytest.raises(ConfigError):
        new_distributed("nowhere://")


def test_a_storage_alone() -> None:
    """`new_storage` gives the storage that a provider would have."""
    assert new_storage("memory://").name == new_storage(Config()).name == "memory"
