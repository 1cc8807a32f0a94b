"""Measures all ways in turn, watches a directory of very many items, and compares the figures with what is asked."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

from bench.file.many import scenarios
from bench.file.ways import KEYS, WAYS, Diskcache, Hop, Ours, Plain, Way
from bench.record import Mark, Outcome, Track, at_least, at_most

METHOD: Final = (
    "A kilobyte a value, 1,000 keys, files in the page cache. In each of {rounds} rounds every way has one turn of "
    "{calls} calls, made by 1 task or by 64 at the same time; microseconds of the wall clock for a call, medians. Then "
    "{entries:,} items in one directory: `late` is the most milliseconds that a task that wants to run every "
    "millisecond ran too late, `held` the most processor time of the event loop's thread between two of its runs; "
    "marks are on `held`."
)
CASES: Final[dict[str, tuple[str, int]]] = {
    "get": ("get", 1),
    "get by 64 tasks": ("get", 64),
    "set": ("set", 1),
    "set by 64 tasks": ("set", 64),
    "miss": ("miss", 1),
}
SCENARIOS: Final = 8
Figures = dict[str, dict[str, float]]


async def measure(*, quick: bool, track: Track) -> Outcome:
    """Measure everything."""
    rounds, calls, entries = (1, 64, 2_000) if quick else (15, 1_920, 1_000_000)
    folder = Path(tempfile.mkdtemp())
    try:
        found = await rates(folder, rounds, calls, track("files", len(CASES) * rounds))
        many = await scenarios(folder / "many", entries, track(f"{entries} files", SCENARIOS))
    finally:
        await asyncio.to_thread(shutil.rmtree, folder)
    return Outcome(
        method=METHOD.format(rounds=rounds, calls=calls, entries=entries),
        results={**found, "many": {name: {"aiocache_kit": each} for name, each in many.items()}},
        marks=marks(found, many),
        packages=["aiofiles", *(way.package for way in WAYS if way.package)],
        settings={way.name: way.settings for way in WAYS},
        tables=[
            *((f"{case}, us a call", ("", "us"), _rows(figures)) for case, figures in found.items()),
            ("very many items", ("", "late, ms", "held, ms", "took, s"), _rows_of_many(many)),
        ],
    )


async def rates(folder: Path, rounds: int, calls: int, note: Callable[[], None]) -> Figures:
    """Give the microseconds of a call by case and way."""
    ways: list[Way] = []
    for kind in WAYS:
        place = folder / kind.name
        place.mkdir(mode=0o700)
        way = kind(place)
        try:
            await way.begin()
        except ImportError:
            continue  # a rival that is not installed
        ways.append(way)
    taken: dict[str, dict[str, list[float]]] = {case: {way.name: [] for way in ways} for case in CASES}
    for number in range(rounds):
        for case, (method, tasks) in CASES.items():
            for way in ways[number % len(ways) :] + ways[: number % len(ways)]:
                taken[case][way.name].append(await turn(getattr(way, method), calls, tasks))
            note()
    for way in ways:
        await way.end()
    return {case: {who: round(median(turns), 2) for who, turns in each.items()} for case, each in taken.items()}


async def turn(act: Callable[[int], Awaitable[None]], calls: int, tasks: int) -> float:
    """Make so many calls by so many tasks, and give the microseconds for one."""
    share = calls // tasks

    async def work(task: int) -> None:
        for number in range(task * share, (task + 1) * share):
            await act(number % KEYS)

    begun = perf_counter()
    await asyncio.gather(*(work(task) for task in range(tasks)))
    return (perf_counter() - begun) / (share * tasks) * 1e6


def marks(found: Figures, many: dict[str, dict[str, float]]) -> Sequence[Mark]:
    """Compare the figures with what is asked."""
    ours = {case: figures[Ours.name] for case, figures in found.items()}
    plain = {case: figures[Plain.name] for case, figures in found.items()}
    made = [
        at_most("get, times one hop", 1.3, ours["get"] / found["get"][Hop.name]),
        at_least("get by 64 tasks, times as fast as aiofiles", 6, plain["get by 64 tasks"] / ours["get by 64 tasks"]),
        at_least("set by 64 tasks, times as fast as aiofiles", 1.5, plain["set by 64 tasks"] / ours["set by 64 tasks"]),
    ]
    rival = found["get by 64 tasks"].get(Diskcache.name)
    if rival is not None:
        made.append(at_least("get by 64 tasks, times as fast as diskcache", 2, rival / ours["get by 64 tasks"]))
    made += [at_most(f"{name}, ms that the loop is held", 10, each["held"]) for name, each in many.items()]
    made += [at_most(f"{name}, s", 2, many[name]["seconds"]) for name in ("open", "first read")]
    return made


def _rows(figures: dict[str, float]) -> list[tuple[str, str]]:
    return [(who, f"{figure:,.1f}") for who, figure in figures.items()]


def _rows_of_many(many: dict[str, dict[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (name, f"{each['late']:.1f}", f"{each['held']:.1f}", f"{each['seconds']:.2f}") for name, each in many.items()
    ]
