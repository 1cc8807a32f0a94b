"""What doctor says of configurations, servers, groups of servers and directories."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aiocache_kit import Config, FileConfig, LoadConfig, RedisConfig, TLSConfig
from aiocache_kit.cli.doctor.findings import Finding, Severity, worst
from aiocache_kit.cli.doctor.of_config import of_codec, of_config, of_secrets
from aiocache_kit.cli.doctor.of_directory import of_directory
from aiocache_kit.cli.doctor.of_group import Watch, of_cluster, of_sentinels
from aiocache_kit.cli.doctor.of_server import of_server, of_servers
from tests.unit.cli.facts import reading

PASSWORD = "geheim"  # noqa: S105  - opens nothing
GOOD = Config(
    provider="redis",
    encryption_keys=["0f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff0"],
    max_value_size="1MiB",
    redis_config=RedisConfig(addr="10.0.0.1", username="app", password=PASSWORD, tls=True, key_prefix="app:"),
)


def said(findings: Iterable[Finding]) -> dict[str, str]:
    """Give the severities of what is not good, by check; each finding is whole."""
    kept = list(findings)
    assert all(finding.sentence and PASSWORD not in finding.sentence for finding in kept)
    assert all(finding.advice for finding in kept if finding.severity >= Severity.WARNING)
    return {finding.check: finding.severity.word for finding in kept if finding.severity is not Severity.GOOD}


def test_the_worst_finding_counts() -> None:
    """And nothing found is good."""
    assert worst([]) is Severity.GOOD
    assert worst([Finding(Severity.NOTE, "a", "b"), Finding(Severity.WARNING, "c", "d")]) is Severity.WARNING


# --- configurations -------------------------------------------------------------------------------------------------


def test_a_configuration_in_good_order_is_left_alone() -> None:
    """Nobody is told what he has done already."""
    assert said(of_config(GOOD)) == {}


@pytest.mark.parametrize(
    ("config", "found"),
    [
        (Config(), {"memory.own": "note"}),
        (Config(max_entries=10**9), {"memory.own": "note", "memory.unbounded": "warning"}),
        (Config(provider="null", default_ttl=None), {"ttl.never": "note"}),
        (Config(provider="null", default_ttl=0.1), {"ttl.short": "note"}),
        (Config(provider="null", default_ttl="40d"), {"ttl.long": "note"}),
        (Config(provider="null", load_config=LoadConfig(negative_ttl=None)), {"loads.negative_ttl": "warning"}),
        (Config(provider="null", load_config=LoadConfig(negative_ttl="1h")), {"loads.negative_ttl": "warning"}),
        (
            Config(provider="null", load_config=LoadConfig(timeout=1, stale_timeout=2)),
            {"loads.stale_timeout": "warning"},
        ),
        (Config(provider="file", file_config=FileConfig(dir="x")), {"file.max_size": "warning"}),
        (Config(provider="file", max_size="1GB", file_config=FileConfig(dir="x")), {}),
    ],
)
def test_what_is_odd_in_a_configuration_is_told(config: Config, found: Mapping[str, str]) -> None:
    """Bounds that are none, ttls that hardly help, and loads that contradict themselves."""
    assert said(of_config(config)) == found


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"tls": False}, {"redis.clear_text": "warning"}),
        ({"tls": False, "addr": "127.0.0.1"}, {}),
        ({"tls": False, "addr": "[::1]:6379"}, {}),
        ({"tls": TLSConfig(check_hostname=False)}, {"redis.check_hostname": "warning"}),
        ({"username": None}, {"redis.default_user": "note"}),
        ({"key_prefix": "aiocache:"}, {"redis.key_prefix": "note"}),
        ({"lease_ttl": 2}, {"redis.lease_ttl": "warning"}),
        ({"read_timeout": 30, "lease_ttl": 100}, {"redis.read_timeout": "note"}),
        ({"on_unavailable": "miss", "breaker_failures": None}, {"redis.breaker": "warning"}),
    ],
)
def test_what_is_odd_about_redis_is_told(fields: dict[str, Any], found: Mapping[str, str]) -> None:
    """Clear text, rights, prefixes and times."""
    part = replace(GOOD.redis_config, **fields)
    config = Config(provider="redis", encryption_keys=GOOD.encryption_keys, redis_config=part)

    assert said(of_config(config)) == found


def test_values_that_anybody_may_change_are_noted() -> None:
    """Neither signed nor encrypted is a choice, so it is a note."""
    config = Config(provider="redis", redis_config=GOOD.redis_config)

    assert said(of_config(config)) == {"redis.seal": "note"}


def test_secrets_that_others_may_read_are_told(tmp_path: Path) -> None:
    """A file for the owner alone is in order, and one that is not there is another rule's."""
    path = tmp_path / "secrets"
    path.write_text("geheim", "ascii")
    config = Config(provider="redis", encryption="aes-256-gcm", encryption_keys_file=path)

    path.chmod(0o640)
    assert said(of_secrets(config)) == {"secrets.mode": "warning"}
    path.chmod(0o600)
    assert said(of_secrets(config)) == {}
    assert said(of_codec(config)) == {"codec.secrets": "problem"}
    path.unlink()
    assert said(of_secrets(config)) == {}


