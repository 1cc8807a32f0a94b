"""The ring: which nodes a key belongs to, by names and weights alone.

Each node has points on a circle of numbers; a key belongs to the nodes whose points come first from its own number on.
So a node that is added takes keys from all others and moves none between them, and one that is removed gives its own to
all others (Karger et al. 1997).

Rule 1: where a key lies depends on the names and weights of the nodes and on nothing else: neither on their order, nor
on the process, nor on the version of this package. Golden vectors hold that (tests/golden).
Rule 2: a ring does not change; another set of nodes is another ring.
Rule 3: more weight is more points, and the points that were there stay: changing a weight moves only its share. The
ketama points of last.fm's libketama, which other clients of memcached and Redis know, divide a fixed number of points
by weight instead, so that there a change of one weight moves keys between other nodes too, and so does adding a node
where weights are not all the same.
"""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b, md5
from types import MappingProxyType
from typing import Final

from aiocache_kit.errors import InvalidArgumentError

VIRTUAL_NODES: Final = 160
"""Virtual nodes of a node of weight 1."""
POINTS: Final = 8
"""Points of one virtual node: what one digest gives. With 160 of them each, the fullest of four nodes has about 3 per
cent more than its share, where points of which there are no more than virtual nodes leave it with 8."""
_KETAMA_DIGESTS: Final = 40
_MOST_NODES: Final = 1024
_MOST_VIRTUAL_NODES: Final = 10_000
_LEAST_WEIGHT: Final = 0.01
_GREATEST_WEIGHT: Final = 100.0
_INDEX_BITS: Final = 16
_INDEX: Final = (1 << _INDEX_BITS) - 1


class Ring:
    """Nodes by name with their weights, in the order of their points; `virtual_nodes` is that of a weight of 1."""

    __slots__ = ("_names", "_number", "_points", "_successors", "_width", "ketama", "virtual_nodes", "weights")

    def __init__(
        self, weights: Mapping[str, float], *, virtual_nodes: int = VIRTUAL_NODES, ketama: bool = False
    ) -> None:
        """Place the nodes. Raises `InvalidArgumentError` for no node, wrong names and wrong weights."""
        _check(weights, virtual_nodes)
        self.weights: Final[Mapping[str, float]] = MappingProxyType(dict(sorted(weights.items())))
        self.virtual_nodes: Final = virtual_nodes
        self.ketama: Final = ketama
        self._names = tuple(self.weights)
        self._number: Callable[[str], int] = ketama_number if ketama else number
        self._width = 32 if ketama else 64
        total = sum(weights.values())
        points: list[int] = []
        for index, (name, weight) in enumerate(self.weights.items()):
            own = (
                _ketama_points(name, weight / total * len(weights)) if ketama else _points(name, weight * virtual_nodes)
            )
            points.extend(point << _INDEX_BITS | index for point in own)  # one number each: sorts and bisects fastest
        points.sort()
        self._points = points
        self._successors: defaultdict[int, dict[int, tuple[str, ...]]] = defaultdict(dict)
        """For each count, who owns what lies before a point, as far as anybody has asked: as many as points at most."""

    def __repr__(self) -> str:
        return f"<Ring of {len(self._names)} nodes, {len(self._points)} points>"

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self.weights

    def owners(self, key: str, count: int = 1) -> tuple[str, ...]:
        """Give the `count` nodes that `key` belongs to, the first one first; all of them where there are fewer."""
        place = bisect_left(self._points, self._number(key) << _INDEX_BITS)
        known = self._successors[count]
        owners = known.get(place)
        if owners is None:
            owners = known[place] = tuple(self._from(place, min(count, len(self._names))))
        return owners

    def shares(self) -> dict[str, float]:
        """Give the share of all keys that belongs first to each node; they add up to 1."""
        shares = dict.fromkeys(self._names, 0)
        whole = 1 << self._width
        before = (self._points[-1] >> _INDEX_BITS) - whole
        for packed in self._points:
            point = packed >> _INDEX_BITS
            shares[self._names[packed & _INDEX]] += point - before
            before = point
        return {name: share / whole for name, share in shares.items()}

    def with_weight(self, name: str, weight: float) -> "Ring":
        """Give the ring in which the node `name` has this weight, whether it was there or not."""
        return Ring({**self.weights, name: weight}, virtual_nodes=self.virtual_nodes, ketama=self.ketama)

    def without(self, name: str) -> "Ring":
        """Give the ring without the node `name`; `InvalidArgumentError` where it is not there, or the only one."""
        if name not in self.weights:
            raise InvalidArgumentError("name must be that of a node, and there is none of that name")
        weights = {other: weight for other, weight in self.weights.items() if other != name}
        return Ring(weights, virtual_nodes=self.virtual_nodes, ketama=self.ketama)

    def _from(self, place: int, count: int) -> Iterator[str]:
        """Give the first `count` nodes met from a point on."""
        met = set[int]()
        for step in range(len(self._points)):
            index = self._points[(place + step) % len(self._points)] & _INDEX
            if index not in met:
                met.add(index)
                yield self._names[index]
            if len(met) == count:
                return


def number(key: str) -> int:
    """Give the place of a key on the circle, from 0 up to 2**64."""
    return int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def ketama_number(key: str) -> int:
    """Give the place of a key on the circle of ketama, from 0 up to 2**32."""
    digest = md5(key.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
    return int.from_bytes(digest[:4], "little")


def _points(name: str, virtual_nodes: float) -> Iterator[int]:
    for each in range(max(round(virtual_nodes), 1)):
        digest = blake2b(f"{each}:{name}".encode("utf-8", "surrogatepass"), digest_size=8 * POINTS).digest()
        for start in range(0, len(digest), 8):
            yield int.from_bytes(digest[start : start + 8], "big")


def _ketama_points(name: str, of_mean: float) -> Iterator[int]:
    """Give the points of a node whose weight is `of_mean` times the mean."""
    for each in range(math.floor(_KETAMA_DIGESTS * of_mean + 1e-9)):  # the sum of equal parts may fall short by a bit
        digest = md5(f"{name}-{each}".encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
        for start in range(0, 16, 4):
            yield int.from_bytes(digest[start : start + 4], "little")


def _check(weights: Mapping[str, float], virtual_nodes: int) -> None:
    if not 1 <= len(weights) <= _MOST_NODES:
        raise InvalidArgumentError(f"nodes must be 1 to {_MOST_NODES}, not {len(weights)}")
    if type(virtual_nodes) is not int or not 1 <= virtual_nodes <= _MOST_VIRTUAL_NODES:
        given = f"{virtual_nodes!r:.40}"
        raise InvalidArgumentError(f"virtual_nodes must be an int from 1 to {_MOST_VIRTUAL_NODES}, not {given}")
    for name, weight in weights.items():
        if type(name) is not str or not name:
            raise InvalidArgumentError("name of a node must be a non-empty str")
        if type(weight) not in {int, float} or not _LEAST_WEIGHT <= weight <= _GREATEST_WEIGHT:
            allowed = f"a number from {_LEAST_WEIGHT} to {_GREATEST_WEIGHT}"
            raise InvalidArgumentError(f"weight of a node must be {allowed}, not {weight!r:.40}")
