"""Tells each story with each way of loading that the libraries have, and compares the endings with what is asked."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Final

from bench import compare
from bench.compare.ours import Ours
from bench.compare.subject import Subject
from bench.record import Mark, Outcome, Track, at_least, at_most
from bench.stampede.crowd import FULL, QUICK, STORIES, Ending, Scale, Source, Story

METHOD: Final = (
    "{callers} tasks ask for one key that is not there; the load takes {short:g} ms, or {long:g} where somebody "
    "leaves, which is when all wait. Loads: loads begun. Values, errors: callers who got the value, or what the loader "
    "raised. Lost: callers who were cancelled though they had not left, or got another error."
)


async def measure(*, quick: bool, track: Track) -> Outcome:
    """Tell all stories."""
    scale = QUICK if quick else FULL
    kinds: list[type[Subject]] = [Ours, *compare.load("Cashews", "Aiocache", "AsyncLru", "Cachebox", "Theine")]
    forms = [(kind, form) for kind in kinds for form in await _forms(kind)]
    note = track("stampedes", len(forms) * len(STORIES))
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # what rivals drop is not our news
    found: dict[str, dict[str, Ending]] = {name: {} for name in STORIES}
    for name, story in STORIES.items():
        for kind, form in forms:
            found[name][f"{kind.name}, {form}"] = await _tell(story, kind, form, scale)
            note()
    return Outcome(
        method=METHOD.format(callers=f"{scale.callers:,}", short=scale.short * 1000, long=scale.long * 1000),
        results={name: {who: asdict(ending) for who, ending in endings.items()} for name, endings in found.items()},
        marks=list(marks(found, scale.callers)),
        packages=[kind.package for kind in kinds],
        settings={kind.name: kind.settings for kind in kinds},
        tables=[(story.title, COLUMNS, _rows(found[name])) for name, story in STORIES.items()],
    )


COLUMNS: Final = ("", "loads", "of them cancelled", "values", "errors", "lost", "hung", "ms")


def _rows(endings: Mapping[str, Ending]) -> list[list[str]]:
    return [
        [
            who,
            *(f"{count:,}" for count in (each.calls, each.cancelled, each.values, each.errors, each.lost, each.hung)),
            f"{each.ms:,.0f}",
        ]
        for who, each in endings.items()
    ]


async def _forms(kind: type[Subject]) -> list[str]:
    subject = kind()
    await subject.open(100)
    forms = list(subject.loading(Source(0).load))
    await subject.close()
    return forms


async def _tell(story: Story, kind: type[Subject], form: str, scale: Scale) -> Ending:
    subject = kind()
    await subject.open(100)
    source = Source(scale.long if story.long else scale.short, fails=story.fails)
    ending = await story.run(subject.loading(source.load)[form], source, scale.callers)
    await subject.close()
    return ending


def marks(found: Mapping[str, Mapping[str, Ending]], callers: int) -> Iterator[Mark]:
    """Compare what became of our own callers with what is asked."""
    for who in found["crowd"]:
        if not who.startswith(Ours.name):
            continue
        form = who.removeprefix(f"{Ours.name}, ")
        for name, story in STORIES.items():
            yield at_most(f"{form}, {story.title}: loads", 1, found[name][who].calls)
        yield at_least(
            f"{form}, {STORIES['first_leaves'].title}: values", callers - 1, found["first_leaves"][who].values
        )
        yield at_least(f"{form}, {STORIES['raises'].title}: errors", callers, found["raises"][who].errors)
        yield at_least(f"{form}, {STORIES['all_leave'].title}: loads cancelled", 1, found["all_leave"][who].cancelled)
