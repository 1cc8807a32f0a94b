"""From the results that were kept to the rows of tables: times aiocache_kit, and what aiocache_kit itself took."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from bench.redis.ours import Ours

OURS: Final = Ours.name
_CASES: Final = (
    ("get", "1", "GET, 1 task"),
    ("get", "64", "GET, 64 tasks"),
    ("set", "1", "SET, 1 task"),
    ("set", "64", "SET, 64 tasks"),
    ("get_record", "64", "GET of a dict, 64 tasks"),
    ("set_record", "64", "SET of a dict, 64 tasks"),
    ("get_multi", "1", "100 values read"),
    ("set_multi", "1", "100 values stored"),
    ("decorated", "64", "decorator, 64 tasks"),
)
Rows = Iterator[Sequence[str]]
BARS: Final = (("get", "GET of 100 bytes"), ("set", "SET of 100 bytes with ttl"))
"""What is drawn."""


def columns(results: Mapping[str, Any], title: str) -> Sequence[str]:
    """Give the columns of `calls`."""
    return [title, *(text for name, tasks, text in _CASES if tasks in results[name])]


def calls(results: Mapping[str, Any], of: str) -> Rows:
    """Give a row a client: times what aiocache_kit took, whose row is in microseconds; `of`: ``cpu`` or ``wall``."""
    cases = [results[name][tasks] for name, tasks, _ in _CASES if tasks in results[name]]
    yield f"{OURS}, µs", *(f"{case[OURS][f'{of}_us']:,.1f}" for case in cases)
    for who in cases[0]:
        if who != OURS:
            yield who, *(f"{case[who][f'{of}_ratio']:.1f}" if who in case else "" for case in cases)


def cancelled(results: Mapping[str, Any]) -> Rows:
    """Give a row a client of what came of calls of which some were cancelled."""
    for who, each in results["cancelled"].items():
        counts = (each[name] for name in ("calls", "cancelled", "wrong", "errors", "connects"))
        yield who, *(f"{count:,}" for count in counts), f"{each['us']:,.0f}"


def beside(results: Mapping[str, Any]) -> Rows:
    """Give a row a client of how long small reads took, alone and beside large ones."""
    for who, each in results["beside"].items():
        delays = (each[name] for name in ("p50_alone", "p99_alone", "p50_beside", "p99_beside"))
        yield who, *(f"{delay:.1f}" for delay in delays), f"{each['large_reads']:,.0f}"


def fastest(results: Mapping[str, Any], case: str, tasks: str, who: str) -> float:
    """Give how many times the processor time of aiocache_kit a library took, at the best of its settings."""
    found = results[case][tasks]
    return min(each["cpu_ratio"] for name, each in found.items() if name.partition(",")[0] == who)
