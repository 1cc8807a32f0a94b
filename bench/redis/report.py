"""Measures all clients against one server, and compares the figures with what is asked."""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from redis.asyncio import Redis

from bench.record import Mark, Outcome, Track, at_least, at_most
from bench.redis import beside, cancelled, kept, load
from bench.redis.awake import awake
from bench.redis.machine import Load
from bench.redis.ours import Ours, OursPooled
from bench.redis.peer import PREFIX, RECORD, VALUE, Peer
from bench.redis.server import redis_server
from bench.redis.turns import Crowd, Effort, Timing, interleave

METHOD: Final = (
    "One process, one event loop, one redis-server on the same machine, 100 keys; programs of the lowest class spin "
    "beside them, so that no processor has to be woken up. In each round every client has one turn of about {turn:g} "
    "ms by so many tasks, in an order that changes; {rounds} rounds. Processor time of the "
    "whole process, and wall time; medians. A ratio is the median, over the rounds, of a client's time divided by that "
    "of aiocache_kit in the same round. redis-py counts with the best of its pools. Meanwhile other programs took "
    "{others} of {processors} processors."
)
FULL: Final = Effort(rounds=9, turn=0.03)
QUICK: Final = Effort(rounds=1, turn=0.001)
TASKS: Final = (1, 16, 64, 256)
KEYS: Final = [f"{PREFIX}{number}" for number in range(100)]
OURS: Final = Ours.name
REDIS_PY: Final = "redis-py"
LONG: Final = 1_000_000
"""Calls of ours of which some are cancelled."""
SHORT: Final = 20_000
"""The same of others, which are slower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One operation."""

    name: str
    title: str
    loop: str
    tasks: tuple[int, ...] = TASKS
    whole: bool = False
    """Whether one call takes all keys."""


CASES: Final = (
    Case(name="get", title="GET of 100 bytes, a hit", loop="get"),
    Case(name="set", title="SET of 100 bytes with ttl", loop="set"),
    Case(name="get_record", title="GET of a small dict as JSON, a hit", loop="get_record"),
    Case(name="set_record", title="SET of a small dict as JSON with ttl", loop="set_record"),
    Case(name="get_multi", title="100 values by one call", loop="get_multi", tasks=(1, 16), whole=True),
    Case(name="set_multi", title="100 values with ttl stored by one call", loop="set_multi", tasks=(1, 16), whole=True),
    Case(name="decorated", title="call of a cached function, a hit", loop="decorated", tasks=(1, 64)),
)
Timings = Mapping[str, Mapping[str, Mapping[str, Timing]]]
"""By case, by number of tasks, by client."""


async def measure(*, quick: bool, track: Track) -> Outcome:
    """Measure all of it."""
    effort = QUICK if quick else FULL
    cases = [replace(case, tasks=case.tasks[:2]) for case in CASES] if quick else CASES
    with redis_server() as port, awake():
        async with AsyncExitStack() as exits:
            exits.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore", DeprecationWarning)  # which some rivals call forth in redis-py
            peers = [Ours(), OursPooled(), *(kind() for kind in load())]
            for peer in peers:
                await peer.open(port, exits)
                await _check(peer)
            admin = Redis(port=port)
            exits.push_async_callback(admin.aclose)
            load_ = Load(admin)
            await load_.begin()
            timings = {case.name: await _run(case, peers, effort, track) for case in cases}
            others = await load_.others()
            storms = await _storms(peers, admin, quick=quick, track=track)
            delays = await _delays(peers, quick=quick, track=track)
            keepers = await exits.enter_async_context(kept.keepers(port))
            kept_reads = await kept.measure(keepers, peers[0], effort, track)
    processors = os.cpu_count() or 1
    results: dict[str, Any] = {
        name: {tasks: {who: asdict(timing) for who, timing in found.items()} for tasks, found in by_tasks.items()}
        for name, by_tasks in timings.items()
    }
    results["cancelled"] = {who: asdict(each) for who, each in storms.items()}
    results["kept"] = {
        name: {tasks: {who: asdict(timing) for who, timing in found.items()} for tasks, found in by_tasks.items()}
        for name, by_tasks in kept_reads.items()
    }
    results["beside"] = {who: asdict(each) for who, each in delays.items()}
    return Outcome(
        method=METHOD.format(turn=effort.turn * 1000, rounds=effort.rounds, others=others, processors=processors),
        results=results,
        marks=list(marks(timings, storms)),
        packages=["hiredis", *(peer.package for peer in peers)],
        settings={peer.name: peer.settings for peer in (*peers, *keepers)},
        tables=[*_tables(cases, timings), _storm_table(storms), _delay_table(delays), kept.table(kept_reads)],
    )


async def _check(peer: Peer) -> None:
    """Fill, and see that what is read is what was stored."""
    await peer.set_multi(KEYS)
    await peer.set(KEYS)
    assert await peer.read(KEYS[0]) == VALUE, f"{peer.name} does not hold what was stored"
    await peer.set_record(KEYS[:1])
    assert await peer.record(KEYS[0]) == RECORD, f"{peer.name} does not hold what was stored"


async def _run(case: Case, peers: Sequence[Peer], effort: Effort, track: Track) -> dict[str, dict[str, Timing]]:
    note = track(case.title, effort.rounds * len(case.tasks))
    loops = {peer.name: loop for peer in peers if (loop := peer.loop(case.loop)) is not None}
    for peer in peers:
        await (peer.set_record(KEYS) if case.loop.endswith("record") else peer.set(KEYS))
    found: dict[str, dict[str, Timing]] = {}
    for tasks in case.tasks:
        crowds = [Crowd(loop, KEYS, tasks, whole=case.whole) for loop in loops.values()]
        found[str(tasks)] = dict(zip(loops, await interleave(crowds, effort, note), strict=True))
    return found


