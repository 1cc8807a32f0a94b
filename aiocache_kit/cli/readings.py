"""What Redis servers tell of themselves (INFO, PING, TIME), one reading a server; and what lies under a prefix.

Rule 1: a server counts for all who use it. Hits and evictions of other programs are in its figures, and whoever shows
them says so.
Rule 2: names are counted by SCAN, which never holds a server for long, and no value is read for it.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final, Protocol
from urllib.parse import unquote

from aiocache_kit.clock import Clock, stopwatch
from aiocache_kit.config import Config
from aiocache_kit.errors import StorageError, StorageUnavailableError
from aiocache_kit.factory import new_redis_channel

_PINGS: Final = 5
_SCANNED: Final = 1000
_SPECIAL: Final = re.compile(rb"[\\*?\[\]^]")
_NAMESPACES: Final = re.compile(r"(?:@[^@:]+:)+")
_MARKS: Final = {"t": "tags", "s": "leases", "l": "locks", "f": "fencing numbers", "d": "marks of doctor"}
_MICRO: Final = 1e-6


class Server(Protocol):
    """One server, as the storage reaches it."""

    async def call(self, command: tuple[bytes | str | int, ...], *, key: bytes = b"", again: bool = False) -> Any:  # noqa: ANN401  - what Redis answers
        """Send a command and give its reply."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one server told."""

    name: str
    """Its address."""
    ping: float
    """Seconds of a round trip: the median of a few."""
    skew: float
    """Seconds that its clock is ahead of this machine's."""
    fields: Mapping[str, str] = field(repr=False)
    """What INFO gave."""

    def number(self, name: str) -> float:
        """Give a field that is a number; 0.0 where it is not there."""
        try:
            number = float(self.fields.get(name, "0"))
        except ValueError:
            return 0.0
        return number if isfinite(number) else 0.0

    @property
    def hit_rate(self) -> float | None:
        """The share of look-ups that found something, since the server started; None before the first one."""
        reads = self.number("keyspace_hits") + self.number("keyspace_misses")
        return self.number("keyspace_hits") / reads if reads else None

    @property
    def keys(self) -> int:
        """Names in all its databases."""
        databases = (text for name, text in self.fields.items() if re.fullmatch(r"db\d+", name))
        return sum(int(found[1]) for text in databases if (found := re.match(r"keys=(\d+)", text)))

    def as_dict(self) -> dict[str, object]:
        """Give what `stats` shows, fit for JSON."""
        return {
            "name": self.name,
            "version": self.fields.get("redis_version", ""),
            "role": self.fields.get("role", ""),
            "uptime": self.number("uptime_in_seconds"),
            "ping": self.ping,
            "clients": int(self.number("connected_clients")),
            "operations_per_second": self.number("instantaneous_ops_per_sec"),
            "hits": int(self.number("keyspace_hits")),
            "misses": int(self.number("keyspace_misses")),
            "hit_rate": self.hit_rate,
            "evicted": int(self.number("evicted_keys")),
            "expired": int(self.number("expired_keys")),
            "keys": self.keys,
            "memory": int(self.number("used_memory")),
            "max_memory": int(self.number("maxmemory")) or None,
            "policy": self.fields.get("maxmemory_policy", ""),
        }


