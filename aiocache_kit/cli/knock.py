"""Why a server cannot be reached: a knock at its door by a connection of its own, when a call has failed already.

The storage tries again and again within the time of a call, and gives the kind of failure. Here the address is tried
once, plainly, and what comes back is looked at: nothing, a refusal, something that is no Redis, or one that speaks TLS.
"""

import asyncio
from contextlib import suppress
from ipaddress import ip_address
from typing import Final, cast

from aiocache_kit.cli.failures import HUNG_UP, SILENT, Failure, explain
from aiocache_kit.config import Config
from aiocache_kit.errors import CacheError, StorageAccessError

_PATIENCE: Final = 1.0
_PING: Final = b"PING\r\n"
_MOST: Final = 64
_TLS_ALERT: Final = b"\x15\x03"


async def why(error: CacheError, config: Config) -> Failure:
    """Say why `error` was raised by a storage of `config`; knocks where that may tell more than the error does."""
    known = explain(error)
    if config.provider != "redis" or "in use" in str(error):
        return known
    if isinstance(error, StorageAccessError) and "TLS" in str(error):
        return known
    found = [await _knock(config, place) for place in places_of(config)]
    told = [failure for failure in found if failure is not None]
    if told and len(told) == len(found):
        return told[0]
    if isinstance(error, StorageAccessError) and not config.redis_config.password:
        return _NO_PASSWORD
    return known


async def is_open(config: Config) -> bool:
    """Whether a server that others can reach takes commands from somebody who gives no password."""
    part = config.redis_config
    if part.unix_socket is not None or part.tls is not False:
        return False
    for place in places_of(config):
        if part.sentinel is None and not is_near(place):
            with suppress(OSError):
                return (await _said(config, place)).startswith(b"+PONG")
    return False


_NO_PASSWORD: Final = Failure(
    "the server asks for a password, and none was given",
    "give redis_config.password, and username if it is not default",
)
_NO_REDIS: Final = Failure("something listens there that does not speak as Redis does", "correct the host and the port")
_NO_TLS: Final = Failure("the server does not speak TLS", "use redis:// instead of rediss://, or let it speak TLS")
_TLS: Final = Failure("the server speaks TLS", "use rediss:// instead of redis://, or redis_config.tls")


def places_of(config: Config) -> list[str]:
    """Give the addresses that are configured: of sentinels, where these know the rest."""
    part = config.redis_config
    if part.unix_socket is not None:
        return [str(part.unix_socket)]
    if part.sentinel is not None:
        return list(part.sentinel.addrs)
    return list(part.cluster_addrs) if part.cluster else [part.addr]


def is_near(place: str) -> bool:
    """Whether an address is of this machine."""
    name = place.rpartition(":")[0].strip("[]")
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


async def _knock(config: Config, place: str) -> Failure | None:
    """Say what is wrong at one address; None: a Redis server is there, and takes whoever speaks as configured."""
    try:
        answer = await _said(config, place)
    except TimeoutError:
        return SILENT
    except OSError as error:
        return explain(error)
    is_redis = answer.startswith((b"+PONG", b"-NOAUTH", b"-DENIED", b"-ERR", b"-LOADING", b"-NOPERM"))
    if config.redis_config.tls is not False:
        return _NO_TLS if is_redis else None
    if answer.startswith(_TLS_ALERT):
        return _TLS
    if not answer:
        return HUNG_UP
    return None if is_redis else _NO_REDIS


async def _said(config: Config, place: str) -> bytes:
    """Give the beginning of what comes back to a PING in clear text; empty where the connection is closed instead."""
    async with asyncio.timeout(_PATIENCE):
        if config.redis_config.unix_socket is not None:
            reader, writer = await asyncio.open_unix_connection(cast("str", config.redis_config.unix_socket))
        else:
            host, _, port = place.rpartition(":")
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        try:
            writer.write(_PING)
            with suppress(ConnectionError):
                return await reader.read(_MOST)
            return b""
        finally:
            writer.transport.abort()
