"""Numbers used once: 96 bits that no encryption of this process repeats, and no other process is likely to hit.

A counter that starts anywhere in 2**96. Numbers drawn one by one would begin to repeat after some 2**32 encryptions
under one key (NIST SP 800-38D, section 8.3), which a busy cache does in a day; two counters meet only where one starts
within what the other counts: for a million processes that count to 2**32 each, the odds are 1 in 10**7.

Rule: a forked process starts anew, because its parent goes on counting. Nobody tells a process that it was restored
from an image of its memory, as others may have been: whoever restores it calls `NONCES.restart`.
"""

import itertools
import os
from typing import Final

SIZE: Final = 12
_MASK: Final = 2 ** (8 * SIZE) - 1


class Nonces:
    """A counter. Its steps are atomic, so threads share it."""

    __slots__ = ("_count",)

    def __init__(self) -> None:
        """Start anywhere."""
        self._count = itertools.count(int.from_bytes(os.urandom(SIZE), "big"))

    def restart(self) -> None:
        """Start anywhere else."""
        self._count = itertools.count(int.from_bytes(os.urandom(SIZE), "big"))

    def next(self) -> bytes:
        """Give the next number, as 12 bytes."""
        return (next(self._count) & _MASK).to_bytes(SIZE, "big")


NONCES: Final = Nonces()
"""The one of this process, for all secrets: a number is not repeated even under another one."""

if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=NONCES.restart)
