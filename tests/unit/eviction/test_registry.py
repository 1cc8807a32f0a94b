"""The names under which a configuration chooses."""

import pytest

from aiocache_kit.errors import ConfigError
from aiocache_kit.management.eviction import POLICIES, make_policy
from aiocache_kit.management.eviction.policy import Columns


def test_every_policy_is_found_by_its_own_name() -> None:
    """The nine words build the nine policies."""
    assert sorted(POLICIES) == ["adaptive", "fifo", "gdsf", "lfu", "lru", "random", "s3fifo", "sieve", "tinylfu"]
    for name in POLICIES:
        policy = make_policy(name, 10, Columns())
        assert policy.name == name
        assert policy.capacity == 10


def test_a_wrong_name_is_answered_with_the_right_ones() -> None:
    """The error names the field, what was given and all that is allowed, in one sentence."""
    with pytest.raises(ConfigError) as caught:
        make_policy("mru", 10, Columns())

    assert caught.value.field == "eviction_policy"
    assert str(caught.value) == (
        "eviction_policy is 'mru', but it must be one of adaptive, fifo, gdsf, lfu, lru, random, s3fifo, sieve, tinylfu"
    )
