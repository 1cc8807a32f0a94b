"""Work on many keys in slices, so that nothing holds the event loop for long."""

from typing import Final, TypeVar

T = TypeVar("T")
SLICE: Final = 256
"""Keys that are worked on in one turn of the loop."""


def slices(things: list[T]) -> list[list[T]]:
    """Cut a list into parts of at most `SLICE`."""
    return [things[start : start + SLICE] for start in range(0, len(things), SLICE)]
