"""Watches each library in each scenario, in processes of their own, and compares the figures with what is asked."""

from statistics import median
from typing import Any, Final

from bench import subprocesses
from bench.compare.ours import Ours
from bench.record import Outcome, Track, at_most
from bench.stall.scenarios import SCENARIOS, subjects

METHOD: Final = (
    "{entries:,} entries in a fresh process, garbage collector on; it has walked over what was filled in beforehand. A "
    "task wants to run every millisecond. `late`: the most milliseconds that it ran too late; `held`: the most "
    "processor time of the thread between two of its runs, "
    "which other programs on the machine do not lengthen; `idle`: how late it ran before anything happened. The median "
    "of {ours} runs for aiocache_kit, {theirs} for the others. Marks are on `held`."
)


async def measure(*, quick: bool, track: Track) -> Outcome:
    """Watch all of them."""
    entries = 2_000 if quick else 1_000_000
    kinds = list(subjects())
    runs = {kind.name: 1 if quick or kind is not Ours else 3 for kind in kinds}
    pairs = [(name, kind) for name, scenario in SCENARIOS.items() for kind in kinds if kind.has(scenario.needs)]
    note = track("stalls of the event loop", sum(runs[kind.name] for _, kind in pairs))
    jobs = [(kind.name, name, str(entries)) for name, kind in pairs for _ in range(runs[kind.name])]
    at_once = subprocesses.QUICKLY if quick else 1
    stalls = await subprocesses.run_many("bench.stall.worker", jobs, at_once=at_once, note=note)
    found: dict[str, dict[str, Any]] = {name: {} for name in SCENARIOS}
    for name, kind in pairs:
        seen = [stall for job, stall in zip(jobs, stalls, strict=True) if job[:2] == (kind.name, name)]
        found[name][kind.name] = {key: round(median(each[key] for each in seen), 2) for key in seen[0]}
    return Outcome(
        method=METHOD.format(entries=entries, ours=runs[Ours.name], theirs=1),
        results=found,
        marks=[
            at_most(f"{scenario.title}, ms", scenario.mark, found[name][Ours.name]["held"])
            for name, scenario in SCENARIOS.items()
            if scenario.mark is not None
        ],
        packages=[kind.package for kind in kinds],
        settings={kind.name: kind.settings for kind in kinds},
        tables=[
            (scenario.title, ("", "late, ms", "held, ms", "idle, ms", "took, s"), _rows(found[name]))
            for name, scenario in SCENARIOS.items()
        ],
    )


def _rows(found: dict[str, Any]) -> list[tuple[str, ...]]:
    return [(who, *(f"{each[key]:,.1f}" for key in ("late", "held", "idle", "seconds"))) for who, each in found.items()]
