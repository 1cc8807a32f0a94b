"""The check-up itself: the rules in order, and the asking that they need.

Rule 1: what cannot be reached is a finding, and what else can be looked at still is.
Rule 2: at the end a value is stored, read and removed through a provider as the program would, in a namespace of
doctor's own; a directory that is not there, or that a program has to itself, is left alone.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from os import urandom
from typing import Final

from aiocache_kit.cli.doctor.findings import Finding, Severity, good, note, problem, warning
from aiocache_kit.cli.doctor.of_config import of_codec, of_config, of_secrets
from aiocache_kit.cli.doctor.of_directory import of_directory
from aiocache_kit.cli.doctor.of_group import look_at_cluster, look_at_sentinels
from aiocache_kit.cli.doctor.of_server import of_server, of_servers
from aiocache_kit.cli.doctor.rights import look_at_rights
from aiocache_kit.cli.exits import Exit, exit_of
from aiocache_kit.cli.knock import is_open, why
from aiocache_kit.cli.readings import Servers, servers_of
from aiocache_kit.cli.sources import Cache, Place
from aiocache_kit.cli.texts import plural, time_text
from aiocache_kit.clock import Clock, stopwatch
from aiocache_kit.errors import CacheError, StorageAccessError, StorageUnavailableError
from aiocache_kit.provider import Provider

NAMESPACE: Final = "aiocache_kit doctor"
_VALUE: Final = {"a": [1, 2.5, None, "ä"], "b": True}
_LIFE: Final = 10.0


class Examined:
    """What was found so far, and the exit code that it asks for."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.findings: Final[list[Finding]] = []
        self.away: Exit | None = None
        """Why something could not be asked: `Exit.UNREACHABLE` or `Exit.REFUSED`; None: all of it could."""

    def add(self, findings: Iterable[Finding], subject: str = "") -> None:
        """Add findings; `subject` is whom those are about that do not say."""
        self.findings.extend(each if each.subject else replace(each, subject=subject) for each in findings)


async def examine(cache: Cache, clock: Clock, told: Callable[[int], None] = lambda _: None) -> Examined:
    """Look at everything; `told` hears of each step."""
    examined = Examined()
    for place in cache.places:
        about = place.name or "configuration"
        examined.add(await asyncio.to_thread(_of_settings, place), about)
        told(1)
        if place.config.provider == "redis" and not _has_problem(examined, about):
            await _look_at_redis(examined, cache, place, clock)
        elif place.config.provider == "file":
            examined.add(await asyncio.to_thread(of_directory, place.config), place.name or "directory")
        told(1)
    examined.add(_of_layers(cache), "layers")
    if not any(each.severity is Severity.PROBLEM for each in examined.findings):
        examined.add(await _try_out(examined, cache), "round trip")
    return examined


def _of_settings(place: Place) -> list[Finding]:
    own = [] if place.is_copy else list(of_config(place.config))
    return [*own, *of_codec(place.config), *of_secrets(place.config)]


def _has_problem(examined: Examined, subject: str) -> bool:
    return any(each.subject == subject and each.severity is Severity.PROBLEM for each in examined.findings)


def _of_layers(cache: Cache) -> Iterator[Finding]:
    if cache.kind != "layered":
        return
    lowest = cache.truths[-1].config
    if not cache.has_backplane and (lowest.provider == "redis" or lowest.file_config.shared):
        yield warning(
            "layers.backplane",
            "the layers have no backplane: other processes go on giving old copies until those end by themselves",
            "use backplane pubsub or streams, or give the upper layers a short ttl",
        )


# --- redis ----------------------------------------------------------------------------------------------------------


async def _look_at_redis(examined: Examined, cache: Cache, place: Place, clock: Clock) -> None:
    config = place.config
    plain = replace(config.redis_config, client_cache=None, breaker_failures=None, max_retries=0)
    about = place.name or "redis"
    if config.redis_config.sentinel is not None:
        examined.add(await look_at_sentinels(replace(config, redis_config=plain), clock), "sentinels")
    try:
        async with servers_of(replace(config, redis_config=plain), clock) as servers:
            await _ask(examined, cache, place, servers, about)
    except CacheError as error:
        failure = await why(error, config)
        examined.away = examined.away or exit_of(error)
        check = "server.access" if isinstance(error, StorageAccessError) else "server.reachable"
        examined.add([problem(check, failure.problem, failure.advice or "look at redis_config")], about)
        return
    if await is_open(config):
        examined.add(
            [
                warning(
                    "server.open",
                    "whoever reaches the server may read and change everything: it asks for no password",
                    "give it a password or users (requirepass, ACL), and let it listen where it must only",
                )
            ],
            about,
        )


async def _ask(examined: Examined, cache: Cache, place: Place, servers: Servers, about: str) -> None:
    config = place.config
    if config.redis_config.cluster:
        examined.add(await look_at_cluster(servers.channel), "cluster")
    try:
        readings = await servers.read()
    except StorageAccessError:
        examined.add([_blind(config.redis_config.username)], about)
    else:
        for reading in readings:
            examined.add(of_server(reading, config))
        examined.add(of_servers(readings), about)
        if servers.away:
            examined.add([_away(servers.away)], about)
    has_backplane = cache.kind == "layered" and cache.has_backplane and not place.is_copy
    examined.add(
        await look_at_rights(servers.channel, config.redis_config, has_backplane=has_backplane), place.name or "rights"
    )


def _away(count: int) -> Finding:
    return problem(
        "server.away",
        f"{plural(count, 'server')} of the cluster cannot be reached",
        "start it again, or look at the network",
    )


def _blind(username: str | None) -> Finding:
    return note(
        "server.info",
        "the user may not ask the server about itself (INFO), so its memory, eviction and disk were not looked at",
        f"run doctor as another user, or grant it for the moment: ACL SETUSER {username or 'default'} +info",
    )


# --- a round trip ---------------------------------------------------------------------------------------------------


async def _try_out(examined: Examined, cache: Cache) -> list[Finding]:
    """Store, read and remove a value, where there is anything to be tried."""
    if any(place.config.provider == "null" for place in cache.truths):
        return [note("trip.null", "the provider null keeps nothing: loads are shared, and that is all")]
    if any(each.check == "directory.missing" for each in examined.findings):
        return []
    try:
        provider = await asyncio.to_thread(cache.to_try)
        try:
            return [await _trip(provider)]
        finally:
            await provider.close()
    except CacheError as error:
        if "in use" in str(error):
            return [_IN_USE]
        if isinstance(error, StorageUnavailableError):
            examined.away = Exit.UNREACHABLE
        return [problem("trip.failed", str(error), "correct the configuration, or look at the other findings")]


_IN_USE: Final = note(
    "trip.in_use",
    "a process has the directory to itself, as it should be while the program runs",
    "stop the program for a check-up that stores and reads",
)


async def _trip(provider: Provider) -> Finding:
    space = provider.namespace(NAMESPACE)
    key = urandom(8).hex()
    start = stopwatch()
    await space.set(key, _VALUE, ttl=_LIFE)
    found = await space.get(key)
    await space.delete(key)
    took = stopwatch() - start
    if found != _VALUE:
        return problem("trip.value", "what was stored did not come back the same", "look at serialization_format")
    return good("trip.value", f"a value was stored, read and removed in {time_text(took)}")
