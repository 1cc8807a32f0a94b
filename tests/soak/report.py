"""What came of a soak: how much was done, what was survived, what was wrong, and what grew.

Rule: growth is the median of the last quarter of a process's life over that of its second quarter: the first is for
filling up. Processes that were killed have none.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

ALLOWED: Final[Mapping[str, float]] = {"memory": 8 * 2**20, "files": 8, "tasks": 40, "threads": 4}
"""What may be between the two quarters without being growth: connections come and go, and so do loads."""
LEFT: Final[Mapping[str, float]] = {"files": 1, "tasks": 0, "threads": 1}
"""What a process may hold beyond what it began with once everything is closed; a thread of the pool of the loop."""


@dataclass
class Process:
    """One process of the soak."""

    name: str
    samples: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    wrong: list[str] = field(default_factory=list[str])
    end: dict[str, Any] = field(default_factory=dict[str, Any])
    """What it told when it had closed everything; nothing where it was killed."""

    @property
    def calls(self) -> int:
        """How many calls it made, as far as is known."""
        return int(self.samples[-1]["calls"]) if self.samples else 0

    def growth(self, of: str) -> float:
        """Give by how much it grew."""
        quarter = len(self.samples) // 4
        if not quarter:
            return 0.0
        early, late = self.samples[quarter : 2 * quarter], self.samples[-quarter:]
        return median(each[of] for each in late) - median(each[of] for each in early)


def verdict(processes: Sequence[Process], final: Mapping[str, int]) -> list[str]:
    """Give what is wrong; `final` is what the counters say that all processes shared."""
    wrong = [each for process in processes for each in process.wrong]
    ended = [process for process in processes if process.end]
    for process in ended:
        wrong += [
            f"{process.name} grew: {process.growth(of):+,.0f} {of}"
            for of, most in ALLOWED.items()
            if process.growth(of) > most
        ]
        before, after = process.end["before"], process.end["after"]
        wrong += [
            f"{process.name} left {after[of] - before[of]} {of}"
            for of, most in LEFT.items()
            if after[of] - before[of] > most
        ]
    for name, total in final.items():
        sure, unsure = (sum(process.end[of].get(name, 0) for process in ended) for of in ("counted", "unsure"))
        if not sure <= total <= sure + unsure:
            wrong.append(f"{name}: {total} was counted, by {sure} calls and {unsure} that may have been")
    return wrong


def told(
    processes: Sequence[Process], faults: Mapping[str, int], final: Mapping[str, int], seconds: float
) -> dict[str, Any]:
    """Give the report as data."""
    ended = [process for process in processes if process.end]
    return {
        "seconds": round(seconds),
        "processes": len(ended),
        "processes killed": len(processes) - len(ended),
        "calls": sum(process.calls for process in processes),
        "calls by storage": _sum(process.end["calls"] for process in ended),
        "failed": _sum(process.end["failed"] for process in ended),
        "cancelled": sum(process.end["cancelled"] for process in ended),
        "faults": dict(sorted(faults.items())),
        "counters": dict(final),
        "growth": {process.name: {of: round(process.growth(of)) for of in ALLOWED} for process in ended},
        "wrong": verdict(processes, final),
    }


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)


def lines(report: Mapping[str, Any]) -> Iterable[str]:
    """Give the report as text."""
    yield f"{report['calls']:,} calls in {report['seconds'] / 60:.0f} minutes by {report['processes']} processes"
    yield f"({report['processes killed']} more were killed); {report['cancelled']:,} were cancelled"
    for title in ("calls by storage", "failed", "faults"):
        yield ""
        yield f"{title}:"
        yield from _aligned(report[title])
    yield ""
    yield "growth between the second and the last quarter:"
    for name, grown in report["growth"].items():
        memory = f"memory {grown['memory'] / 2**20:+.1f} MiB"
        held = ", ".join([memory, *(f"{of} {each:+d}" for of, each in grown.items() if of != "memory")])
        yield f"  {name}: {held}"
    yield ""
    yield f"wrong: {len(report['wrong'])}"
    yield from (f"  {each}" for each in report["wrong"][:50])


def _aligned(counts: Mapping[str, int]) -> Iterable[str]:
    width = max((len(name) for name in counts), default=0)
    for name, each in counts.items():
        yield f"  {name:<{width}}  {each:>12,}"
