"""Where keys lie: stable for ever, even, and moved as little as can be."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uhashring import HashRing  # pyright: ignore[reportMissingTypeStubs]  - it has none

from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.storage.distributed.ring import Ring, number
from aiocache_kit.testing.contract import NASTY

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[3] / "golden" / "ring-v1.json").read_text("utf-8"))
KEYS = [f"user:{each}" for each in range(50_000)]

sizes = pytest.mark.parametrize("size", [3, 5, 10])
names = st.lists(st.text(min_size=1, max_size=20), min_size=2, max_size=6, unique=True)


def nodes(count: int) -> dict[str, float]:
    """Name some nodes of the same weight."""
    return {f"cache-{each}": 1.0 for each in range(count)}


def first(ring: Ring, keys: list[str] = KEYS) -> dict[str, str]:
    """Give the first owner of each key."""
    return {key: ring.owners(key)[0] for key in keys}


# --- stable ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", GOLDEN["rings"], ids=lambda case: case["name"])
def test_owners_are_what_they_ever_were(case: dict[str, Any]) -> None:
    """Every key of the golden file still belongs to the nodes it belonged to when the file was made."""
    ring = Ring(case["weights"], virtual_nodes=case["virtual_nodes"], ketama=case["ketama"])

    assert [[key, *ring.owners(key, 3)] for key, *_ in case["owners"]] == case["owners"]


def test_the_golden_file_holds_every_kind_of_key() -> None:
    """No kind of key was left out of what must stay as it is."""
    for case in GOLDEN["rings"]:
        assert {key for key, *_ in case["owners"]} >= {key for key in NASTY if len(key) < 300}


@pytest.mark.parametrize("seed", ["0", "1", "random"])
def test_owners_are_the_same_in_every_process(seed: str) -> None:
    """Neither the process, nor the seed of its hashes, nor the order of the nodes says where a key lies."""
    program = """