class Servers:
    """The servers of one configuration for redis."""

    def __init__(self, config: Config, clock: Clock) -> None:
        """Connect when first asked."""
        self._config = config
        self._clock = clock
        self.channel: Final = new_redis_channel(config)
        self.away = 0
        """How many servers could not be reached when they were last read."""

    async def open(self) -> None:
        """Connect; raises `StorageError`."""
        await self.channel.open()

    async def close(self) -> None:
        """Let go of all connections."""
        await self.channel.close()

    async def read(self, *, pings: int = _PINGS) -> list[Reading]:
        """Ask every server that holds keys of its own, side by side; `pings` round trips are timed.

        Those that cannot be reached are counted as `away`; where that is all of them, and for other errors, it raises.
        """
        servers: list[Server] = list(self.channel.servers())
        found = await asyncio.gather(
            *(self._read(server, number, pings) for number, server in enumerate(servers)), return_exceptions=True
        )
        readings = [outcome for outcome in found if isinstance(outcome, Reading)]
        for outcome in found:
            if isinstance(outcome, BaseException) and (
                not readings or not isinstance(outcome, StorageUnavailableError)
            ):
                raise outcome
        self.away = len(found) - len(readings)
        return readings

    async def _read(self, server: Server, number: int, pings: int) -> Reading:
        times: list[float] = []
        for _ in range(pings):
            start = stopwatch()
            await server.call((b"PING",), again=True)
            times.append(stopwatch() - start)
        before = self._clock.time()
        seconds, micros = await server.call((b"TIME",), again=True)
        skew = int(seconds) + int(micros) * _MICRO - (before + self._clock.time()) / 2
        fields = fields_in(bytes(await server.call((b"INFO",), again=True)))
        return Reading(
            name=await self._name(server, number, fields), ping=sorted(times)[len(times) // 2], skew=skew, fields=fields
        )

    async def _name(self, server: Server, number: int, fields: Mapping[str, str]) -> str:
        part = self._config.redis_config
        if part.cluster:
            return await _own_address(server) or f"node {number + 1}, port {fields.get('tcp_port', '?')}"
        if part.sentinel is not None:
            return f"{part.sentinel.service_name}, port {fields.get('tcp_port', '?')}"
        return part.addr if part.unix_socket is None else str(part.unix_socket)


@asynccontextmanager
async def servers_of(config: Config, clock: Clock) -> AsyncGenerator[Servers]:
    """Give the servers of a configuration, connected; let go of them at the end."""
    servers = Servers(config, clock)
    try:
        await servers.open()
        yield servers
    finally:
        await servers.close()


async def _own_address(server: Server) -> str:
    """Give the address by which the nodes of a cluster know one of them; "" where it may not be asked."""
    try:
        nodes = bytes(await server.call((b"CLUSTER", b"NODES"), again=True)).decode("utf-8", "replace")
    except StorageError:
        return ""
    return next((line.split()[1].partition("@")[0] for line in nodes.splitlines() if "myself" in line), "")


def fields_in(info: bytes) -> dict[str, str]:
    """Read what INFO gives: a field a line."""
    lines = info.decode("utf-8", "replace").splitlines()
    pairs = (line.partition(":") for line in lines if line and not line.startswith("#"))
    return {name: value for name, mark, value in pairs if mark}


# --- names ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Names:
    """How many names begin with a prefix, by what they are."""

    items: Counter[str] = field(default_factory=Counter[str])
    """Items by namespace, "" for none."""
    own: Counter[str] = field(default_factory=Counter[str])
    """What the library keeps for itself: generations of tags, leases, locks."""

    def take(self, rest: str) -> None:
        """Count a name by what follows the prefix."""
        if rest.startswith("@:"):
            self.own[_MARKS.get(rest[2:3], "other")] += 1
            return
        found = _NAMESPACES.match(rest)
        names = [] if found is None else [unquote(name) for name in found[0].strip("@:").split(":@")]
        self.items["/".join(names)] += 1

    def as_dict(self) -> dict[str, object]:
        """Give all of it, fit for JSON."""
        return {
            "items": self.items.total(),
            "by_namespace": dict(sorted(self.items.items())),
            "own": dict(sorted(self.own.items())),
        }


async def count_names(servers: Servers, prefix: str, told: Callable[[int], None]) -> Names:
    """Count the names that begin with `prefix`, server by server; `told` hears how many more were looked at."""
    start = prefix.encode("utf-8", "surrogatepass")
    pattern = _SPECIAL.sub(rb"\\\g<0>", start) + b"*"
    names = Names()
    for server in servers.channel.servers():
        cursor: Any = b"0"
        while True:
            cursor, found = await server.call((b"SCAN", cursor, b"MATCH", pattern, b"COUNT", _SCANNED), again=True)
            for name in found:
                names.take(name[len(start) :].decode("utf-8", "replace"))
            told(len(found))
            if int(cursor) == 0:
                break
    return names
