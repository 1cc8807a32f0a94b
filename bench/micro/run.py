"""Runs the cases: all subjects that can do a case are opened, filled, measured in turns and closed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench import compare
from bench.compare.floor import Floor
from bench.compare.ours import (
    Ours,
    OursLayered,
    OursLru,
    OursNamespace,
    OursOneByOne,
    OursSharded,
    OursSpelled,
    OursTagged,
)
from bench.compare.subject import Subject
from bench.compare.watched import OursByGroup, OursHeard, OursMeasured
from bench.measure import Effort, Loop, Timing, Turns, interleave
from bench.micro.cases import Case

VARIATIONS: Sequence[type[Subject]] = (OursSpelled, OursNamespace, OursTagged, OursSharded, OursLru, OursLayered)
"""What a hit costs in other settings. Measured apart from the rivals: the interpreter specialises code for the objects
that it meets, so that providers of several kinds in one program slow each other down."""


WATCHED: Sequence[type[Subject]] = (OursMeasured, OursByGroup, OursHeard)
"""What a hit costs while somebody watches."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A subject in a case: open, filled, with the loop that is timed."""

    subject: Subject
    loop: Loop


async def run_case(case: Case, effort: Effort, note: Callable[[], None]) -> dict[str, Timing]:
    """Measure the subjects of a case; the ratios are to `Case.base`, the first of them."""
    keys = case.keys()[: effort.keys]
    entrants = await _enter(case, case.filled()[: effort.keys])
    try:
        turns = [_turns(case, entrant, keys) for entrant in entrants]
        timings = await interleave(turns, effort, note)
    finally:
        for entrant in entrants:
            await entrant.subject.close()
    return {entrant.subject.name: timing for entrant, timing in zip(entrants, timings, strict=True)}


def everybody() -> list[type[Subject]]:
    """Give all subjects that have a part in any case."""
    return [Floor, Ours, OursOneByOne, *VARIATIONS, *WATCHED, *compare.load(*compare.MICRO)]


def subjects(case: Case) -> list[type[Subject]]:
    """Give the subjects that may take part, the base first."""
    if case.watched:
        return [Ours, *WATCHED]
    if case.variations:
        return [Floor, Ours, *VARIATIONS]
    found: list[type[Subject]] = [
        Floor,
        Ours,
        *([OursOneByOne] if case.loop == "get_multi" else []),
        *compare.load(*compare.MICRO),
    ]
    return sorted(found, key=lambda subject: subject.name != case.base)


async def _enter(case: Case, filled: Sequence[str]) -> list[Entrant]:
    entrants: list[Entrant] = []
    for kind in subjects(case):
        subject = kind()
        await subject.open(case.entries)
        loop = _loop(case, subject)
        if loop is None:
            await subject.close()
            continue
        await _fill(case, subject, filled)
        entrants.append(Entrant(subject, loop))
    return entrants


async def _fill(case: Case, subject: Subject, keys: Sequence[str]) -> None:
    await subject.fill(keys)
    if len(keys) == 1:
        assert await subject.holds(keys[0]), f"{subject.name} does not hold what was stored, in {case.name}"


def _loop(case: Case, subject: Subject) -> Loop | None:
    kind, _, key = case.loop.partition(":")
    if kind == "decorated":
        return subject.decorated().get(key)
    return subject.loop(case.floor if case.floor and isinstance(subject, Floor) else case.loop)


def _turns(case: Case, entrant: Entrant, keys: Sequence[str]) -> Turns:
    async def start_again() -> None:
        await entrant.subject.close()
        await entrant.subject.open(case.entries)

    return Turns(entrant.loop, keys, step=case.step, again=start_again if case.again else None)
