"""What a configuration makes of Redis: the way to its servers, and what is kept of it here.

Rule 1: a `Config` was checked when it was built, and its fields have their one form: durations are floats, sizes ints.
Rule 2: this is imported by those who have Redis, and by nobody else.
"""

from dataclasses import replace
from typing import cast

from aiocache_kit.config.config import Config
from aiocache_kit.config.parts import RedisConfig, TLSConfig
from aiocache_kit.storage.redis.attempts import Times
from aiocache_kit.storage.redis.building import Way, host_of
from aiocache_kit.storage.redis.dial import TLS, Dialer
from aiocache_kit.storage.redis.tracking import LIFE_IN_CLUSTER, Tracking


def tracking_of(part: RedisConfig) -> Tracking | None:
    """Make what keeps here what was read, and hears of changes; None: nothing is kept."""
    if part.client_cache is None:
        return None
    most = cast("int", part.client_cache)
    return Tracking(most, life=LIFE_IN_CLUSTER) if part.cluster else Tracking(most)


def way_of(config: Config, tracking: Tracking | None = None) -> Way:
    """Make the way to the servers of `config`, none of which is asked yet; `tracking` None: they tell of no changes."""
    part = config.redis_config
    dialer = Dialer(
        username=part.username,
        password=part.password,
        db=part.db,
        tls=_tls(part.tls),
        protocol=part.protocol,
        timeout=cast("float", part.dial_timeout),
    )
    guards = part.sentinel
    return Way(
        place=host_of(part.addr) if part.unix_socket is None else str(part.unix_socket),
        dialer=dialer,
        cluster=[host_of(each) for each in part.cluster_addrs],
        sentinels=() if guards is None else [host_of(each) for each in guards.addrs],
        service="" if guards is None else guards.service_name,
        sentinel_dialer=None
        if guards is None
        else replace(dialer, username=guards.username, password=guards.password, db=0),
        times=Times(
            connect=cast("float", part.dial_timeout),
            send=cast("float", part.write_timeout),
            answer=cast("float", part.read_timeout),
            free=0.0 if part.multiplexed else cast("float", part.pool_timeout),
        ),
        pool_size=None if part.multiplexed else part.pool_size,
        retries=part.max_retries,
        breaker_failures=part.breaker_failures,
        breaker_wait=cast("float", part.breaker_wait),
        largest_value=cast("int", config.max_value_size),
        tracking=tracking,
    )


def _tls(part: bool | TLSConfig) -> TLS | None:  # noqa: FBT001  - as it is configured
    if part is False:
        return None

    if part is True:
        return TLS()
    return TLS(
        ca_file=cast("str | None", part.ca_file),
        cert_file=cast("str | None", part.cert_file),
        key_file=cast("str | None", part.key_file),
        check_hostname=part.check_hostname,
    )
