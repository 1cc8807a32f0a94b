"""What must be in order in each kind of storage once no call is under way: nothing is held, and its parts agree.

Rule 1: `held` looks and changes nothing: it may be asked again until what still goes over a network has ended.
Rule 2: `agrees` reads every place where a value lies: copies say what the truth says, or nothing.
Rule 3: `opened` is what only closing lets go of: tasks, files, threads and connections.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.distributed import DistributedStorage
from aiocache_kit.storage.file.files import NAMES
from aiocache_kit.storage.file.hand import NAME
from aiocache_kit.storage.file.index import size_in
from aiocache_kit.storage.file.shared import SharedFileStorage
from aiocache_kit.storage.file.shared_files import LEASE, LOCK
from aiocache_kit.storage.file.storage import FileStorage
from aiocache_kit.storage.layered import LayeredStorage
from aiocache_kit.storage.redis.cluster import Cluster
from aiocache_kit.storage.redis.kept_reads import Side
from aiocache_kit.storage.redis.link import Link
from aiocache_kit.storage.redis.pool import Pool
from aiocache_kit.storage.redis.storage import RedisStorage
from aiocache_kit.storage.tables import TableStorage
from aiocache_kit.testing import FaultyStorage

DESCRIPTORS: Final = Path("/proc/self/fd")


def parts_of(storage: Storage) -> list[Storage]:
    """Give the storages that a storage is made of, the lowest last."""
    if isinstance(storage, FaultyStorage):
        return [storage.inner]
    if isinstance(storage, LayeredStorage):
        return [*(near.storage for near in storage._copies.nears), storage._lowest.storage]
    if isinstance(storage, DistributedStorage):
        return [member.storage for member in storage._nodes.members.values()]
    return []


def all_of(storage: Storage) -> Iterator[Storage]:
    """Give a storage and all that it is made of."""
    yield storage
    for part in parts_of(storage):
        yield from all_of(part)


def held(storage: Storage) -> dict[str, object]:
    """Give what is held, waits or is under way anywhere in a storage, by name; nothing: it is in order."""
    found: dict[str, object] = {}
    for each in all_of(storage):
        found |= {f"{each.name}: {name}": what for name, what in _held(each).items() if what}
    return found


def _held(storage: Storage) -> dict[str, Any]:
    for kind, look in _LOOKS.items():
        if isinstance(storage, kind):
            return look(storage)
    return {}


def _held_by_tables(storage: Any) -> dict[str, Any]:  # noqa: ANN401  - as `_LOOKS` has it; so below
    return {"busy": any(table.busy and not table.closed for table in storage.tables)}


def _held_by_layers(storage: Any) -> dict[str, Any]:  # noqa: ANN401  - see above
    return {
        "errands": storage._errands._tasks,
        "traffic": len(storage._copies.traffic),
        "pending": len(storage._lowest.pending),
        "opening": storage._lowest._opening.locked(),
    }


def _held_by_nodes(storage: Any) -> dict[str, Any]:  # noqa: ANN401  - see above
    members = storage._nodes.members.values()
    return {
        "errands": storage._errands._tasks,
        "locks": len(storage._changes.locks),
        "turn": storage._moves._turn.locked(),
        "in flight": [member.name for member in members if member.in_flight],
        "deadlines": [member.name for member in members if member.patience._deadlines],
        "missed": [member.name for member in members if member.missed],
    }


def _held_by_redis(storage: Any) -> dict[str, Any]:  # noqa: ANN401  - see above
    return {"dropping": storage._leases._dropping, **_held_by(storage._channel)}


def _held_by_files(storage: Any) -> dict[str, Any]:  # noqa: ANN401  - see above
    """Compare index and files: each entry has its file, of its size, and each file its entry."""
    keeper = storage._keeper
    if storage.is_busy or not storage._is_open:
        return {"lane": storage.is_busy}
    expected = {
        f"{NAMES[place[0]]}/{keeper.files.prefix}{place[1]}": size_in(table.values[slot])
        for table in keeper.tables
        for key, slot in table.index.items()
        for place in [keeper.files.place(key)]
        if key not in keeper.jobs  # it was gathered, and has no file yet
    }
    stuck = {f"{NAMES[place[0]]}/{keeper.files.prefix}{place[1]}" for place in keeper.stuck.values()}
    there = {name: size for name, size in _files(keeper.files.directory.path) if name not in stuck - expected.keys()}
    waiting = keeper.jobs.keys() - keeper._gathered.keys()
    return {
        "jobs": waiting,
        "not as in the index": {} if keeper.gathers else expected.items() ^ there.items(),
        "aside": _aside(keeper.files.directory.path),
        "wait for the index": storage._loading._waiting,
    }


def _held_by_shared_files(storage: Any) -> dict[str, Any]:  # noqa: ANN401  - see above
    files = storage.files
    if storage.is_busy or not storage._is_open:
        return {"lane": storage.is_busy}
    names = [name for name, _ in _files(files.directory.path)]
    items = [name for name in names if not name.endswith((LEASE, LOCK))]
    return {
        "claims": [name for name in names if name.endswith((LEASE, LOCK))],
        "aside": _aside(files.directory.path),
        "torn": [name for name in items if files.look((int(name[:2], 16), name[3 + len(files.prefix) :])) is None],
    }


def _files(path: str) -> Iterator[tuple[str, int]]:
    for name in NAMES:
        for file in Path(path, name).glob("*"):
            yield f"{name}/{file.name}", file.stat().st_size


def _aside(path: str) -> list[str]:
    return [file.name for file in Path(path, "aside").glob("*")]


def _held_by(channel: object) -> dict[str, Any]:
    if isinstance(channel, Side):
        return _held_by(channel.channel)
    if isinstance(channel, Link):
        lanes = (channel._small, channel._large)
        return {
            "replies": [lane.wire.under_way for lane in lanes if lane.wire is not None and lane.wire.under_way],
            "waiting": [waiter for lane in lanes for waiter in lane.waiting],
            "dialling": [lane.dialling for lane in lanes if lane.dialling is not None and not lane.dialling.done()],
        }
    if isinstance(channel, Pool):
        its: Any = channel._connections
        return {
            "visits": channel._visits,
            "places": channel._size - channel._free._value,
            "taken": [] if its is None else list(its._in_use_connections),
        }
    assert isinstance(channel, Cluster)
    found: dict[str, Any] = {}
    for node in channel._topology._nodes.values():
        found |= {name: what for name, what in _held_by(node.channel).items() if what}
    return found


_LOOKS: Final[dict[type[Storage], Callable[[Any], dict[str, Any]]]] = {
    TableStorage: _held_by_tables,
    FileStorage: _held_by_files,
    SharedFileStorage: _held_by_shared_files,
    LayeredStorage: _held_by_layers,
    DistributedStorage: _held_by_nodes,
    RedisStorage: _held_by_redis,
}


async def agrees(storage: Storage, keys: Iterable[str]) -> None:
    """Assert that all places that have an item under one of `keys` have the same value."""
    for key in keys:
        if isinstance(storage, FaultyStorage):
            await agrees(storage.inner, [key])
        elif isinstance(storage, LayeredStorage):
            given, latest = await storage.read(key), await storage.read_latest(key)
            assert _value(given) == _value(latest), f"a copy of {key} is not what the lowest layer has"
            await agrees(storage._lowest.storage, [key])
        elif isinstance(storage, DistributedStorage):
            owners = storage._nodes.owners(key)
            values = [_value(await owner.storage.read(key)) for owner in owners if owner.is_in]
            assert all(value == values[0] for value in values), f"copies of {key} differ: {values}"


def _value(item: Any) -> object:  # noqa: ANN401  - an item, or none
    return None if item is None or item.is_stale else item.value


def opened() -> set[str]:
    """Give the descriptors of this process, and the threads that work on files."""
    threads = {f"thread {thread.ident}" for thread in threading.enumerate() if thread.name == NAME}
    return threads.union(os.listdir(DESCRIPTORS))  # noqa: PTH208  - as short as can be


def name_of(descriptor: str) -> str:
    """Tell what a descriptor is of."""
    with suppress(OSError):
        return str(Path(DESCRIPTORS, descriptor).readlink())
    return descriptor


def is_shut(storage: Storage) -> bool:
    """Whether all tables that a storage is made of were closed, each for good."""
    return all(table.closed for each in all_of(storage) if isinstance(each, TableStorage) for table in each.tables)
