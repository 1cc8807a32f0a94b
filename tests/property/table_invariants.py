"""What must hold of a table between any two calls, looked up in its own columns."""

import copy
import math

from aiocache_kit.management.eviction.policy import NIL
from aiocache_kit.management.expiration import ExpiryBuckets
from aiocache_kit.storage.table import ASK, Table


def check_invariants(table: Table, now: float, *, policy: bool = True) -> None:
    """Assert that index, columns, free list, expiry buckets, bytes, extras and versions agree, and bounds hold.

    With `policy`, a copy of the eviction policy is emptied to see that it holds just what the table holds.
    """
    held, free = set(table.index.values()), set(table._free)
    slots = table.slots()
    columns = [len(table.columns.keys), len(table.hits), len(table.fresh), len(table.values), len(table.lives)]
    if table.weights is not None:
        columns.append(len(table.weights))

    assert set(columns) == {slots}
    assert len(table._free) == len(free)
    assert len(held) == len(table.index)
    assert not held & free
    assert held | free == set(range(slots))
    assert all(table.columns.keys[slot] == key for key, slot in table.index.items())
    assert all(table.columns.keys[slot] == "" and table.values[slot] is None for slot in free)
    assert set(table.extras) <= held
    assert set(table.validators) <= set(table.extras)
    assert set(table.versions) <= held
    assert {slot for slot in held if table.fresh[slot] == ASK} <= set(table.extras)
    assert len(set(table.versions.values())) == len(table.versions)
    assert table.bytes == (0 if table.weights is None else sum(table.weights[slot] for slot in held))
    assert len(held) <= table._max_entries
    assert table._max_bytes is None or table.bytes <= table._max_bytes
    check_expiry(table, held)
    if policy:
        check_policy(table, held, now)


def check_expiry(table: Table, held: set[int]) -> None:
    """Assert that each entry with an end waits in a bucket that is due in time, and that free slots wait in none."""
    buckets = in_buckets(table._expiry)
    assert len(table._expiry._order) == len(set(table._expiry._order)) == len(table._expiry._first)
    assert set(buckets) <= held
    for slot in held:
        _, dead_at = table._ends(slot)
        assert dead_at == math.inf or buckets[slot] <= dead_at + 1.0


def in_buckets(expiry: ExpiryBuckets) -> dict[int, int]:
    """Give the second of each slot that waits in a bucket, asserting that the lists are whole."""
    found: dict[int, int] = {}
    for second, first in expiry._first.items():
        before, slot = NIL, first
        while slot != NIL:
            assert slot not in found
            assert expiry._before[slot] == before
            found[slot] = second
            before, slot = slot, expiry._after[slot]
    for slot, due in enumerate(expiry._due):
        assert found.get(slot, expiry._last + 1) == due
    return found


def check_policy(table: Table, held: set[int], now: float) -> None:
    """Assert that the eviction policy would give up just the entries that the table holds, each once."""
    policy = copy.deepcopy(table._policy)
    victims: list[int] = []
    for _ in range(len(held)):
        victims.append(policy.evict(now))  # noqa: PERF401  - one after the other, as a table does it

    assert len(victims) == len(set(victims))
    assert set(victims) == held
