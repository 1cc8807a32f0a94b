"""Requests to simulate: made up from seeds, or read from trace files.

A trace file is ``NAME.u32.gz``: gzip of little-endian 32-bit numbers, one key a request. ``NAME.sizes.u32.gz``, where
there is one, gives the size of each request's object in bytes.
"""

import gzip
import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random

SUFFIX = ".u32.gz"
SIZES = ".sizes"


@dataclass(frozen=True, slots=True)
class Workload:
    """Requests for keys, and the capacities to try them with."""

    name: str
    kind: str
    keys: Sequence[int]
    capacities: Sequence[int]
    sizes: Sequence[int] | None = None
    """Bytes of each request's object: those it had first, for a cache keeps what it has."""


def made_up(*, quick: bool) -> list[Workload]:
    """Make the seeded workloads; quick ones are a tenth as long and wide."""
    scale = 10 if quick else 1
    keys, length = 100_000 // scale, 300_000 // scale
    small, large = keys // 100, keys // 10
    steady = zipf(keys, length, 0.9, seed=1)
    steep = zipf(keys, length, 1.1, seed=2)
    walk = cycle(large + large // 10, length)
    scans = with_scans(steady, first=keys, every=length // 20, width=large, seed=3)
    changing = shifting(keys, length, turns=10, seed=4)
    both = interleaved(steady, [keys + key for key in walk])
    named = {
        "zipf": ("popularity as 1 / rank^0.9", steady),
        "zipf, steep": ("popularity as 1 / rank^1.1", steep),
        "shifting": ("popularity as 1 / rank, and half of the ranks change hands ten times", changing),
        "cycle": ("the same keys in the same order, a tenth more than the larger cache holds", walk),
        "zipf and scans": ("zipf, and runs of keys that are asked for once", scans),
        "zipf and cycle": ("two programs at once", both),
    }
    return [Workload(name, kind, requests, (small, large)) for name, (kind, requests) in named.items()]


def zipf(keys: int, length: int, exponent: float, *, seed: int) -> list[int]:
    """Draw `length` of `keys` keys; the n-th most popular, which is no neighbour of the next, as 1 / n^`exponent`."""
    random = Random(seed)
    names = list(range(keys))
    random.shuffle(names)
    weights = list(accumulate((rank + 1) ** -exponent for rank in range(keys)))
    return random.choices(names, cum_weights=weights, k=length)


def cycle(keys: int, length: int) -> list[int]:
    """Walk the keys in order, again and again."""
    return [place % keys for place in range(length)]


def with_scans(requests: Sequence[int], *, first: int, every: int, width: int, seed: int) -> list[int]:
    """Put a run of `width` new keys, numbered from `first`, in after about `every` requests."""
    random = Random(seed)
    mixed: list[int] = []
    for start in range(0, len(requests), every):
        cut = start + random.randrange(every)
        mixed += requests[start:cut]
        mixed += range(first, first + width)
        mixed += requests[cut : start + every]
        first += width
    return mixed


def shifting(keys: int, length: int, *, turns: int, seed: int) -> list[int]:
    """Draw as `zipf` does, and give half of the ranks to other keys `turns` times."""
    random = Random(seed)
    requests: list[int] = []
    names = list(range(keys))
    random.shuffle(names)
    for turn in range(turns):
        requests += (names[rank] for rank in zipf_ranks(keys, length // turns, seed=seed + turn))
        moved = random.sample(range(keys), keys // 2)
        given = [names[rank] for rank in moved]
        random.shuffle(given)
        for rank, name in zip(moved, given, strict=True):
            names[rank] = name
    return requests


def zipf_ranks(keys: int, length: int, *, seed: int) -> list[int]:
    """Draw ranks, from zero, with a popularity of 1 / rank."""
    weights = list(accumulate(1 / (rank + 1) for rank in range(keys)))
    return Random(seed).choices(range(keys), cum_weights=weights, k=length)


def interleaved(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """Take turns between two series of requests."""
    return [key for pair in zip(one, other, strict=False) for key in pair]


def traces(folder: Path, *, quick: bool) -> Iterator[Workload]:
    """Read the trace files of a folder, by name; quick: their first 20,000 requests."""
    for path in sorted(folder.glob("*" + SUFFIX)):
        name = path.name.removesuffix(SUFFIX)
        if name.endswith(SIZES):
            continue
        keys = _numbers(path)
        beside = path.with_name(name + SIZES + SUFFIX)
        sizes = _first_sizes(keys, _numbers(beside)) if beside.exists() else None
        length = 20_000 if quick else len(keys)
        distinct = len(set(keys[:length]))
        capacities = tuple(max(distinct * part // 1000, 1) for part in (5, 50, 200))
        yield Workload(name, "trace", keys[:length], capacities, None if sizes is None else sizes[:length])


def _numbers(path: Path) -> list[int]:
    numbers = array("I")
    with gzip.open(path) as file:
        numbers.frombytes(file.read())
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


def _first_sizes(keys: Sequence[int], sizes: Sequence[int]) -> list[int]:
    first: dict[int, int] = {}
    return [first.setdefault(key, size) for key, size in zip(keys, sizes, strict=True)]
