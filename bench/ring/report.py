"""Spreads keys over nodes, adds nodes and looks owners up; beside uhashring, which has a ring of its own and ketama.

Rule: all but the microseconds depends on names alone and is the same in every run, on every machine.
"""

from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from statistics import mean, median
from time import perf_counter
from typing import Any, Final, TypeAlias

from aiocache_kit.storage.distributed.ring import Ring
from bench.record import Outcome, Track, at_most

METHOD: Final = (
    "{keys} keys over 4 nodes, for {sets} sets of names: the keys of the fullest node over the mean, in the mean and "
    "at worst. Moved: the keys that another node has after one was added to N, times (N+1). Microseconds: one look-up."
)
SIZES: Final = (3, 5, 10)
Owner: TypeAlias = Callable[[str], str]
Make: TypeAlias = Callable[[list[str]], Owner]


async def measure(*, quick: bool, track: Track) -> Outcome:
    """Measure each ring."""
    sets, keys = (2, 2_000) if quick else (20, 50_000)
    rings = _rings()
    note = track("ring", len(rings) * sets)
    results = {name: _of(make, sets, [f"user:{each}" for each in range(keys)], note) for name, make in rings.items()}
    ours = results["aiocache_kit"]
    columns = ["fullest, mean", "fullest, worst", *(f"moved to 1 of {size + 1}" for size in SIZES), "us"]
    rows = [(name, *(f"{each[column]:.3f}" for column in columns)) for name, each in results.items()]
    return Outcome(
        method=METHOD.format(keys=keys, sets=sets),
        results=results,
        marks=[
            at_most("fullest of 4 nodes over the mean, worst", 1.10, ours["fullest, worst"]),
            *(at_most(f"{moved}, times N+1", 1.15, ours[moved]) for moved in columns[2:-1]),
        ],
        packages=["aiocache_kit", "uhashring"],
        settings=dict.fromkeys(results, "160 virtual nodes, weight 1; ketama: 40 digests"),
        tables=[("keys over nodes", ("", *columns), rows)],
    )


def _of(make: Make, sets: int, keys: list[str], note: Callable[[], None]) -> dict[str, float]:
    fullest: list[float] = []
    moved: dict[int, list[float]] = {size: [] for size in SIZES}
    times: list[float] = []
    for number in range(sets):
        owner = make([f"set-{number}-cache-{each}" for each in range(4)])
        start = perf_counter()
        counts = Counter(map(owner, keys))
        times.append((perf_counter() - start) / len(keys) * 1e6)
        fullest.append(max(counts.values()) * 4 / len(keys))
        for size in SIZES if number < sets // 4 + 1 else ():
            names = [f"set-{number}-cache-{each}" for each in range(size + 1)]
            before, after = make(names[:-1]), make(names)
            moved[size].append(sum(before(key) != after(key) for key in keys) * (size + 1) / len(keys))
        note()
    return {
        "fullest, mean": round(mean(fullest), 4),
        "fullest, worst": round(max(fullest), 4),
        **{f"moved to 1 of {size + 1}": round(max(shares), 4) for size, shares in moved.items()},
        "us": round(median(times), 2),
    }


def _rings() -> dict[str, Make]:
    rings: dict[str, Make] = {
        "aiocache_kit": lambda names: _ours(Ring(dict.fromkeys(names, 1.0))),
        "aiocache_kit, ketama": lambda names: _ours(Ring(dict.fromkeys(names, 1.0), ketama=True)),
    }
    if find_spec("uhashring") is not None:
        import uhashring  # noqa: PLC0415  - not everybody has it installed

        theirs: Any = uhashring.HashRing
        rings["uhashring"] = lambda names: theirs(names).get_node
        rings["uhashring, ketama"] = lambda names: theirs(names, hash_fn="ketama").get_node
    return rings


def _ours(ring: Ring) -> Owner:
    return lambda key: ring.owners(key)[0]
