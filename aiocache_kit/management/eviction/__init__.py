"""Which entry gives up its place: one policy a file, and the names under which a configuration chooses among them.

Rule 1: `policy.py` says what a policy is and in which order the table calls it; everything else here follows from that.
"""

from random import Random

from aiocache_kit.errors import ConfigError
from aiocache_kit.management.eviction.adaptive import Adaptive
from aiocache_kit.management.eviction.fifo import Fifo
from aiocache_kit.management.eviction.gdsf import Gdsf
from aiocache_kit.management.eviction.lfu import Lfu
from aiocache_kit.management.eviction.lru import Lru
from aiocache_kit.management.eviction.policy import Columns, EvictionPolicy
from aiocache_kit.management.eviction.random_choice import RandomChoice
from aiocache_kit.management.eviction.s3fifo import S3Fifo
from aiocache_kit.management.eviction.sieve import Sieve
from aiocache_kit.management.eviction.tinylfu import TinyLfu

POLICIES: dict[str, type[EvictionPolicy]] = {
    policy.name: policy for policy in (Lru, Lfu, Fifo, RandomChoice, Sieve, S3Fifo, TinyLfu, Gdsf, Adaptive)
}
"""Each policy under its word in a configuration."""


def make_policy(name: str, capacity: int, columns: Columns, random: Random | None = None) -> EvictionPolicy:
    """Build the policy called `name`, empty, for `capacity` entries, or bytes where `columns` has weights.

    `random` is what a policy that draws lots draws from; None is a generator with a fixed seed. Raises `ConfigError`
    where no policy is called so.
    """
    policy = POLICIES.get(name)
    if policy is None:
        raise ConfigError("eviction_policy", f"is {name!r}, but it must be one of {', '.join(sorted(POLICIES))}")
    return policy(capacity, columns, random)