from aiocache_kit.storage.distributed.ring import Ring
ring = Ring({f"cache-{each}": 1.0 for each in reversed(range(4))})
print(*(ring.owners(f"user:{each}")[0] for each in range(500)))
"""
    here = first(Ring(nodes(4)), KEYS[:500])

    there = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.split() == list(here.values())


@given(names, st.randoms(), st.text())
def test_the_order_of_nodes_means_nothing(names: list[str], random: Any, key: str) -> None:  # noqa: ANN401  - hypothesis' own
    """The same nodes in another order are the same ring."""
    weights = dict.fromkeys(names, 1.0)
    random.shuffle(names)

    assert Ring(weights).owners(key, 3) == Ring(dict.fromkeys(names, 1.0)).owners(key, 3)


@pytest.mark.parametrize(
    "weights",
    [
        {"alone": 1},
        {f"cache-{each}": 1 for each in range(7)},
        {"10.0.0.1:11211": 1, "10.0.0.2:11211": 2, "other": 3},
        {f"cache-{each}": each % 3 + 1 for each in range(10)},
    ],
    ids=len,
)
def test_ketama_is_that_of_others(weights: dict[str, int]) -> None:
    """In the mode ketama every key belongs to the node that another implementation, uhashring, gives for it."""
    theirs: Any = HashRing(weights, hash_fn="ketama")
    ours = Ring(weights, ketama=True)

    assert [ours.owners(key)[0] for key in KEYS[:5000]] == [theirs.get_node(key) for key in KEYS[:5000]]


# --- even ------------------------------------------------------------------------------------------------------------


def test_keys_are_spread_evenly() -> None:
    """Of 50,000 keys over four nodes the fullest has at most a tenth more than its share."""
    counts = Counter(first(Ring(nodes(4))).values())

    assert max(counts.values()) <= 1.10 * len(KEYS) / 4


def test_shares_are_those_of_keys() -> None:
    """What `shares` tells adds up to 1, and is what keys are counted by."""
    ring = Ring({"a": 1.0, "b": 2.0, "c": 0.5})
    counts, shares = Counter(first(ring).values()), ring.shares()

    assert sum(shares.values()) == pytest.approx(1.0)
    for name in ring.weights:
        assert counts[name] / len(KEYS) == pytest.approx(shares[name], abs=0.01)
        assert shares[name] == pytest.approx(ring.weights[name] / 3.5, rel=0.15)


@given(names)
def test_no_names_make_a_ring_uneven(names: list[str]) -> None:
    """Whatever the nodes are called, the fullest has at most 15 per cent more than its share."""
    assert max(Ring(dict.fromkeys(names, 1.0)).shares().values()) <= 1.15 / len(names)


# --- moving ----------------------------------------------------------------------------------------------------------


@sizes
def test_a_new_node_takes_its_share(size: int) -> None:
    """A node that is added to N takes at most 1.15/(N+1) of the keys, and no key moves between the old ones."""
    before = first(Ring(nodes(size)))
    after = first(Ring(nodes(size)).with_weight("new", 1.0))
    moved = {key for key in KEYS if before[key] != after[key]}

    assert len(moved) <= 1.15 * len(KEYS) / (size + 1)
    assert {after[key] for key in moved} == {"new"}


@sizes
def test_a_node_that_leaves_moves_only_its_keys(size: int) -> None:
    """Removing a node moves its keys and no other, and adding it again brings back exactly what was."""
    ring = Ring(nodes(size))
    before, without = first(ring), ring.without("cache-0")
    after = first(without)

    assert {key for key in KEYS if before[key] != after[key]} == {key for key in KEYS if before[key] == "cache-0"}
    assert first(without.with_weight("cache-0", 1.0)) == before


@pytest.mark.parametrize("weight", [0.5, 1.5])
def test_a_weight_moves_only_its_share(weight: float) -> None:
    """Keys move to the node whose weight grows, or away from the one whose weight shrinks, and nowhere else."""
    ring = Ring(nodes(4))
    before, after = first(ring), first(ring.with_weight("cache-1", weight))
    moved = [key for key in KEYS if before[key] != after[key]]

    assert 0.05 < len(moved) / len(KEYS) < 0.2
    assert all((after if weight > 1 else before)[key] == "cache-1" for key in moved)


@given(names, st.text())
def test_a_new_node_only_comes_between(names: list[str], key: str) -> None:
    """Among several owners a new node takes its place, and the others keep their order."""
    before = Ring(dict.fromkeys(names[1:], 1.0)).owners(key, 3)
    after = Ring(dict.fromkeys(names, 1.0)).owners(key, 3)

    assert [name for name in after if name != names[0]] == list(before)[: len(after) - (names[0] in after)]


# --- owners ----------------------------------------------------------------------------------------------------------


def test_owners_are_different_nodes() -> None:
    """Several owners are as many different nodes, or all of them where there are fewer."""
    ring = Ring(nodes(3))

    for key in NASTY:
        assert len(set(ring.owners(key, 2))) == 2
        assert set(ring.owners(key, 5)) == set(nodes(3))
        assert ring.owners(key, 2)[:1] == ring.owners(key)


def test_a_ring_says_what_it_is() -> None:
    """A ring has a length, knows its nodes, and shows no names."""
    ring = Ring(nodes(2))

    assert (len(ring), "cache-0" in ring, "other" in ring) == (2, True, False)
    assert repr(ring) == "<Ring of 2 nodes, 2560 points>"


def test_any_text_has_a_place() -> None:
    """Half of a surrogate pair is a key like any other."""
    assert 0 <= number("\ud800") < 2**64


@pytest.mark.parametrize(
    ("weights", "options", "named"),
    [
        ({}, {}, "nodes"),
        ({"": 1.0}, {}, "name"),
        ({1: 1.0}, {}, "name"),
        ({"a": 0.0}, {}, "weight"),
        ({"a": float("nan")}, {}, "weight"),
        ({"a": True}, {}, "weight"),
        ({"a": "1"}, {}, "weight"),
        ({"a": 1.0}, {"virtual_nodes": 0}, "virtual_nodes"),
        ({"a": 1.0}, {"virtual_nodes": True}, "virtual_nodes"),
        ({"a": 1.0}, {"virtual_nodes": 1.5}, "virtual_nodes"),
    ],
    ids=str,
)
def test_wrong_nodes_are_refused(weights: Any, options: Any, named: str) -> None:  # noqa: ANN401  - wrong on purpose
    """No node, a name that is none and a weight that is none are refused in words that name them."""
    with pytest.raises(InvalidArgumentError, match=named):
        Ring(weights, **options)


def test_only_a_node_can_leave() -> None:
    """A node that is not there cannot be removed, and neither can the last one."""
    with pytest.raises(InvalidArgumentError, match="none of that name"):
        Ring(nodes(2)).without("other")
    with pytest.raises(InvalidArgumentError, match="1 to"):
        Ring(nodes(1)).without("cache-0")