async def _storms(peers: Sequence[Peer], admin: Redis, *, quick: bool, track: Track) -> dict[str, cancelled.Storm]:
    chosen = [peer for peer in peers if peer.name not in _NOT_CANCELLED]
    note = track("calls that are cancelled", len(chosen))
    found: dict[str, cancelled.Storm] = {}
    for peer in chosen:
        calls = 640 if quick else LONG if peer.name == OURS else SHORT
        found[peer.name] = await cancelled.storm(peer, calls, admin)
        note()
    return found


_NOT_CANCELLED: Final = {"cashews", "aiocache", "redis-py, one connection", "redis-py, unbounded pool"}
"""Those whose cancelled calls are redis-py's, and the pools that make it wait, or open a connection for each call."""


async def _delays(peers: Sequence[Peer], *, quick: bool, track: Track) -> dict[str, beside.Delays]:
    chosen = [peer for peer in peers if peer.name not in _NOT_CANCELLED]
    note = track("small reads beside large ones", len(chosen))
    found: dict[str, beside.Delays] = {}
    for peer in chosen:
        found[peer.name] = await beside.delays(peer, 0.05 if quick else 1.0)
        note()
    return found


# --- marks and tables ------------------------------------------------------------------------------------------------


def best(found: Mapping[str, Timing], who: str, figure: Callable[[Timing], float]) -> float | None:
    """Give the least figure of a library among its rows, None where it was not measured."""
    figures = [figure(timing) for name, timing in found.items() if name.partition(",")[0] == who and name != OURS]
    return min(figures, default=None)


def marks(timings: Timings, storms: Mapping[str, cancelled.Storm]) -> Iterator[Mark]:
    """Compare the figures with what is asked."""
    for name, tasks, who, limit in _asked():
        for of, figure in _FIGURES.items():
            times = best(timings[name].get(tasks, {}), who, figure)
            if times is None:
                continue
            if name.endswith("multi"):
                yield at_most(f"{name} of 100, against {who}, {of}", limit, 1 / times)
            else:
                yield at_least(f"{name}, {_tasks(tasks)}: times as fast as {who}, {of}", limit, times)
    yield at_most("5 % of the calls cancelled: wrong replies", 0, storms[OURS].wrong)
    yield at_most("5 % of the calls cancelled: new connections", 0, storms[OURS].connects)


def _asked() -> Iterator[tuple[str, str, str, float]]:
    """Give case, tasks, rival, and how many times as fast, or as long for many keys, it is to be."""
    for name in ("get", "set", "get_record", "set_record"):
        yield name, "64", REDIS_PY, 10
        yield name, "64", "valkey-glide", 6
        yield name, "64", "coredis", 6
        yield name, "1", REDIS_PY, 1.5
    yield "get_multi", "1", REDIS_PY, 1
    yield "set_multi", "1", REDIS_PY, 0.333
    yield "decorated", "64", "cashews", 4


def _cpu(timing: Timing) -> float:
    return timing.cpu_ratio


def _wall(timing: Timing) -> float:
    return timing.wall_ratio


_FIGURES: Final[Mapping[str, Callable[[Timing], float]]] = {"processor": _cpu, "wall": _wall}


def _tasks(tasks: str) -> str:
    return "1 task" if tasks == "1" else f"{tasks} tasks"


def _tables(cases: Sequence[Case], timings: Timings) -> Iterator[tuple[str, Sequence[str], Sequence[Sequence[str]]]]:
    for case in cases:
        found = timings[case.name]
        for of, unit in (("cpu", "processor time"), ("wall", "wall time")):
            columns = ["", *(text for tasks in found for text in (f"{_tasks(tasks)}, µs", "times"))]
            rows = [[who, *_row(found, who, of)] for who in found[str(case.tasks[0])]]
            yield f"{case.title}: {unit} of a call", columns, rows


def _row(found: Mapping[str, Mapping[str, Timing]], who: str, of: str) -> Iterator[str]:
    for by_name in found.values():
        timing = asdict(by_name[who])
        yield f"{timing[f'{of}_us']:,.1f}"
        yield f"{timing[f'{of}_ratio']:.2f}"


def _storm_table(storms: Mapping[str, cancelled.Storm]) -> tuple[str, Sequence[str], Sequence[Sequence[str]]]:
    columns = ("", "calls", "cancelled", "wrong replies", "errors", "new connections", "µs a call")
    rows = [
        [
            who,
            *(f"{count:,}" for count in (each.calls, each.cancelled, each.wrong, each.errors, each.connects)),
            f"{each.us:,.1f}",
        ]
        for who, each in storms.items()
    ]
    return f"{cancelled.TASKS} tasks, 5 % of the calls cancelled", columns, rows


def _delay_table(delays: Mapping[str, beside.Delays]) -> tuple[str, Sequence[str], Sequence[Sequence[str]]]:
    columns = ("ms", "p50 alone", "p99 alone", "p50 beside", "p99 beside", "large reads a second")
    rows = [
        [
            who,
            *(f"{of:,.2f}" for of in (each.p50_alone, each.p99_alone, each.p50_beside, each.p99_beside)),
            f"{each.large_reads:,.0f}",
        ]
        for who, each in delays.items()
    ]
    return f"{beside.TASKS} tasks with small reads, alone and beside {beside.READERS} that read 4 MB", columns, rows
