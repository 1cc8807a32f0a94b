"""Who waits for whom: whether waiting for somebody would be waiting for oneself, by way of others."""

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

N = TypeVar("N", bound=Hashable)


def leads_to(start: N, is_end: Callable[[N], bool], next_ones: Callable[[N], Iterable[N]]) -> bool:
    """Whether one comes from `start` to an end; `next_ones` gives whom one of them waits for, in circles if need be."""
    left, seen = [start], {start}
    while left:
        one = left.pop()
        if is_end(one):
            return True
        new = set(next_ones(one)) - seen
        seen |= new
        left += new
    return False
