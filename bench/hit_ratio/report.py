"""From the workloads to the outcome: hit ratios of all policies, and where a reference is at hand what it asks for.

A reference is a file ``targets.json`` beside the traces: for cells of trace and capacity the hit ratios of
deterministic policies, which must be met in all six decimals that are given, and what others must reach.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean
from typing import Any, Final, TypeAlias

from aiocache_kit.management.eviction import POLICIES
from aiocache_kit.storage.memory import shards_for
from bench.hit_ratio.opt import optimal_hits
from bench.hit_ratio.simulate import simulate
from bench.hit_ratio.workloads import Workload, made_up, traces
from bench.record import Mark, Outcome, Table, at_least, at_most

METHOD: Final = (
    "Each request is a get, and a set after a miss; every key is stored. Hit ratios are in per cent of the requests, "
    "from an empty cache on. OPT is Belady's optimum, which knows the future. Bounds are in entries, or, for traces "
    "with sizes, in bytes: so much of the bytes of all objects; beside the per cent of the requests stands that of the "
    "bytes."
)
BY_BYTES: Final = ("fifo", "lru", "s3fifo", "gdsf", "adaptive")
SHARES: Final = (0.001, 0.01, 0.05, 0.1)
REFERENCE_NAMES: Final = {"tinylfu": "wtinylfu", "adaptive": "auto"}
EXACT: Final = ("fifo", "lru", "lfu", "sieve")
MARGIN: Final = 1.0
"""By how many points the reference asks less of these two than it had itself; half a point is what is allowed here."""
SHARDED: Final = "adaptive, sharded"
OPT: Final = "OPT"

Track: TypeAlias = Callable[[str, int], Callable[[], None]]
Cells: TypeAlias = dict[str, dict[str, dict[str, float]]]
"""Hit ratios in per cent by workload, capacity and policy."""
Reference: TypeAlias = Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(slots=True)
class Found:
    """What was simulated so far."""

    cells: Cells = field(default_factory=dict)
    ratios: dict[tuple[str, str, str], float] = field(default_factory=dict)
    """The same, as shares and unrounded, by workload, capacity and policy."""
    by_bytes: dict[str, dict[str, dict[str, tuple[float, float]]]] = field(default_factory=dict)


async def measure(*, quick: bool, traces_in: Path | None, track: Track) -> Outcome:
    """Simulate all workloads; `track` takes a title and a number of steps and gives what is called after each."""
    reference = reference_in(traces_in)
    found = Found()
    for workload in _workloads(quick=quick, traces_in=traces_in, reference=reference):
        _by_entries(workload, found, track)
        if workload.sizes is not None:
            _by_bytes(workload, workload.sizes, found, track)
    return Outcome(
        method=METHOD,
        results={"by_entries": found.cells, "by_bytes": found.by_bytes},
        marks=[] if quick else list(marks(found, reference)),
        tables=list(_tables(found)),
    )


def _workloads(*, quick: bool, traces_in: Path | None, reference: Reference) -> Iterator[Workload]:
    yield from made_up(quick=quick)
    if traces_in is not None:
        for workload in traces(traces_in, quick=quick):
            asked = {} if quick else reference.get(workload.name, {})
            yield replace(workload, capacities=[int(size) for size in asked]) if asked else workload


def _by_entries(workload: Workload, found: Found, track: Track) -> None:
    advance = track(workload.name, len(workload.capacities) * (len(POLICIES) + 1))
    cells = found.cells.setdefault(workload.name, {})
    for capacity in workload.capacities:
        cell = cells.setdefault(str(capacity), {})
        for policy in POLICIES:
            score = simulate(policy, capacity, workload.keys)
            found.ratios[workload.name, str(capacity), policy] = score.ratio
            cell[policy] = _percent(score.ratio)
            advance()
        shards = shards_for(capacity, None)
        if shards > 1:
            cell[SHARDED] = _percent(simulate("adaptive", capacity, workload.keys, shards=shards).ratio)
        cell[OPT] = _percent(optimal_hits(workload.keys, capacity) / len(workload.keys))
        advance()


def _by_bytes(workload: Workload, sizes: Sequence[int], found: Found, track: Track) -> None:
    advance = track(f"{workload.name}, by bytes", len(SHARES) * len(BY_BYTES))
    total = sum(dict(zip(workload.keys, sizes, strict=True)).values())
    cells = found.by_bytes.setdefault(workload.name, {})
    for share in SHARES:
        cell = cells.setdefault(f"{share:.1%}", {})
        for policy in BY_BYTES:
            score = simulate(policy, max(int(total * share), 1), workload.keys, sizes)
            cell[policy] = _percent(score.ratio), _percent(score.byte_ratio)
            advance()


def _percent(ratio: float) -> float:
    return round(100 * ratio, 3)


def _tables(found: Found) -> Iterator[Table]:
    for name, cells in found.cells.items():
        columns = [*POLICIES, OPT]
        rows = [[capacity, *(f"{cell[column]:.1f}" for column in columns)] for capacity, cell in cells.items()]
        yield f"{name}, per cent of requests, bounded in entries", ["", *columns], rows
    for name, shares in found.by_bytes.items():
        rows = [
            [share, *(f"{ratio:.1f} / {of_bytes:.1f}" for ratio, of_bytes in cell.values())]
            for share, cell in shares.items()
        ]
        yield f"{name}, per cent of requests / of bytes, bounded in bytes", ["", *BY_BYTES], rows


# --- against a reference --------------------------------------------------------------------------------------------


def reference_in(folder: Path | None) -> Reference:
    """Read what is asked, by trace and capacity; empty where no folder or no such file is given."""
    path = None if folder is None else folder / "targets.json"
    if path is None or not path.exists():
        return {}
    cells: Reference = json.loads(path.read_text("utf-8"))["cells"]
    return cells


def marks(found: Found, reference: Reference) -> Iterator[Mark]:
    """Compare with what the reference asks, over the cells that both know."""
    known = {
        (name, size): cell for name, sizes in reference.items() for size, cell in sizes.items() if name in found.cells
    }
    if not known:
        return
    for policy in EXACT:
        asked = {cell: known[cell]["policies"][policy]["ratio"] for cell in known}
        wrong = sum(round(found.ratios[(*cell, policy)], 6) != ratio for cell, ratio in asked.items())
        yield at_most(f"{policy}: cells with other hits than the reference", 0, wrong)
    for policy in ("s3fifo", "tinylfu"):
        name = REFERENCE_NAMES.get(policy, policy)
        asked_mean = mean(100 * cell["policies"][name]["ratio"] for cell in known.values()) + MARGIN
        yield at_least(f"{policy}: mean against the reference", -0.5, _mean(found, known, policy) - asked_mean)
    yield at_least("adaptive: mean in per cent", 45.0, _mean(found, known, "adaptive"))
    lead = min(found.cells[name][size]["adaptive"] - found.cells[name][size]["lru"] for name, size in known)
    yield at_least("adaptive: worst cell against lru", -1.1, lead)
    gain = mean(_sharded(found.cells[name][size]) - found.cells[name][size]["adaptive"] for name, size in known)
    yield at_least("adaptive: mean as it ships, in shards, against one", -0.3, gain)


def _sharded(cell: Mapping[str, float]) -> float:
    """Give the hit ratio with as many shards as the storage makes: small caches have one."""
    return cell.get(SHARDED, cell["adaptive"])


def _mean(found: Found, known: Mapping[tuple[str, str], object], policy: str) -> float:
    return mean(found.cells[name][size][policy] for name, size in known)
