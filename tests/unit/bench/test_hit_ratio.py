"""The simulation of hit ratios: what it reports is what a cache would have done."""

import gzip
import json
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit.management.eviction import POLICIES
from bench.hit_ratio import report
from bench.hit_ratio.opt import optimal_hits
from bench.hit_ratio.simulate import simulate
from bench.hit_ratio.workloads import cycle, made_up, traces, zipf

REQUESTS = st.lists(st.integers(0, 6), max_size=14)


def best_of_all(keys: list[int], capacity: int, held: frozenset[int] = frozenset()) -> int:
    """Try every choice there is."""
    if not keys:
        return 0
    key, rest = keys[0], keys[1:]
    if key in held:
        return 1 + best_of_all(rest, capacity, held)
    if len(held) < capacity:
        return best_of_all(rest, capacity, held | {key})
    kept = [held, *(held - {victim} | {key} for victim in held)]
    return max(best_of_all(rest, capacity, choice) for choice in kept)


@given(keys=REQUESTS, capacity=st.integers(1, 3))
def test_the_optimum_is_the_best_that_any_choices_give(keys: list[int], capacity: int) -> None:
    """Belady's rule finds what trying everything finds."""
    assert optimal_hits(keys, capacity) == best_of_all(keys, capacity)


@pytest.mark.parametrize("policy", POLICIES)
@given(keys=st.lists(st.integers(0, 30), max_size=200), capacity=st.integers(1, 12))
def test_no_policy_beats_the_optimum(policy: str, keys: list[int], capacity: int) -> None:
    """The optimum is a bound for all of them, in any traffic."""
    assert simulate(policy, capacity, keys).hits <= optimal_hits(keys, capacity)


def test_every_key_is_found_again_where_there_is_room_for_all() -> None:
    """Without evictions only the first request for each key misses, in bytes and over shards as well."""
    keys = zipf(100, 2_000, 0.9, seed=1)
    missed = len(set(keys))

    assert simulate("adaptive", 100, keys).hits == 2_000 - missed
    assert simulate("adaptive", 10_000, keys, [7] * 2_000).hits == 2_000 - missed
    assert simulate("adaptive", 800, keys, shards=4).hits == 2_000 - missed


def test_bytes_are_counted_beside_requests() -> None:
    """An object larger than the bound is never kept; the score tells requests and bytes apart."""
    score = simulate("lru", 10, [1, 2, 1, 3, 3, 1], [4, 4, 4, 11, 11, 4])

    assert (score.requests, score.hits) == (6, 2)
    assert (score.bytes, score.bytes_hit) == (38, 8)
    assert score.byte_ratio == 8 / 38


def test_made_up_workloads_repeat_themselves() -> None:
    """They come from seeds, so two runs of the benchmark simulate the same."""
    one, other = made_up(quick=True), made_up(quick=True)

    assert [workload.keys for workload in one] == [workload.keys for workload in other]
    assert len({workload.name for workload in one}) == len(one) == 6


def write_trace(folder: Path, name: str, numbers: list[int]) -> None:
    with gzip.open(folder / f"{name}.u32.gz", "wb") as file:
        file.write(array("I", numbers).tobytes())


def test_trace_files_are_read_with_their_sizes(tmp_path: Path) -> None:
    """Keys come from one file; sizes from the one beside it, each object keeping its first."""
    write_trace(tmp_path, "walk", [0, 1, 0, 2])
    write_trace(tmp_path, "walk.sizes", [5, 6, 9, 7])
    write_trace(tmp_path, "plain", [3, 3])

    plain, walk = traces(tmp_path, quick=False)

    assert (plain.name, plain.keys, plain.sizes) == ("plain", [3, 3], None)
    assert (walk.name, walk.keys, walk.sizes) == ("walk", [0, 1, 0, 2], [5, 6, 5, 7])


def test_marks_compare_with_the_reference_beside_the_traces(tmp_path: Path) -> None:
    """A count that differs is a missed mark; a cell that nobody simulated is left out."""
    keys = cycle(50, 1_000)
    ratios = {policy: simulate(policy, 20, keys).ratio for policy in POLICIES}
    policies = {policy: {"ratio": round(ratios[policy], 6)} for policy in ("fifo", "lru", "lfu", "sieve")}
    policies |= {"s3fifo": {"ratio": 0.0}, "wtinylfu": {"ratio": 0.0}}
    policies["lru"]["ratio"] += 0.000002
    reference = {"walk": {"20": {"policies": policies}}, "elsewhere": {"7": {"policies": policies}}}
    (tmp_path / "targets.json").write_text(json.dumps({"cells": reference}), "utf-8")
    found = report.Found(
        cells={"walk": {"20": {policy: 100 * ratio for policy, ratio in ratios.items()}}},
        ratios={("walk", "20", policy): ratio for policy, ratio in ratios.items()},
    )

    marks = {mark.what: mark.ok for mark in report.marks(found, report.reference_in(tmp_path))}

    assert marks["fifo: cells with other hits than the reference"]
    assert not marks["lru: cells with other hits than the reference"]
    assert marks["adaptive: worst cell against lru"]
    assert not list(report.marks(found, report.reference_in(None)))
