"""The benchmarks by the word that runs them."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from bench.file import report as file
from bench.freshness import report as freshness
from bench.hit_ratio import report as hit_ratio
from bench.http import report as http
from bench.imports import report as imports
from bench.memory import report as memory
from bench.micro import report as micro
from bench.record import Outcome, Track
from bench.redis import report as redis
from bench.ring import report as ring
from bench.stall import report as stall
from bench.stampede import report as stampede
from bench.web import report as web


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a benchmark is told."""

    quick: bool
    traces: Path | None
    track: Track


Benchmark: TypeAlias = Callable[[Run], Coroutine[Any, Any, Outcome]]

BENCHMARKS: Final[dict[str, Benchmark]] = {
    "micro": lambda run: micro.measure(quick=run.quick, track=run.track),
    "memory": lambda run: memory.measure(quick=run.quick, track=run.track),
    "stall": lambda run: stall.measure(quick=run.quick, track=run.track),
    "stampede": lambda run: stampede.measure(quick=run.quick, track=run.track),
    "freshness": lambda run: freshness.measure(quick=run.quick, track=run.track),
    "redis": lambda run: redis.measure(quick=run.quick, track=run.track),
    "ring": lambda run: ring.measure(quick=run.quick, track=run.track),
    "file": lambda run: file.measure(quick=run.quick, track=run.track),
    "web": lambda run: web.measure(quick=run.quick, track=run.track),
    "http": lambda run: http.measure(quick=run.quick, track=run.track),
    "import": lambda run: imports.measure(quick=run.quick, track=run.track),
    "hit_ratio": lambda run: hit_ratio.measure(quick=run.quick, traces_in=run.traces, track=run.track),
}