# --- servers --------------------------------------------------------------------------------------------------------


def test_a_server_in_good_order_is_told_to_be() -> None:
    """What was looked at and found good is there for who asks."""
    found = list(of_server(reading(), GOOD))

    assert said(found) == {}
    assert {finding.check for finding in found} == {"server.latency", "server.policy"}
    assert {finding.subject for finding in found} == {"10.0.0.1:6379"}


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"maxmemory": "0"}, {"server.maxmemory": "warning"}),
        ({"maxmemory_policy": "noeviction"}, {"server.policy": "warning"}),
        ({"maxmemory_policy": "noeviction", "used_memory": "536000000"}, {"server.policy": "problem"}),
        ({"maxmemory": "1000000"}, {"server.max_value_size": "note"}),
        ({"redis_version": "5.0.14"}, {"server.version": "problem"}),
        ({"redis_version": ""}, {}),
        ({"role": "slave"}, {"server.role": "problem"}),
        ({"loading": "1"}, {"server.loading": "warning"}),
        ({"rdb_last_bgsave_status": "err"}, {"server.snapshot": "problem"}),
        ({"aof_last_write_status": "err"}, {"server.append_only": "problem"}),
        ({"aof_enabled": "1"}, {"server.append_only": "note"}),
        ({"connected_clients": "9000"}, {"server.clients": "warning"}),
        ({"rejected_connections": "7"}, {"server.rejected": "warning"}),
        ({"mem_fragmentation_ratio": "1.9"}, {"server.fragmentation": "note"}),
        ({"used_memory": "not a number"}, {}),
    ],
)
def test_what_a_server_tells_is_judged(fields: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Memory, eviction, version, role, disk and clients."""
    assert said(of_server(reading(fields), GOOD)) == found


@pytest.mark.parametrize(("ping", "found"), [(0.02, "warning"), (0.4, "problem")])
def test_a_slow_server_is_told(ping: float, found: str) -> None:
    """First where a value is hardly worth the wait, then where calls are about to fail."""
    assert said(of_server(reading(ping=ping), GOOD)) == {"server.latency": found}


def test_a_wrong_clock_is_noted_and_two_that_differ_are_worse() -> None:
    """One server counts by its own clock; two of one cache had better agree."""
    early, late = reading(skew=-90), reading({"redis_version": "7.2.0"}, skew=3600)

    assert said(of_server(early, GOOD)) == {"server.clock": "note"}
    assert said(of_servers([early, late])) == {"servers.clocks": "warning", "servers.versions": "note"}
    assert said(of_servers([early, early])) == {}
    assert said(of_servers([])) == {}


def test_items_that_are_never_evicted_are_told() -> None:
    """A policy for what has a ttl, and a default of none."""
    config = Config(provider="redis", default_ttl=None, max_value_size="1MiB")
    found = said(of_server(reading({"maxmemory_policy": "volatile-lru"}), config))

    assert found == {"server.policy": "warning"}


# --- groups ---------------------------------------------------------------------------------------------------------

STATE = {"cluster_state": "ok", "cluster_slots_assigned": "16384"}
NODES = [
    "aa 10.0.0.1:6379@16379 myself,master - 0 0 1 connected 0-8191",
    "bb 10.0.0.2:6379@16379 master - 0 0 2 connected 8192-16383",
    "cc 10.0.0.3:6379@16379 slave aa 0 0 1 connected",
    "dd 10.0.0.4:6379@16379 slave bb 0 0 2 connected",
]


def test_a_cluster_is_judged() -> None:
    """Slots without an owner, nodes that failed, and masters without a replica."""
    failed = [line.replace("slave bb", "slave,fail bb") for line in NODES]

    assert said(of_cluster(STATE, NODES)) == {}
    assert said(of_cluster({**STATE, "cluster_slots_assigned": "9"}, NODES)) == {"cluster.slots": "problem"}
    assert said(of_cluster({**STATE, "cluster_state": "fail"}, NODES)) == {"cluster.state": "problem"}
    assert said(of_cluster(STATE, NODES[:3])) == {"cluster.replicas": "warning"}
    assert said(of_cluster(STATE, failed)) == {"cluster.failed": "warning", "cluster.replicas": "warning"}


def test_sentinels_are_judged() -> None:
    """Who is silent, who knows nobody, and whether they could replace a master."""
    good = Watch("a:1", master="m:1", replicas=1, others=2, has_quorum=True)
    silent, ignorant = Watch("b:1", failure="nothing listens"), Watch("c:1")
    alone = Watch("a:1", master="m:1", others=0)

    assert said(of_sentinels([good, good, good], "main")) == {}
    assert said(of_sentinels([good, silent], "main")) == {"sentinel.silent": "warning"}
    assert said(of_sentinels([silent], "main")) == {"sentinel.silent": "problem"}
    assert said(of_sentinels([ignorant], "main")) == {"sentinel.service": "problem"}
    assert said(of_sentinels([alone], "main")) == {
        "sentinel.quorum": "problem",
        "sentinel.few": "warning",
        "sentinel.replicas": "warning",
    }
    other = Watch("b:1", master="n:1", replicas=1, others=2, has_quorum=True)
    assert said(of_sentinels([good, other], "main")) == {"sentinel.masters": "problem"}


# --- directories ----------------------------------------------------------------------------------------------------


def directory(path: Path, **fields: Any) -> Config:  # noqa: ANN401  - see Config
    """Give a configuration for files."""
    return Config(provider="file", file_config=FileConfig(dir=path), max_value_size="1KiB", **fields)


def test_a_directory_is_judged(tmp_path: Path) -> None:
    """Whether it is there, is one, is safe, and has room."""
    path = tmp_path / "cache"

    assert said(of_directory(directory(path))) == {"directory.missing": "note"}
    path.write_text("", "utf-8")
    assert said(of_directory(directory(path))) == {"directory.kind": "problem"}
    path.unlink()
    path.mkdir(0o700)
    assert "directory.mode" not in said(of_directory(directory(path)))
    path.chmod(0o755)
    assert said(of_directory(directory(path)))["directory.mode"] == "note"
    path.chmod(0o777)
    assert said(of_directory(directory(path)))["directory.mode"] == "problem"
    path.chmod(0o700)
    assert said(of_directory(directory(path, max_size=10**17)))["directory.room"] in {"note", "warning"}
    link = tmp_path / "link"
    link.symlink_to(path)
    assert said(of_directory(directory(link))) == {"directory.kind": "problem"}
