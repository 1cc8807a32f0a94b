"""Weighs each subject in a process of its own, and compares the figures with what is asked."""

from collections.abc import Callable
from typing import Any, Final

from bench import compare, subprocesses
from bench.compare.ours import Ours
from bench.memory.subjects import SUBJECTS
from bench.record import Outcome, at_most

METHOD: Final = (
    "Each cache in a fresh process is filled with {entries:,} entries of a ttl of 600 s; keys and values exist before. Bytes an "
    "entry: growth of the resident memory, after a full garbage collection, divided by the number of entries; held: the same "
    "after malloc_trim. Filling: microseconds an entry, awaited one by one. gc: milliseconds of one full collection."
)


async def measure(*, quick: bool, track: Callable[[str, int], Callable[[], None]]) -> Outcome:
    """Weigh all subjects; `track` takes a title and a number of steps and gives what is called after each."""
    entries = 5_000 if quick else 1_000_000
    kinds = [kind for kind in [*SUBJECTS, *compare.load()] if hasattr(kind, "set")]
    note = track("memory of each subject", len(kinds))
    found: dict[str, dict[str, Any]] = {}
    for kind in kinds:
        found[kind.name] = await subprocesses.run("bench.memory.worker", kind.name, str(entries))
        note()
    ours = found[Ours.name]
    rows = [
        (name, *(f"{each[key]:,.1f}" for key in ("bytes", "held", "fill_us", "gc_ms"))) for name, each in found.items()
    ]
    return Outcome(
        method=METHOD.format(entries=entries),
        results=found,
        marks=[at_most("bytes an entry beyond key and value", 200, ours["bytes"])],
        packages=[kind.package for kind in kinds if kind.package is not None],
        settings={kind.name: kind.settings for kind in kinds},
        tables=[(f"{entries:,} entries", ("", "bytes an entry", "held", "fill, us", "gc, ms"), rows)],
    )
