"""Which entry gives up its place: one policy a file, and the names under which a configuration chooses among them.

Rule 1: `policy.py` says what a policy is and in which order the table calls it; everything else here follows from that.
Rule 2: a policy is loaded when it is chosen, for a program uses one or two of them and would wait for all at its start.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

from aiocache_kit.errors import ConfigError

if TYPE_CHECKING:
    from random import Random

    from aiocache_kit.management.eviction.policy import Columns, EvictionPolicy

POLICIES: Final[Mapping[str, str]] = {
    "lru": "lru.Lru",
    "lfu": "lfu.Lfu",
    "fifo": "fifo.Fifo",
    "random": "random_choice.RandomChoice",
    "sieve": "sieve.Sieve",
    "s3fifo": "s3fifo.S3Fifo",
    "tinylfu": "tinylfu.TinyLfu",
    "gdsf": "gdsf.Gdsf",
    "adaptive": "adaptive.Adaptive",
}
"""The module and the class of each policy, under its word in a configuration."""


def make_policy(name: str, capacity: int, columns: "Columns", random: "Random | None" = None) -> "EvictionPolicy":
    """Build the policy called `name`, empty, for `capacity` entries, or bytes where `columns` has weights.

    `random` is what a policy that draws lots draws from; None is a generator with a fixed seed. Raises `ConfigError`
    where no policy is called so.
    """
    if name not in POLICIES:
        raise ConfigError("eviction_policy", f"is {name!r}, but it must be one of {', '.join(sorted(POLICIES))}")
    module, _, kind = POLICIES[name].partition(".")
    policy: type[EvictionPolicy] = getattr(import_module(f"{__name__}.{module}"), kind)
    return policy(capacity, columns, random)
