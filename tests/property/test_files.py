"""Any sequence of calls of a provider over files agrees with a dict, also when it is closed and begun anew between."""

import functools
import shutil
import tempfile
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from aiocache_kit import Provider
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.pickle import PickleSerializer
from aiocache_kit.serializers.signing import Signing
from aiocache_kit.storage.file import FileStorage, SharedFileStorage, file_storage
from aiocache_kit.storage.file.directory import SUBDIRECTORIES
from tests.property.table_invariants import check_invariants
from tests.property.test_provider import Calls, Shape, examples

pytestmark = pytest.mark.blocking  # the machine makes and removes directories between its calls
SHAPES: dict[str, dict[str, Any]] = {
    "owner": {},
    "owner, gathering": {"gathers": True},
    "owner, 4 entries": {"max_entries": 4},
    "owner, gathering, 2000 bytes": {"gathers": True, "max_size": 2000},
    "shared": {"shared": True},
}


def make(options: dict[str, Any], path: str = "") -> FileStorage | SharedFileStorage:
    """Make a storage in `path`, or in a new directory."""
    codec = Codec(PickleSerializer(), seal=Signing([bytes(range(32))]))
    return file_storage(path or tempfile.mkdtemp(), codec, janitor_interval=5.0, **options)


class FileCalls(Calls):
    """Calls a provider over files, which is begun anew now and then."""

    options: ClassVar[dict[str, Any]]

    @property
    def path(self) -> str:
        """Where the files are."""
        assert isinstance(self.storage, FileStorage | SharedFileStorage)
        return self.storage.files.directory.path

    @invariant()
    def tables_are_in_order(self) -> None:
        """The index agrees with the files, no bound is exceeded, and the model forgets what was evicted."""
        storage = self.storage
        if not isinstance(storage, FileStorage) or not storage._is_open:
            return
        self.run(self.settle())
        tables = storage._keeper.tables
        for table in tables:
            check_invariants(table, self.clock.monotonic(), policy=True)
        there = {key for table in tables for key in table.index}
        named = {storage.files.digest(key) for key in there}
        found = {digest for number in range(SUBDIRECTORIES) for _, digest in storage.files.listed(number)}
        assert found == named or storage._keeper.gathers
        for space, key in list(self.model):
            if self.shape.evicts and self.caches[space]._names.key(key) not in there:
                self.drop(space, key)

    async def settle(self) -> None:
        """Wait until all is known, and nothing is with the thread."""
        await self.storage.size()
        if isinstance(self.storage, FileStorage):
            await self.storage.idle()

    @rule()
    def begin_anew(self) -> None:
        """Close, and go on with another provider in the same directory."""
        self.run(self.cache.close())
        self.storage = make(self.options, self.path)
        self.cache = Provider(self.storage, clock=self.clock)
        inner = self.cache.namespace("a")
        self.caches = {(): self.cache, ("a",): inner, ("a", "@"): inner.namespace("@")}

    def set_the_wall_clock(self, jump: float) -> None:
        """Do not: the wall clock is what files are dated by."""

    def teardown(self) -> None:
        """Close, and remove the directory."""
        super().teardown()
        shutil.rmtree(self.path)


@pytest.mark.parametrize("name", SHAPES)
def test_any_sequence_of_calls_agrees_with_a_dict(name: str) -> None:
    """Whatever is called in whatever order, what is given is what a dict with ends and tags would give."""

    class Shaped(FileCalls):
        options = SHAPES[name]
        shape = Shape(functools.partial(make, SHAPES[name]), evicts="entries" in name or "bytes" in name)

    run_state_machine_as_test(Shaped, settings=settings(max_examples=examples(evicts=True)))
