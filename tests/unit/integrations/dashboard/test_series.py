"""Readings become points: rates, means, gaps, and a bound."""

import json
from types import MappingProxyType
from typing import Any

import pytest

from aiocache_kit import Stats
from aiocache_kit.integrations.dashboard.series import Reading, Series, figures_of, layers_of, quantile_of, totals_of


def points(series: Series, since: int = 0) -> list[dict[str, Any]]:
    """Give the points as what reads their JSON gets."""
    found: list[dict[str, Any]] = json.loads(series.since(since))
    return found


def reading(number: int, at: float, stats: Stats) -> Reading:
    return Reading(number=number, at=1_700_000_000.0 + at, monotonic=at, stats=stats)


def test_point_is_what_happened_in_between() -> None:
    """Counts become counts a second, and means are those of the time in between, not of all time."""
    before = Stats(hits=100, misses=100, loads=100, load_time=100.0, get_time=1.0, timed_gets=1)
    after = Stats(
        hits=130, misses=110, loads=104, load_time=102.0, get_time=1.5, timed_gets=2, evictions=6, items=7, size=8
    )
    series = Series(interval=2.0, most=10)
    series.add(reading(1, 0.0, before))
    series.add(reading(2, 2.0, after))

    (point,) = points(series)

    assert point == {
        "number": 2,
        "at": 1_700_000_002.0,
        "hits": 15.0,
        "misses": 5.0,
        "loads": 2.0,
        "evictions": 3.0,
        "items": 7,
        "size": 8,
        **dict.fromkeys(("stale_hits", "coalesced", "load_failures", "refreshes"), 0.0),
        **dict.fromkeys(("sets", "deletes", "expired", "errors"), 0.0),
        "hit_rate": 0.75,
        "load_time": 0.5,
        "get_time": 0.5,
        "load_time_95": None,
    }


@pytest.mark.parametrize(
    ("buckets", "share", "seconds"),
    [
        ({}, 0.95, None),
        ({0: 10}, 0.5, 0.0005),
        ({0: 95, 4: 5}, 0.95, 0.001),
        ({0: 90, 4: 10}, 0.95, 0.0175),
        ({3: 1}, 1.0, 0.01),
        ({14: 1}, 0.95, 30.0),
    ],
)
def test_quantiles_are_read_off_buckets(buckets: dict[int, int], share: float, seconds: float | None) -> None:
    """A share of loads ends within the bounds of its bucket, and those beyond the last bound count as that."""
    counts = [buckets.get(place, 0) for place in range(15)]

    assert quantile_of(counts, share) == (None if seconds is None else pytest.approx(seconds))


def test_first_reading_makes_no_point() -> None:
    """What the counters were before anybody looked belongs to no moment."""
    series = Series(interval=2.0, most=10)
    series.add(reading(1, 0.0, Stats(hits=1000)))

    assert points(series) == []
    assert series.last is not None
    assert series.last.stats.hits == 1000


def test_means_of_nothing_are_none() -> None:
    """Where there was no read, load or timed read, there is no rate or mean, rather than a zero."""
    figures = figures_of(Stats(), 2.0)

    assert (figures["hit_rate"], figures["load_time"], figures["get_time"]) == (None, None, None)
    assert figures["hits"] == 0.0


@pytest.mark.parametrize(
    ("at", "stats"),
    [(10.1, Stats(hits=20)), (2.0, Stats(hits=9)), (0.0, Stats(hits=20))],
    ids=["nobody looked", "counters began again", "no time passed"],
)
def test_gap_has_no_figures(at: float, stats: Stats) -> None:
    """A point that would tell of a long time, or of another provider, is a gap; the next one goes on from there."""
    series = Series(interval=2.0, most=10)
    series.add(reading(1, 0.0, Stats(hits=10)))
    series.add(reading(2, at, stats))
    series.add(reading(3, at + 2.0, Stats(hits=stats.hits + 4)))

    gap, after = points(series)

    assert set(gap) == {"number", "at"}
    assert after["hits"] == 2.0


def test_what_storages_count_may_go_back() -> None:
    """Where a node goes away with its counts, no rate is below zero, and there is no gap."""
    series = Series(interval=2.0, most=10)
    series.add(reading(1, 0.0, Stats(hits=10, evictions=50, errors=3)))
    series.add(reading(2, 2.0, Stats(hits=14, evictions=20, errors=1)))

    (point,) = points(series)

    assert (point["hits"], point["evictions"], point["errors"]) == (2.0, 0, 0)


def test_it_is_bounded() -> None:
    """The oldest point goes where there are as many as are kept."""
    series = Series(interval=2.0, most=3)
    for number in range(1, 10):
        series.add(reading(number, number * 2.0, Stats(hits=number)))

    assert [point["number"] for point in points(series)] == [7, 8, 9]
    assert [point["number"] for point in points(series, 8)] == [9]


def test_layers_lie_in_order_and_deep() -> None:
    """Parts follow their whole, each with how deep it lies, and totals leave them out."""
    inner = Stats(layers=MappingProxyType({"node": Stats(health=0.5)}), items=5)
    whole = Stats(layers=MappingProxyType({"near": Stats(hits=1), "ring": inner}))

    layers = list(layers_of(whole))

    assert [(layer["name"], layer["depth"]) for layer in layers] == [("near", 0), ("ring", 0), ("node", 1)]
    assert (layers[0]["hits"], layers[1]["items"], layers[2]["health"]) == (1, 5, 0.5)
    assert set(totals_of(whole)) == set(whole.as_dict()) - {"layers", "load_buckets"}
