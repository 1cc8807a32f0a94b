"""Three processes with copies over one store, whose ways to it and to one another come and go: in the end they agree.

Once everything is in order again, and the time of a few heartbeats has passed, nothing waits, and each process gives
what the store has. Where one process alone made changes, that is what it made last; an item with tags may be gone.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from aiocache_kit import Provider, StorageUnavailableError
from tests.unit.storage.layered.processes import Processes

NAMES: Final = ("a", "b", "b:c")
KEYS: Final = st.sampled_from(NAMES)
SOME_KEYS: Final = st.lists(KEYS, min_size=1, unique=True)
VALUES: Final = st.integers(0, 99)
TAGS: Final = st.sampled_from([(), ("t",)])
WHO: Final = st.integers(0, 2)
CALLS: Final = ("read", "write", "remove", "clear", "tags.invalidate")
CHANGES: Final = st.one_of(
    st.tuples(st.just("write"), KEYS, VALUES, TAGS),
    st.tuples(st.just("write_multi"), st.dictionaries(KEYS, VALUES, min_size=2), TAGS),
    st.tuples(st.just("remove"), SOME_KEYS),
    st.tuples(st.just("clear"), st.sampled_from(["", "b", "a"])),
    st.tuples(st.just("invalidate")),
    st.tuples(st.just("count"), KEYS, st.integers(-3, 3)),
    st.tuples(st.just("add"), KEYS, VALUES),
    st.tuples(st.just("expire"), KEYS),
)
"""The methods of `Model` that change something, with what they are given after `who`."""


class Model(RuleBasedStateMachine):
    """What happens to them."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.shared = Processes()
        self.processes = [self.run(self.shared.join(failures=failures)) for failures in (1, 3, 1)]
        self.begin()

    def begin(self) -> None:
        """Begin with an item of each key, of which each process has a copy, and nobody who has changed one."""
        cache = self.processes[0].cache
        self.run(cache.set_multi({"a": 0, "b": 0}))
        self.run(cache.set("b:c", 0, tags=("t",)))
        self.let_time_pass(0.125)
        for who in range(3):
            self.read(who, list(NAMES))
        self.truth: dict[str, int | None] = dict.fromkeys(NAMES, 0)
        self.loose = {"b:c"}
        """Keys of items that had tags, and those of which nobody knows whether a change was made."""
        self.authors: set[int] = set()

    def run(self, call: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401  - of any call
        return self.runner.run(call)

    def stored(self, key: str) -> object:
        item = self.run(self.shared.store.read(key))
        return None if item is None or item.is_stale else item.value

    def teardown(self) -> None:
        try:
            self.be_in_order_again()
        finally:
            self.run(self.shared.close())
            self.runner.close()

    # --- ways --------------------------------------------------------------------------------------------------------

    @rule(who=WHO, changes=st.lists(CHANGES, min_size=1, max_size=4), seconds=st.sampled_from([0.125, 1.0, 3.0]))
    def change_while_the_store_is_away(self, who: int, changes: list[tuple[Any, ...]], seconds: float) -> None:
        """The others read between any two changes."""
        self.processes[who].way.fail(times=None)
        for change in changes:
            self.change(who, change)
            for other in range(3):
                self.read(other, list(NAMES))
            self.let_time_pass(seconds)
        self.processes[who].way.heal()

    @rule(who=WHO, at=st.integers(1, 3), after=st.booleans(), of=st.sampled_from(CALLS))
    def stumble(self, who: int, at: int, of: str, *, after: bool) -> None:
        self.processes[who].way.fail(at=at, of=[of], after=after)

    @rule(who=WHO)
    def hear_nothing(self, who: int) -> None:
        self.processes[who].end.cut()

    @rule(who=WHO, resume=st.booleans())
    def hear_again(self, who: int, *, resume: bool) -> None:
        self.processes[who].end.mend(resume=resume)

    @rule(seconds=st.sampled_from([0.05, 0.125, 0.5, 3.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.run(self.shared.clock.advance(seconds))

    # --- what they do ------------------------------------------------------------------------------------------------

    @rule(who=WHO, keys=SOME_KEYS)
    def read(self, who: int, keys: list[str]) -> None:
        self.run(self.processes[who].cache.get_multi(keys))

    @rule(who=WHO, change=CHANGES)
    def change(self, who: int, change: tuple[Any, ...]) -> None:
        name, *given = change
        self.authors.add(who)
        getattr(self, name)(self.processes[who].cache, *given)

    def note(self, key: str, value: int | None, tags: tuple[str, ...] = ()) -> None:
        self.truth[key] = value
        (self.loose.add if tags else self.loose.discard)(key)

    def write(self, cache: Provider, key: str, value: int, tags: tuple[str, ...]) -> None:
        self.run(cache.set(key, value, tags=tags))
        self.note(key, value, tags)

    def write_multi(self, cache: Provider, values: dict[str, int], tags: tuple[str, ...]) -> None:
        self.run(cache.set_multi(values, tags=tags))
        for key, value in values.items():
            self.note(key, value, tags)

    def remove(self, cache: Provider, keys: list[str]) -> None:
        self.run(cache.delete_multi(keys) if len(keys) > 1 else cache.delete(keys[0]))
        for key in keys:
            self.note(key, None)

    def clear(self, cache: Provider, prefix: str) -> None:
        self.run(cache.invalidate_prefix(prefix) if prefix else cache.clear())
        for key in NAMES:
            if key.startswith(prefix):
                self.note(key, None)

    def invalidate(self, cache: Provider) -> None:
        self.run(cache.invalidate_tags("t"))

    def count(self, cache: Provider, key: str, delta: int) -> None:
        total = self.decided(key, cache.increment(key, delta))
        if total is not None:
            self.truth[key] = total

    def add(self, cache: Provider, key: str, value: int) -> None:
        if self.decided(key, cache.add(key, value)):
            self.note(key, value)

    def expire(self, cache: Provider, key: str) -> None:
        if self.decided(key, cache.expire(key)):
            self.truth[key] = None

    def decided(self, key: str, call: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401  - what it gives
        """Make a call that the store decides; None where nobody knows whether it was done."""
        try:
            return self.run(call)
        except StorageUnavailableError:
            self.loose.add(key)
            return None

    # --- what must hold ----------------------------------------------------------------------------------------------

    @rule()
    def be_in_order_again(self) -> None:
        """Let everything come back, and look whether all agree."""
        for process in self.processes:
            process.way.heal()
            process.end.mend()
        self.let_time_pass(8.0)
        for process in self.processes:
            assert not self.run(process.waits())
        for key in NAMES:
            stored = self.stored(key)
            assert [self.run(process.cache.get(key)) for process in self.processes] == [stored] * 3, key
            if len(self.authors) < 2 and key not in self.loose:
                assert stored == self.truth[key], key
        self.begin()


def test_processes_agree_in_the_end() -> None:
    """Whatever they do while ways are cut, and whenever answers are lost."""
    run_state_machine_as_test(Model, settings=settings(max_examples=30, stateful_step_count=20, deadline=None))
