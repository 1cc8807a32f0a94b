"""For tests of programs that use the package, and of storages written for it."""

from aiocache_kit.testing.clock import FakeClock

__all__ = ["FakeClock"]
