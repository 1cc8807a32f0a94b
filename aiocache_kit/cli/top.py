"""What servers do now: two readings, and the difference between them a second.

Rule 1: another process's counters cannot be seen. What can be seen from outside is what servers count, for all who use
them; and for directories, how much lies there. The head of the table says so.
Rule 2: a server that is away is shown as away, and asked again the next time.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiocache_kit.cli.exits import Exit
from aiocache_kit.cli.failures import explain
from aiocache_kit.cli.readings import Reading, Servers
from aiocache_kit.cli.screen import Screen
from aiocache_kit.cli.sources import Cache, Place
from aiocache_kit.cli.tables import Cell, Column, Line, Part, Span, Style, Table
from aiocache_kit.cli.texts import count_text, plural, safe, size_text, sparkline, time_text
from aiocache_kit.cli.views import of_fullness, of_rate
from aiocache_kit.clock import Clock, stopwatch
from aiocache_kit.errors import CacheError, UnsupportedError

_REMEMBERED: Final = 12
_SPARE: Final = {"evicted/s": 1, "hits/s": 2, "misses/s": 3, "": 4, "expired/s": 5, "keys": 6, "clients": 7, "ping": 8}
_COUNTED: Final = {
    "operations": "total_commands_processed",
    "hits": "keyspace_hits",
    "misses": "keyspace_misses",
    "evicted": "evicted_keys",
    "expired": "expired_keys",
    "received": "total_net_input_bytes",
    "sent": "total_net_output_bytes",
}
"""What is shown a second, and the counters of INFO that tell it."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What one server did a second, between two readings."""

    reading: Reading
    """The later one."""
    per_second: Mapping[str, float]

    @property
    def hit_rate(self) -> float | None:
        """The share of look-ups between the readings that found something; None where there were none."""
        reads = self.per_second["hits"] + self.per_second["misses"]
        return self.per_second["hits"] / reads if reads else None

    def as_dict(self) -> dict[str, object]:
        """Give it fit for JSON."""
        reading = self.reading
        return {
            "name": reading.name,
            **{f"{name}_per_second": value for name, value in self.per_second.items()},
            "hit_rate": self.hit_rate,
            "clients": int(reading.number("connected_clients")),
            "keys": reading.keys,
            "memory": int(reading.number("used_memory")),
            "max_memory": int(reading.number("maxmemory")) or None,
            "ping": reading.ping,
        }


def between(before: Reading, after: Reading, seconds: float) -> Rates:
    """Give what a server did between two readings; what it counted anew since, if it was started again meanwhile."""
    rates: dict[str, float] = {}
    for name, counter in _COUNTED.items():
        change = after.number(counter) - before.number(counter)
        rates[name] = (change if change >= 0 else after.number(counter)) / seconds if seconds > 0 else 0.0
    return Rates(after, rates)


@dataclass(slots=True)
class History:
    """The last figures of each server, for a line that shows how they went."""

    operations: dict[str, deque[float]] = field(default_factory=dict[str, deque[float]])

    def note(self, rates: Sequence[Rates]) -> None:
        """Remember what servers do now."""
        for each in rates:
            known = self.operations.setdefault(each.reading.name, deque(maxlen=_REMEMBERED))
            known.append(each.per_second["operations"])

    def line(self, name: str) -> str:
        """Draw what is remembered of a server."""
        return sparkline(self.operations.get(name, ())).rjust(_REMEMBERED)


def frame(
    rates: Sequence[Rates], away: Mapping[str, str], history: History, *, what: str, interval: float
) -> list[Part]:
    """Lay out what servers do now, and which are away and why."""
    every = f"every {time_text(interval)}"
    head = [
        Span("aiocache-kit top", Style.STRONG),
        Span(f"  {safe(what)}, {plural(len(rates), 'server')}, {every}", Style.FAINT),
    ]
    names = (
        "server",
        "ops/s",
        "",
        "hit rate",
        "hits/s",
        "misses/s",
        "evicted/s",
        "expired/s",
        "memory",
        "keys",
        "clients",
        "ping",
    )
    columns = [Column(name, is_number=name not in {"server", ""}, spare=_SPARE.get(name, 0)) for name in names]
    rows: list[Sequence[Cell]] = [_row(each, history) for each in rates]
    if len(rates) > 1:
        rows.append(_total(rates))
    lines: list[Part] = [Line(Span(f"{safe(name)}: {why}", Style.BAD)) for name, why in away.items()]
    caption = "Servers count for all programs that use them. Ctrl-C ends."
    return [Line(head), *lines, Table(columns, rows, caption=caption)]


