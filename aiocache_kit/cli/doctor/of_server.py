"""Rules about one Redis server, by what it tells of itself. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, cast

from aiocache_kit.cli.doctor.findings import Finding, good, note, problem, warning
from aiocache_kit.cli.readings import Reading
from aiocache_kit.cli.texts import age_text, count_text, share_text, size_text, time_text
from aiocache_kit.config import Config

_OLDEST: Final = 6
_SLOW_PING: Final = 0.01
_MOST_SKEW: Final = 1.0
_NEARLY_FULL: Final = 0.9
_MANY_CLIENTS: Final = 0.8
_LOOSE: Final = 1.5
_LOOSE_FROM: Final = 100 * 2**20
_POLICY: Final = (
    "set maxmemory and maxmemory-policy allkeys-lru (or volatile-lru where other programs keep things there)"
)


def of_server(reading: Reading, config: Config) -> Iterator[Finding]:
    """Judge one server."""
    for rule in (_of_answers, _of_role, _of_memory, _of_disk, _of_clients, _of_clock):
        for finding in rule(reading, config):
            yield replace(finding, subject=reading.name)


def _of_answers(reading: Reading, config: Config) -> Iterator[Finding]:
    version, limit = reading.fields.get("redis_version", "?"), cast("float", config.redis_config.read_timeout)
    said = f"answers in {time_text(reading.ping)}: Redis {version}, up {age_text(reading.number('uptime_in_seconds'))}"
    if reading.ping > limit / 4:
        yield problem(
            "server.latency",
            f"an answer takes {time_text(reading.ping)}, and calls give up after {time_text(limit)}",
            "run the program nearer to the server, find what holds the server (SLOWLOG GET), or raise read_timeout",
        )
    elif reading.ping > _SLOW_PING:
        yield warning(
            "server.latency",
            f"an answer takes {time_text(reading.ping)}, which many values are not worth waiting for",
            "run the program nearer to the server, or put memory in front of it as a layer",
        )
    else:
        yield good("server.latency", said)
    major = version.partition(".")[0]
    if major.isdigit() and int(major) < _OLDEST:
        yield problem("server.version", f"Redis {version} is too old", "use Redis 6 or newer, or Valkey")


def _of_role(reading: Reading, config: Config) -> Iterator[Finding]:
    del config
    if reading.fields.get("role") == "slave":
        yield problem(
            "server.role",
            "it is a replica, which takes no writes",
            "give the address of the master, or use redis_config.sentinel, which finds it",
        )
    if reading.number("loading"):
        yield warning("server.loading", "it is still loading its data", "wait until it is done")


def _of_memory(reading: Reading, config: Config) -> Iterator[Finding]:
    most, used = reading.number("maxmemory"), reading.number("used_memory")
    policy = reading.fields.get("maxmemory_policy", "")
    if not most:
        yield warning(
            "server.maxmemory",
            f"its memory has no bound (maxmemory is 0, {size_text(used)} are used): it grows as long as it can",
            _POLICY,
        )
    elif policy == "noeviction":
        state = problem if used > most * _NEARLY_FULL else warning
        yield state(
            "server.policy",
            f"it evicts nothing (noeviction), and writes fail at {size_text(most)} ({share_text(used / most)} used)",
            "set maxmemory-policy allkeys-lru (or volatile-lru where other programs keep things there)",
        )
    elif policy.startswith("volatile-") and config.default_ttl is None:
        yield warning(
            "server.policy",
            f"it evicts only what has a ttl ({policy}), and default_ttl is None: such items stay for ever",
            "give default_ttl, or set maxmemory-policy allkeys-lru",
        )
    else:
        yield good("server.policy", f"makes room by {policy} at {size_text(most)} ({share_text(used / most)} used)")
    largest = cast("int", config.max_value_size)
    if most and largest > most / 2:
        yield note(
            "server.max_value_size",
            f"one value may have {size_text(largest)}, and there is room for {size_text(most)} in all",
            "make max_value_size smaller",
        )
    if used > _LOOSE_FROM and reading.number("mem_fragmentation_ratio") > _LOOSE:
        yield note(
            "server.fragmentation",
            f"it holds {reading.number('mem_fragmentation_ratio'):.1f} times the memory that its data need",
            "consider activedefrag yes",
        )


def _of_disk(reading: Reading, config: Config) -> Iterator[Finding]:
    del config
    if reading.fields.get("rdb_last_bgsave_status", "ok") != "ok":
        yield problem(
            "server.snapshot",
            "its last snapshot failed, and it refuses writes then (unless stop-writes-on-bgsave-error is no)",
            'look at its log and its disk; a cache needs no snapshots: save ""',
        )
    if reading.fields.get("aof_last_write_status", "ok") != "ok":
        yield problem("server.append_only", "it cannot write its append-only file", "look at its log and its disk")
    elif reading.number("aof_enabled"):
        yield note(
            "server.append_only",
            "it writes every change to an append-only file, which a cache seldom needs",
            "set appendonly no, unless other programs keep things there",
        )


def _of_clients(reading: Reading, config: Config) -> Iterator[Finding]:
    del config
    now, most = reading.number("connected_clients"), reading.number("maxclients")
    if most and now > most * _MANY_CLIENTS:
        yield warning(
            "server.clients",
            f"{count_text(now)} of {count_text(most)} connections are in use",
            "find who leaves connections open (CLIENT LIST), or raise maxclients",
        )
    if rejected := reading.number("rejected_connections"):
        yield warning(
            "server.rejected",
            f"it has turned {count_text(rejected)} connections away since it started",
            "raise maxclients, or use fewer connections",
        )


def _of_clock(reading: Reading, config: Config) -> Iterator[Finding]:
    del config
    if abs(reading.skew) > _MOST_SKEW:
        where = "ahead of" if reading.skew > 0 else "behind"
        yield note(
            "server.clock",
            f"its clock is {age_text(abs(reading.skew))} {where} this machine's; items are counted by the server's",
            "set both by the network (NTP), so that logs can be compared",
        )


def of_servers(readings: Sequence[Reading]) -> Iterator[Finding]:
    """Judge servers beside one another."""
    skews = [reading.skew for reading in readings]
    apart = max(skews) - min(skews) if skews else 0.0
    if apart > _MOST_SKEW:
        yield warning(
            "servers.clocks",
            f"the servers' clocks differ by {age_text(apart)}: stale items may be taken for fresh ones",
            "set the clocks of all servers by the network (NTP)",
        )
    versions = sorted({reading.fields.get("redis_version", "?") for reading in readings})
    if len(versions) > 1:
        yield note("servers.versions", f"the servers are of several versions: {', '.join(versions)}")
