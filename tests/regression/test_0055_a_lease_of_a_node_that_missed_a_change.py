"""A node that had missed the removal of a key, and that alone was in, gave what was removed to who asked to load."""

from pathlib import Path

from aiocache_kit import Config, FileConfig, new_storage
from aiocache_kit.item import Item
from aiocache_kit.storage.base import ELSEWHERE, Storage
from aiocache_kit.storage.distributed import DistributedStorage, Node


def node(path: Path, name: str) -> Node:
    storage = new_storage(Config(provider="file", file_config=FileConfig(dir=path / name, shared=True)))
    assert isinstance(storage, Storage)
    return Node(name, storage)


async def test_what_a_node_missed_is_no_answer_to_who_would_load(tmp_path: Path) -> None:
    """As long as a node has not made up for a change of a key, whoever would load it has to ask again."""
    storage = DistributedStorage([node(tmp_path, "one"), node(tmp_path, "two")], replicas=2)
    await storage.open()
    try:
        assert storage.leases is not None
        await storage.write(Item(key="key", value="removed long ago", ttl=60.0))
        for member in storage._nodes.members.values():
            member.missed.note_keys(["key"])

        assert (await storage.leases.take(["key"]))["key"] is ELSEWHERE
        assert (await storage.leases.take(["other"]))["other"].lease
    finally:
        await storage.close()
