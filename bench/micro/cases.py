"""The operations that are compared, and the keys that each of them is given.

Rule: a case says everything that differs between cases; what runs it knows none of them by name.
"""

from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import Final

HOT: Final = ["user:12345"] * 20_000
"""One key, again and again: what is measured is the code and not the machine's caches."""


def spread(count: int) -> list[str]:
    """Give `count` keys in an order that no cache of the machine can foresee, several times over."""
    keys = [f"user:{number}" for number in range(count)]
    draw = Random(1)
    return [key for _ in range(4) for key in draw.sample(keys, count)]


def fresh(count: int) -> list[str]:
    """Give `count` keys, each of them once."""
    return [f"fresh:{number}" for number in range(count)]


def zipf(count: int, distinct: int, exponent: float) -> list[str]:
    """Give `count` keys of a population whose n-th most popular is asked for n ** -exponent as often as the first."""
    draw = Random(1)
    weights = list(accumulate((rank + 1) ** -exponent for rank in range(distinct)))
    total = weights[-1]
    names = [f"user:{number}" for number in range(distinct)]
    draw.shuffle(names)
    return [names[bisect(weights, draw.random() * total)] for _ in range(count)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One operation."""

    name: str
    title: str
    """What the reader of a table sees."""
    loop: str
    """The loop of `Subject` that is timed; ``decorated:`` before the word for how a decorator makes its key."""
    keys: Callable[[], Sequence[str]]
    filled: Callable[[], Sequence[str]] = field(default=list[str])
    """What is in the cache beforehand."""
    entries: int = 20_000
    """Room in the cache."""
    again: bool = False
    """Whether the cache is made anew each time the keys have been gone through."""
    step: int = 1
    """Keys that one call takes."""
    floor: str = ""
    """The loop of the floor, where it is another one."""
    base: str = "floor"
    """The subject that the others are divided by."""
    variations: bool = False
    """Measure the variations of aiocache_kit, and nobody else."""
    watched: bool = False
    """Measure aiocache_kit while somebody watches it, against itself."""


def hot() -> list[str]:
    """Give the one hot key."""
    return HOT[:1]


def hundred() -> list[str]:
    """Give the keys of one page, so to speak."""
    return [f"user:{number}" for number in range(100)]


CASES: Final = (
    Case(name="get", title="get, a hit", loop="get", keys=lambda: HOT, filled=hot),
    Case(
        name="get_spread",
        title="get, a hit among 10,000 keys",
        loop="get",
        keys=lambda: spread(10_000),
        filled=lambda: spread(10_000)[:10_000],
    ),
    Case(name="get_or_set", title="get_or_set, a hit", loop="get_or_set", keys=lambda: HOT, filled=hot),
    Case(name="miss", title="get, a miss", loop="get", keys=lambda: ["absent:1"] * 20_000, filled=hot),
    Case(name="set", title="set with ttl, over a value", loop="set", keys=lambda: HOT, filled=hot),
    Case(
        name="set_spread",
        title="set with ttl, over values of 10,000 keys",
        loop="set",
        keys=lambda: spread(10_000),
        filled=lambda: spread(10_000)[:10_000],
    ),
    Case(
        name="set_fresh",
        title="set with ttl, fresh keys, with room",
        loop="set",
        keys=lambda: fresh(20_000),
        again=True,
    ),
    Case(
        name="set_evicting",
        title="set with ttl, fresh keys, evicting",
        loop="set",
        floor="set_evicting",
        keys=lambda: fresh(200_000),
        filled=lambda: spread(10_000)[:10_000],
        entries=10_000,
    ),
    Case(
        name="variations",
        title="get, a hit, in the variations of aiocache_kit",
        loop="get",
        keys=lambda: HOT,
        filled=hot,
        variations=True,
    ),
    Case(
        name="variations_spread",
        title="get, a hit among 10,000 keys, in the variations of aiocache_kit",
        loop="get",
        keys=lambda: spread(10_000),
        filled=lambda: spread(10_000)[:10_000],
        variations=True,
    ),
    Case(
        name="watched",
        title="get, a hit, while somebody watches",
        loop="get",
        keys=lambda: HOT,
        filled=hot,
        watched=True,
        base="aiocache_kit",
    ),
    Case(
        name="get_multi",
        title="get_multi of 100, a key",
        loop="get_multi",
        keys=lambda: hundred() * 200,
        step=100,
        filled=hundred,
    ),
    Case(
        name="get_multi_spread",
        title="get_multi of 100 among 10,000 keys, a key",
        loop="get_multi",
        keys=lambda: spread(10_000),
        step=100,
        filled=lambda: spread(10_000)[:10_000],
    ),
    Case(name="increment", title="increment", loop="increment", keys=lambda: ["counter:1"] * 20_000),
    Case(
        name="replay",
        title="get, and set on a miss: zipf(1.0), room for 10 % of the keys",
        loop="replay",
        keys=lambda: zipf(200_000, 100_000, 1.0),
        filled=lambda: zipf(40_000, 100_000, 1.0),
        entries=10_000,
    ),
    Case(
        name="decorator_template",
        title="decorator, the key by a template",
        loop="decorated:template",
        keys=lambda: ["12345"] * 20_000,
        base="async-lru",
    ),
    Case(
        name="decorator_default",
        title="decorator, the key of the arguments",
        loop="decorated:default",
        keys=lambda: ["12345"] * 20_000,
        base="async-lru",
    ),
)
