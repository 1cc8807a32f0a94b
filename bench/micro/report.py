"""From the timings of the cases to the outcome: figures, and the marks that the library sets itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Final

from bench.compare.ours import Ours
from bench.measure import FULL, QUICK, Timing
from bench.micro.cases import CASES
from bench.micro.run import everybody, run_case
from bench.record import Mark, Outcome, Track, at_least, at_most

METHOD: Final = (
    "One process, one event loop. In each round every subject has one turn of about {turn:g} ms over the same keys, in "
    "an order that changes; {rounds} rounds. Processor time of the thread, including the loop over the keys. A ratio "
    "is the median, over the rounds, of a subject's time divided by the floor's time of the same round."
)
OURS: Final = Ours.name
RIVALS: Final = ("cashews", "aiocache")
Timings = Mapping[str, Mapping[str, Timing]]


async def measure(*, quick: bool, track: Track) -> Outcome:
    """Run all cases."""
    effort = QUICK if quick else FULL
    timings = {case.name: await run_case(case, effort, track(case.title, effort.rounds)) for case in CASES}
    subjects = everybody()
    return Outcome(
        method=METHOD.format(turn=effort.turn * 1000, rounds=effort.rounds),
        results={case: {who: asdict(timing) for who, timing in found.items()} for case, found in timings.items()},
        marks=list(marks(timings)),
        packages=[subject.package for subject in subjects if subject.package],
        settings={subject.name: subject.settings for subject in subjects},
        tables=[(case.title, ("", "ns", f"times {case.base}"), _rows(timings[case.name])) for case in CASES],
    )


def _rows(found: Mapping[str, Timing]) -> list[Sequence[str]]:
    return [(who, f"{timing.ns:,.0f}", f"{timing.ratio:.2f}") for who, timing in found.items()]


def marks(timings: Timings) -> Iterator[Mark]:
    """Compare the figures with what is asked."""
    for case in ("get", "get_or_set", "miss"):
        yield at_most(f"{case}, times the floor", 1.5, timings[case][OURS].ratio)
    yield at_most("set with ttl, times the floor", 1.6, timings["set"][OURS].ratio)
    measured = timings["watched"]["aiocache_kit, with metrics"].ratio
    yield at_most("get, a hit with metrics, times one without", 1.3, measured)
    multi = timings["get_multi"][OURS].ns / timings["get_multi"]["aiocache_kit, one by one"].ns
    yield at_most("get_multi of 100, against 100 gets", 0.5, multi)
    for rival in RIVALS:
        for case in ("get", "get_or_set", "miss", "set"):
            if rival in timings[case]:
                yield at_least(f"{case}, times as fast as {rival}", 8, _times(timings[case], rival))
    for case in ("decorator_template", "decorator_default"):
        yield from _decorator_marks(case, timings[case])


def _decorator_marks(case: str, found: Mapping[str, Timing]) -> Iterator[Mark]:
    if OURS not in found:
        return
    if "async-lru" in found:
        yield at_most(f"{case}, times async-lru", 1.3, found[OURS].ratio)
    for rival in RIVALS:
        if rival in found:
            yield at_least(f"{case}, times as fast as {rival}", 8, _times(found, rival))


def _times(found: Mapping[str, Timing], rival: str) -> float:
    return found[rival].ratio / found[OURS].ratio
