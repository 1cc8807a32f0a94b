"""Providers over Redis servers of tests."""

from collections.abc import Sequence
from typing import Any

from aiocache_kit import Config, Provider, new_provider
from aiocache_kit.config import RedisConfig, SentinelConfig
from tests.servers.cluster import Cluster
from tests.servers.sentinel import SentinelTrio
from tests.servers.server import Server

WAYS = {"multiplexed": True, "pooled": False}


def to(server: Server, **fields: Any) -> Provider:  # noqa: ANN401  - fields of all types
    """Make a provider over one server."""
    return over(RedisConfig(addr=f"{server.host}:{server.port}", **fields))


def to_port(port: int, **fields: Any) -> Provider:  # noqa: ANN401  - as above
    """Make a provider over what listens at a port of this machine."""
    return over(RedisConfig(addr=f"127.0.0.1:{port}", **fields))


def to_cluster(cluster: Cluster, *, seeds: Sequence[Server] = (), **fields: Any) -> Provider:  # noqa: ANN401  - as above
    """Make a provider over a cluster, of which it is told `seeds`, or two nodes."""
    nodes = [f"{node.host}:{node.port}" for node in seeds or cluster.nodes[:2]]
    return over(RedisConfig(cluster=True, cluster_addrs=nodes, **fields))


def to_trio(trio: SentinelTrio, **fields: Any) -> Provider:  # noqa: ANN401  - as above
    """Make a provider over what the sentinels say."""
    guards = SentinelConfig(addrs=[f"{host}:{port}" for host, port in trio.addresses], service_name=trio.service)
    return over(RedisConfig(sentinel=guards, **fields))


def over(config: RedisConfig, **fields: Any) -> Provider:  # noqa: ANN401  - as above
    """Make a provider; its own upkeep is left out, so that a test sees what it does itself."""
    return new_provider(Config(provider="redis", redis_config=config, cleanup_interval="1h", **fields))


def clients(server: Server) -> int:
    """Count the connections by network that clients have to a server."""
    return sum("addr=127.0.0.1" in line for line in str(server.ask("CLIENT", "LIST", "TYPE", "normal")).splitlines())
