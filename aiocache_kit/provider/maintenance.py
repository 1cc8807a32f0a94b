"""The background task of a provider: frees what is dead, and writes out what would be lost.

Rule 1: one task a provider, begun when the provider is opened and gone when it is closed.
Rule 2: a round that fails is logged (`QuietLog`), and the next one comes in its time.
Rule 3: rounds that were missed, because the process or the loop stood still, are not made up for.
"""

import asyncio

from aiocache_kit.clock import Clock
from aiocache_kit.management.failures import Failures
from aiocache_kit.management.quiet_log import QuietLog
from aiocache_kit.provider.tagging import Tagging
from aiocache_kit.storage.base import Storage


class Maintenance:
    """Calls `Storage.tidy` every `cleanup` seconds and `Storage.sync` every `sync` seconds (zero: never)."""

    __slots__ = ("_cleanup", "_clock", "_failures", "_log", "_storage", "_sync", "_tagging", "_task")

    def __init__(
        self,
        storage: Storage,
        tagging: Tagging,
        failures: Failures,
        clock: Clock,
        *,
        cleanup: float,
        sync: float,
        log: QuietLog | None = None,
    ) -> None:
        """Prepare; nothing runs before `start`."""
        self._log = QuietLog(clock) if log is None else log
        self._storage = storage
        self._tagging = tagging
        self._failures = failures
        self._clock = clock
        self._cleanup = cleanup
        self._sync = sync
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, or begin again on the running loop if the loop of before is gone."""
        if self._task is None or self._task.get_loop() is not asyncio.get_running_loop():
            self._task = asyncio.create_task(self._run(), name="aiocache_kit maintenance")

    async def stop(self) -> None:
        """End the task and wait for its end."""
        task, self._task = self._task, None
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        synced = self._clock.monotonic()
        while True:
            await self._clock.sleep(min(self._cleanup, self._sync) if self._sync else self._cleanup)
            await self._round()
            if self._sync and self._clock.monotonic() - synced >= self._sync:
                synced = self._clock.monotonic()
                await self._write_out()

    async def _round(self) -> None:
        self._failures.tidy(self._clock.monotonic())
        try:
            await self._storage.tidy()
            self._tagging.tidy()
        except Exception as error:  # noqa: BLE001  - a storage of somebody else may raise anything, and time goes on
            self._log.failed("tidy", "cleaning up the storage %s failed: %s", self._storage.name, error=error)

    async def _write_out(self) -> None:
        try:
            await self._storage.sync()
        except Exception as error:  # noqa: BLE001  - a storage of somebody else may raise anything, and time goes on
            self._log.failed("sync", "writing out the storage %s failed: %s", self._storage.name, error=error)
