"""Servers as they might be, for rules, tables and pictures."""

from collections.abc import Mapping

from aiocache_kit.cli.readings import Reading

FIELDS: Mapping[str, str] = {
    "redis_version": "7.4.1",
    "role": "master",
    "uptime_in_seconds": "1903260",
    "connected_clients": "38",
    "maxclients": "10000",
    "used_memory": "412316860",
    "maxmemory": "536870912",
    "maxmemory_policy": "allkeys-lru",
    "mem_fragmentation_ratio": "1.08",
    "keyspace_hits": "81462310",
    "keyspace_misses": "4517702",
    "evicted_keys": "10233",
    "expired_keys": "733210",
    "instantaneous_ops_per_sec": "8123",
    "total_commands_processed": "9914412008",
    "total_net_input_bytes": "1024",
    "total_net_output_bytes": "2048",
    "rdb_last_bgsave_status": "ok",
    "aof_enabled": "0",
    "aof_last_write_status": "ok",
    "rejected_connections": "0",
    "db0": "keys=301244,expires=301240,avg_ttl=241000",
    "db1": "keys=6,expires=0,avg_ttl=0",
}


def reading(
    fields: Mapping[str, str] | None = None, *, name: str = "10.0.0.1:6379", ping: float = 0.00021, skew: float = 0.0
) -> Reading:
    """Give a server in good order, but for some fields."""
    return Reading(name=name, ping=ping, skew=skew, fields={**FIELDS, **(fields or {})})
