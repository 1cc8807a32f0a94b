"""The benchmarks by the word that runs them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from bench.hit_ratio import report as hit_ratio
from bench.micro import report as micro
from bench.record import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a benchmark is told."""

    quick: bool
    traces: Path | None
    track: Callable[[str, int], Callable[[], None]]
    """Takes a title and a number of steps, and gives what is called after each of these."""


Benchmark: TypeAlias = Callable[[Run], Awaitable[Outcome]]


async def _micro(run: Run) -> Outcome:
    return await micro.measure(quick=run.quick, track=run.track)


async def _hit_ratio(run: Run) -> Outcome:
    return await hit_ratio.measure(quick=run.quick, traces_in=run.traces, track=run.track)


BENCHMARKS: Final[dict[str, Benchmark]] = {"micro": _micro, "hit_ratio": _hit_ratio}