def _row(rates: Rates, history: History) -> Sequence[Cell]:
    reading, each = rates.reading, rates.per_second
    evicted = Span(count_text(each["evicted"]), Style.WARNING if each["evicted"] else Style.PLAIN)
    return [
        safe(reading.name),
        count_text(each["operations"]),
        Span(history.line(reading.name), Style.NOTE),
        of_rate(rates.hit_rate),
        count_text(each["hits"]),
        count_text(each["misses"]),
        evicted,
        count_text(each["expired"]),
        of_fullness(reading),
        count_text(reading.keys),
        count_text(reading.number("connected_clients")),
        time_text(reading.ping),
    ]


def _total(rates: Sequence[Rates]) -> Sequence[Cell]:
    def total(name: str) -> float:
        return sum(each.per_second[name] for each in rates)

    reads = total("hits") + total("misses")
    texts = [
        "all",
        count_text(total("operations")),
        "",
        of_rate(total("hits") / reads if reads else None),
        *(count_text(total(name)) for name in ("hits", "misses", "evicted", "expired")),
        size_text(sum(each.reading.number("used_memory") for each in rates)),
        count_text(sum(each.reading.keys for each in rates)),
        "",
        "",
    ]
    return [Span(text, Style.STRONG) if isinstance(text, str) else text for text in texts]


# --- watching -------------------------------------------------------------------------------------------------------


class _Watched:
    """The servers of one place, asked again and again."""

    def __init__(self, place: Place, clock: Clock) -> None:
        self.name = place.name or place.config.redis_config.addr
        self._servers = Servers(place.config, clock)
        self._last: dict[str, Reading] = {}
        self._at = 0.0

    async def open(self) -> None:
        await self._servers.open()
        self._take(await self._servers.read(pings=1))

    def _take(self, readings: Sequence[Reading]) -> list[Rates]:
        now = stopwatch()
        rates = [between(self._last.get(each.name, each), each, now - self._at) for each in readings]
        self._last = {each.name: each for each in readings}
        self._at = now
        return rates

    async def rates(self) -> list[Rates]:
        return self._take(await self._servers.read(pings=1))

    @property
    def away(self) -> int:
        return self._servers.away

    async def close(self) -> None:
        await self._servers.close()


async def watch(
    screen: Screen, cache: Cache, clock: Clock, *, interval: float, count: int | None, as_json: bool
) -> Exit:
    """Show what servers do every `interval` seconds, `count` times; None: until somebody ends it."""
    places = [place for place in cache.truths if place.config.provider == "redis"]
    if not places:
        raise UnsupportedError(_nothing_to_see(cache))
    watched = [_Watched(place, clock) for place in places]
    history = History()
    try:
        await _begin(watched)
        with screen.in_place() as show:
            done = 0
            while count is None or done < count:
                await clock.sleep(interval)
                rates, away = await _look(watched)
                history.note(rates)
                if as_json:
                    _write(screen, rates, away, clock, interval)
                else:
                    show(frame(rates, away, history, what=cache.words, interval=interval))
                done += 1
    finally:
        for each in watched:
            await each.close()
    return Exit.DONE


async def _begin(watched: Sequence[_Watched]) -> None:
    """Connect; raises why not, where nobody can be reached."""
    found = await asyncio.gather(*(each.open() for each in watched), return_exceptions=True)
    wrong = [outcome for outcome in found if outcome is not None]
    for outcome in wrong:
        if len(wrong) == len(watched) or not isinstance(outcome, CacheError):
            raise outcome


async def _look(watched: Sequence[_Watched]) -> tuple[list[Rates], dict[str, str]]:
    rates: list[Rates] = []
    away: dict[str, str] = {}
    found = await asyncio.gather(*(each.rates() for each in watched), return_exceptions=True)
    for each, outcome in zip(watched, found, strict=True):
        if isinstance(outcome, CacheError):
            away[each.name] = explain(outcome).problem
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            rates += outcome
            if each.away:
                away[each.name] = f"{plural(each.away, 'server')} cannot be reached"
    return rates, away


def _write(screen: Screen, rates: Sequence[Rates], away: Mapping[str, str], clock: Clock, interval: float) -> None:
    screen.write_json(
        {
            "at": clock.time(),
            "interval": interval,
            "servers": [each.as_dict() for each in rates],
            "away": dict(away),
        },
        indent=None,
    )


def _nothing_to_see(cache: Cache) -> str:
    if cache.kind == "custom":
        return "what a program's own object does is seen in that program alone: name its servers, by --url or --node"
    if cache.kind == "file":
        return "a directory tells nothing while it is used: `stats` counts what lies in it"
    return f"what the provider {cache.kind} does is seen in the process that made it alone: its dashboard shows it live"
