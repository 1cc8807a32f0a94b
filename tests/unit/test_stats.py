import dataclasses
import json
from types import MappingProxyType
from typing import Any

import pytest

from aiocache_kit.stats import LOAD_BOUNDS, Stats

STATES = {"size", "items", "counted", "waiting_loads", "layers", "share", "health", "load_buckets"}
COUNTERS = [field.name for field in dataclasses.fields(Stats) if field.name not in STATES]


def test_nothing_has_happened_at_first() -> None:
    """Before the first call all figures are zero, the derived ones included: no division by zero."""
    stats = Stats()

    assert {getattr(stats, name) for name in [*COUNTERS, "size", "items", "waiting_loads"]} == {0}
    assert (stats.hit_rate, stats.average_load_time, stats.average_get_time) == (0.0, 0.0, 0.0)
    assert dict(stats.layers) == {}


def test_loads_are_counted_by_how_long_they_took() -> None:
    """A count for each bound, and one for all that took longer; a difference has those in between."""
    none, one = [0] * (len(LOAD_BOUNDS) + 1), [0] * len(LOAD_BOUNDS) + [1]

    assert list(Stats().load_buckets) == none
    assert list((Stats(load_buckets=tuple(one)) - Stats()).load_buckets) == one
    assert Stats(load_buckets=tuple(one)).as_dict()["load_buckets"] == {
        **{str(each): 0 for each in LOAD_BOUNDS},
        "inf": 1,
    }


def test_derived_figures() -> None:
    """Rates and means are of what they say they are of."""
    stats = Stats(hits=3, misses=1, loads=4, load_time=2.0, timed_gets=5, get_time=1.0)

    assert stats.hit_rate == 0.75
    assert stats.average_load_time == 0.5
    assert stats.average_get_time == 0.2


@pytest.mark.parametrize("name", COUNTERS)
def test_counters_are_subtracted(name: str) -> None:
    """A difference holds what was counted in between, whichever counter it is."""
    seven: dict[str, Any] = {name: 7}
    five: dict[str, Any] = {name: 5}
    later, earlier = Stats(**seven), Stats(**five)

    assert getattr(later - earlier, name) == 2


def test_a_difference_keeps_states_and_gives_right_means() -> None:
    """What is held and what waits are those of the newer reading, and a mean is that of the time in between."""
    earlier = Stats(size=100, items=10, loads=10, load_time=100.0, hits=9, misses=1, waiting_loads=7)
    later = Stats(size=50, items=5, loads=12, load_time=101.0, hits=9, misses=5, waiting_loads=2, counted=False)
    change = later - earlier

    assert (change.size, change.items, change.waiting_loads, change.counted) == (50, 5, 2, False)
    assert change.average_load_time == 0.5
    assert change.hit_rate == 0.0


def test_layers_are_subtracted_by_name() -> None:
    """Each part is compared with itself; one that was not there before counts in full, one that is gone is gone."""
    earlier = Stats(layers={"memory": Stats(hits=1), "gone": Stats(hits=5)})
    later = Stats(hits=9, layers={"memory": Stats(hits=4, items=2), "new": Stats(hits=2)})
    change = later - earlier

    assert change.layers == {"memory": Stats(hits=3, items=2), "new": Stats(hits=2)}
    assert isinstance(change.layers, MappingProxyType)


def test_as_dict_is_fit_for_json() -> None:
    """Every figure is there by its name, the derived ones and those of the layers included, as plain values."""
    stats = Stats(hits=1, misses=3, size=10, layers=MappingProxyType({"memory": Stats(hits=1)}))
    plain = stats.as_dict()

    assert json.loads(json.dumps(plain)) == plain
    assert set(plain) == {field.name for field in dataclasses.fields(Stats)} | {
        "hit_rate",
        "average_load_time",
        "average_get_time",
    }
    assert plain["hit_rate"] == 0.25
    assert plain["layers"] == {"memory": Stats(hits=1).as_dict()}


def test_nobody_changes_stats() -> None:
    """A reading stays as it is, and the mapping that all readings without layers share cannot be written to."""
    stats = Stats(hits=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.hits = 2  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]  # what is tested
    with pytest.raises(TypeError):
        stats.layers["x"] = stats  # type: ignore[index]  # pyright: ignore[reportIndexIssue]  # what is tested
