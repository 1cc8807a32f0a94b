from collections.abc import Generator
from contextlib import contextmanager

from aiocache_kit.events import CircuitState, RemovalCause
from aiocache_kit.item import Item
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.storage.observer import Observer
from aiocache_kit.testing import FaultyStorage


class Log:
    """Notes the calls that are watched."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str, int]] = []

    @contextmanager
    def span(self, layer: str, storage: str, operation: str, items: int) -> Generator[None]:
        self.calls.append((layer, storage, operation, items))
        yield


def item(key: str) -> Item[object]:
    return Item(key=key, value=1)


async def test_calls_are_watched_for_as_long_as_somebody_wants_to() -> None:
    """Each call is told with what it is about, once, whoever watched before, and no more afterwards."""
    storage, log = FaultyStorage(memory_storage()), Log()
    storage.observe(Observer(span=log.span))
    storage.observe(Observer(span=log.span, layer="near").part("in it"))
    await storage.write(item("a"))
    await storage.read("a")
    await storage.read_multi(["a", "b"])
    await storage.write_multi(item(key) for key in "ab")
    storage.observe(Observer())
    await storage.read("a")

    assert log.calls == [
        ("near/in it", "memory", "write", 1),
        ("near/in it", "memory", "read", 1),
        ("near/in it", "memory", "read_multi", 2),
        ("near/in it", "memory", "write_multi", 0),
    ]


async def test_methods_of_one_object_stay() -> None:
    """What somebody has put in the place of a method is watched as well, and is there afterwards."""
    storage, log = FaultyStorage(memory_storage()), Log()

    async def read(key: str) -> Item[object] | None:
        return item(key)

    storage.read = read  # type: ignore[method-assign]  # that is the test
    storage.observe(Observer())
    assert storage.read is read
    storage.observe(Observer(span=log.span))
    assert await storage.read("k") == item("k")
    storage.observe(Observer())

    assert storage.read is read
    assert len(log.calls) == 1


def test_nobody_hears_what_nobody_wants_to() -> None:
    """An observer without ears takes what it is told."""
    observer = Observer()
    observer.circuit(CircuitState.OPEN)
    observer.removed("k", RemovalCause.EVICTED)

    assert observer.part("a").layer == "a"
