"""Weighs each subject in a process of its own, and compares the figures with what is asked."""

from typing import Final

from bench import subprocesses
from bench.compare.ours import Ours
from bench.memory.subjects import subjects
from bench.record import Outcome, Track, at_most

METHOD: Final = (
    "Each cache in a fresh process is filled with {entries:,} entries of a ttl of 600 s; keys and values exist before. "
    "Bytes an entry: growth of the resident memory, after a full garbage collection, divided by the number of entries; "
    "held: the same after malloc_trim. Filling: microseconds an entry, awaited one by one. gc: milliseconds of one "
    "full collection."
)


async def measure(*, quick: bool, track: Track) -> Outcome:
    """Weigh all subjects."""
    entries = 2_000 if quick else 1_000_000
    kinds = list(subjects())
    note = track("memory", len(kinds))
    names = [kind.name for kind in kinds]
    jobs = [(name, str(entries)) for name in names]
    at_once = subprocesses.QUICKLY if quick else 1
    weights = await subprocesses.run_many("bench.memory.worker", jobs, at_once=at_once, note=note)
    found = dict(zip(names, weights, strict=True))
    ours = found[Ours.name]
    rows = [
        (name, *(f"{each[key]:,.1f}" for key in ("bytes", "held", "fill_us", "gc_ms"))) for name, each in found.items()
    ]
    return Outcome(
        method=METHOD.format(entries=entries),
        results=found,
        marks=[at_most("bytes an entry beyond key and value", 200, ours["bytes"])],
        packages=[kind.package for kind in kinds],
        settings={kind.name: kind.settings for kind in kinds},
        tables=[(f"{entries:,} entries", ("", "bytes an entry", "held", "fill, us", "gc, ms"), rows)],
    )
