"""From plain arguments to a channel: one server, sentinels or a cluster, by shared connections or by a pool.

Rule: nothing is connected here; a channel connects when it is opened or first used.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from typing import Final

from aiocache_kit.management.circuit_breaker import CircuitBreaker
from aiocache_kit.storage.redis.attempts import Attempts, Times
from aiocache_kit.storage.redis.circuits import Circuits
from aiocache_kit.storage.redis.cluster import Cluster
from aiocache_kit.storage.redis.dial import Dialer, Host, Place
from aiocache_kit.storage.redis.link import Channel, Link
from aiocache_kit.storage.redis.pool import Pool
from aiocache_kit.storage.redis.sentinel import Sentinels
from aiocache_kit.storage.redis.tracking import Hooks, Tracking

_LEAST_UNREAD: Final = 2**28
_VALUES_UNREAD: Final = 4
"""What a reply may have in bytes: this much, or so many of the largest values, whichever is more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How to come to one installation of Redis."""

    place: Place
    """The server, where there are neither sentinels nor a cluster."""
    sentinels: Sequence[Host] = ()
    """Who is asked which server is the master."""
    service: str = ""
    """The name by which they know it."""
    sentinel_dialer: Dialer | None = None
    """How to connect to them."""
    cluster: Sequence[Host] = ()
    """Some nodes of a cluster."""
    dialer: Dialer
    times: Times
    retries: int = 2
    """How often a command that failed for the network is tried again, where that is allowed."""
    pool_size: int | None = None
    """Connections to each server, one for a call at a time; None: two, which all tasks share."""
    breaker_failures: int | None = None
    """Failures in a row after which calls fail at once; None: never."""
    breaker_wait: float = 1.0
    """Seconds until a call tries again then."""
    largest_value: int = 2**26
    """Bytes that one value may take."""
    tracking: Tracking | None = None
    """What keeps replies until Redis tells of changes, by hooks of its own for each `Link`; None: nothing does."""

    circuits: Circuits = field(default_factory=Circuits)
    """All breakers that are made, for who watches them."""

    def breaker(self) -> CircuitBreaker | None:
        """Give a breaker for one server; it never waits longer than the first time, so that no outage is prolonged."""
        if self.breaker_failures is None:
            return None
        wait = self.breaker_wait
        return self.circuits.add(CircuitBreaker(failures=self.breaker_failures, wait=wait, longest_wait=wait))

    @property
    def most_unread(self) -> int:
        """Bytes that a reply may have."""
        return max(_LEAST_UNREAD, _VALUES_UNREAD * self.largest_value)


def new_channel(way: Way) -> Channel:
    """Make the channel."""
    if way.cluster:
        return Cluster(way.cluster, way.dialer, partial(_node, way), times=way.times)
    attempts = Attempts(times=way.times, retries=way.retries, breaker=way.breaker())
    return _server(way, locating(way), attempts)


def _node(way: Way, place: Host) -> Channel:
    attempts = Attempts(times=way.times, retries=way.retries, breaker=way.breaker(), waits=frozenset())
    return _server(way, partial(_known, place), attempts)


def _server(way: Way, locate: Callable[[], Awaitable[Place]], attempts: Attempts) -> Channel:
    if way.pool_size is not None:
        return Pool(way.dialer, locate, attempts, size=way.pool_size)
    hooks: Hooks = {} if way.tracking is None else way.tracking.hooks()
    return Link(way.dialer, locate, attempts, most_unread=way.most_unread, **hooks)


def locating(way: Way) -> Callable[[], Awaitable[Place]]:
    """Give what tells the place of the server that takes changes; of a cluster, of one of its nodes after the other."""
    if way.cluster:
        nodes = cycle(way.cluster)
        return lambda: _known(next(nodes))
    if way.sentinels:
        own = way.sentinel_dialer or way.dialer
        return Sentinels(way.sentinels, way.service, own=own, masters=way.dialer, timeout=way.times.connect).locate
    return partial(_known, way.place)


async def _known(place: Place) -> Place:
    return place


def host_of(address: str) -> Host:
    """Give the host of an address such as ``name:6379`` or ``[::1]:6379``."""
    name, _, port = address.rpartition(":")
    return Host(name.strip("[]"), int(port))
