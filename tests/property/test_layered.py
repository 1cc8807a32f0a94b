"""A layered storage against a dict, while the lowest layer comes and goes, and time passes.

The model is what the process has said: a change that was not refused is true from then on, whether or not the lowest
layer was there. Once that is back, it says the same.
"""

import asyncio
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from aiocache_kit import StorageUnavailableError
from aiocache_kit.item import Item
from aiocache_kit.storage.base import IF_ABSENT, IF_PRESENT, Storage, if_version
from aiocache_kit.storage.layered import Layer, LayeredStorage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock, FaultyStorage

KEYS = st.sampled_from(["a", "b", "b:c", "d"])
TTLS = st.sampled_from([None, 1.0, 7.0, 100.0])
VALUES = st.integers(0, 99)


class Model(RuleBasedStateMachine):
    """One process, one store that may be away."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = FakeClock()
        self.lowest = FaultyStorage(memory_storage())
        self.is_away = False
        self.model: dict[str, tuple[int, float]] = {}
        self.store: Storage = LayeredStorage(
            [
                Layer(memory_storage(max_entries=2), "near", 5.0),
                Layer(FaultyStorage(memory_storage()), "middle", 20.0),
                Layer(self.lowest, "lowest"),
            ],
            failures=1,
            probe_after=0.2,
        )
        self.store.clock = self.clock
        self.run(self.store.open())

    def run(self, call: Any) -> Any:  # noqa: ANN401  - of any call
        return self.runner.run(call)

    def teardown(self) -> None:
        self.lowest.heal()
        self.run(self.store.close())
        self.runner.close()

    # --- what the model says -----------------------------------------------------------------------------------------

    def truth(self, key: str) -> int | None:
        value, end = self.model.get(key, (0, 0.0))
        return value if key in self.model and self.clock.monotonic() < end else None

    def item(self, key: str, value: int, ttl: float | None) -> Item[Any]:
        now = self.clock.time()
        return Item(key=key, value=value, ttl=ttl, expiration=None if ttl is None else now + ttl, created_at=now)

    def note(self, key: str, value: int, ttl: float | None) -> None:
        self.model[key] = (value, float("inf") if ttl is None else self.clock.monotonic() + ttl)

    def decided(self, call: Any) -> Any:  # noqa: ANN401  - what it gives
        """Make a call that the lowest layer decides; None where it was refused because that is away."""
        try:
            return self.run(call)
        except StorageUnavailableError:
            return None

    # --- what happens ------------------------------------------------------------------------------------------------

    @precondition(lambda self: not self.is_away)
    @rule()
    def go_away(self) -> None:
        self.lowest.fail(times=None)
        self.is_away = True

    @precondition(lambda self: self.is_away)
    @rule()
    def come_back(self) -> None:
        self.lowest.heal()
        self.is_away = False

    @rule(seconds=st.sampled_from([0.05, 0.5, 2.0, 10.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.run(self.clock.advance(seconds))

    @rule(key=KEYS, value=VALUES, ttl=TTLS)
    def write(self, key: str, value: int, ttl: float | None) -> None:
        assert self.run(self.store.write(self.item(key, value, ttl)))
        self.note(key, value, ttl)

    @rule(values=st.dictionaries(KEYS, VALUES, max_size=3), ttl=TTLS)
    def write_multi(self, values: dict[str, int], ttl: float | None) -> None:
        self.run(self.store.write_multi([self.item(key, value, ttl) for key, value in values.items()]))
        for key, value in values.items():
            self.note(key, value, ttl)

    @rule(key=KEYS)
    def remove(self, key: str) -> None:
        self.run(self.store.remove(key))
        self.model.pop(key, None)

    @rule(keys=st.lists(KEYS, max_size=3))
    def remove_multi(self, keys: list[str]) -> None:
        self.run(self.store.remove_multi(keys))
        for key in keys:
            self.model.pop(key, None)

    @rule(prefix=st.sampled_from(["", "b", "a"]))
    def clear(self, prefix: str) -> None:
        self.run(self.store.clear(prefix))
        self.model = {key: kept for key, kept in self.model.items() if not key.startswith(prefix)}

    @rule(key=KEYS, value=VALUES, absent=st.booleans())
    def write_if(self, key: str, value: int, *, absent: bool) -> None:
        done = self.decided(self.store.write(self.item(key, value, None), IF_ABSENT if absent else IF_PRESENT))
        if done is not None:
            assert done is ((self.truth(key) is None) is absent)
        if done:
            self.note(key, value, None)

    @rule(key=KEYS, value=VALUES)
    def write_over_what_was_read(self, key: str, value: int) -> None:
        item = self.run(self.store.read(key))
        if item is None or not item.version:
            return
        done = self.decided(self.store.write(self.item(key, value, None), if_version(item.version)))
        if done:
            assert self.truth(key) is not None
            self.note(key, value, None)
        elif done is False:
            assert self.truth(key) is None, "nobody else writes"

    @rule(key=KEYS, delta=st.integers(-3, 3))
    def count(self, key: str, delta: int) -> None:
        total = self.decided(self.store.increment(self.item(key, 10, None), delta))
        if total is not None:
            before = self.truth(key)
            assert total == (10 if before is None else before) + delta
            if before is None:
                self.note(key, total, None)
            else:
                self.model[key] = (total, self.model[key][1])

    @rule(key=KEYS)
    def expire(self, key: str) -> None:
        done = self.decided(self.store.expire(key))
        if done is not None:
            assert done is (self.truth(key) is not None)
            self.model.pop(key, None)

    # --- what must hold ----------------------------------------------------------------------------------------------

    @invariant()
    def reads_say_the_truth_or_nothing(self) -> None:
        """What is read is what was said last; a miss is allowed only while the store is away, or has just been."""
        for key in ("a", "b", "b:c", "d"):
            item = self.run(self.store.read(key))
            found = None if item is None or item.is_stale else item.value
            if found is not None:
                assert found == self.truth(key), key
            elif not self.is_away and self.run(self.health()) == 1.0:
                assert self.truth(key) is None, key

    @invariant()
    def together_as_one_by_one(self) -> None:
        """Reading many at once gives nothing else."""
        keys = ["a", "b", "b:c", "d"]
        for key, item in self.run(self.store.read_multi(keys)).items():
            if not item.is_stale:
                assert item.value == self.truth(key)

    async def health(self) -> float:
        return (await self.store.layers())["lowest"].health


def test_a_hierarchy_is_a_dict() -> None:
    """Whatever is done, and whenever the lowest layer goes and comes, reads say what was said last, or nothing."""
    run_state_machine_as_test(Model, settings=settings(max_examples=40, stateful_step_count=30))
