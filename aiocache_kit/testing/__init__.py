"""For tests of programs that use the package, and of storages written for it."""

from aiocache_kit.testing.clock import FakeClock
from aiocache_kit.testing.faults import FaultyStorage, Gate

__all__ = ["FakeClock", "FaultyStorage", "Gate"]
