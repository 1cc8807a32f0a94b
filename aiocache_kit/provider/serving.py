"""Serving values by a freshness policy: what is given at once, what is loaded behind it, and what stands in for whom.

Rule 1: a caller is given an old value only where the policy says so, and never one that was deleted or invalidated.
Rule 2: what is loaded in the background is a load like any other: shared by whoever asks, superseded by a change, and
one at a time among all processes where the storage gives leases.
Rule 3: a source that failed is left alone for a while if there is an old value to give meanwhile.
"""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Final

from aiocache_kit.errors import ProviderClosedError, RecursiveLoadError
from aiocache_kit.item import Item
from aiocache_kit.management.freshness import Verdict, judge
from aiocache_kit.management.statistics import Recorder
from aiocache_kit.provider.core import Core
from aiocache_kit.provider.loading import LoadContext
from aiocache_kit.provider.loads import Loads
from aiocache_kit.serializers.parts import Parts

_OURS: Final = (ProviderClosedError, RecursiveLoadError)
"""Errors that say nothing of the source."""
_random: Final = Random()  # noqa: S311  - spreads loads, guards nothing


class Serving:
    """What one provider, or one namespace of it, serves by a policy."""

    __slots__ = ("_core", "_loads", "_recorder")

    def __init__(self, core: Core, loads: Loads, recorder: Recorder) -> None:
        """Serve from `core`, loading by `loads`."""
        self._core = core
        self._loads = loads
        self._recorder = recorder

    async def one(self, key: str, loader: Callable[..., object], context: LoadContext, *, told: bool) -> object:
        """Give the value under a stored key as the policy of `context` has it; `told`: the loader takes the context."""
        core, recorder = self._core, self._recorder
        value = self._at_once(key, context)
        if value is not None:
            return value[0]
        item = await core.read_whole(key)
        verdict = judge(
            context.freshness,
            item,
            core.clock.time(),
            load_time=recorder.average_load_time,
            draw=1.0 - _random.random(),
        )
        if item is None or verdict is Verdict.GONE:
            recorder.misses += 1
            return await self._loads.one(key, loader, context, told=told)
        if type(item.value) is not Parts:
            context.stale_value = item.value
        if verdict is Verdict.FALLBACK:
            return await self._or_fall_back(item, key, loader, context, told=told)
        recorder.hits += 1
        recorder.stale_hits += verdict is Verdict.STALE
        if verdict is not Verdict.FRESH:
            self._refresh(key, loader, context, told=told)
        return item.value

    def _at_once(self, key: str, context: LoadContext) -> tuple[object] | None:
        """Give a value that a table of this process has, and that is neither stale nor near its end."""
        core, policy = self._core, context.freshness
        if core.tables is None or policy.early_beta:
            return None
        least = 0.0 if policy.refresh_ahead is None else (1.0 - policy.refresh_ahead) * context.life
        found = core.tables.young(key, least)
        if found is not None:
            self._recorder.hits += 1
        return found

    def _refresh(self, key: str, loader: Callable[..., object], context: LoadContext, *, told: bool) -> None:
        """Load in the background, unless that is under way, or the source has just failed."""
        core = self._core
        is_quiet = core.failures.is_quiet(key, core.clock.monotonic())
        if core.flights.to_join(key) is None and not is_quiet and not core.background.is_full:
            self._recorder.refreshes += 1
            _ = core.background.begin(self._loads.one(key, loader, context, told=told, anew=True, waits=False))

    async def _or_fall_back(
        self, item: Item[object], key: str, loader: Callable[..., object], context: LoadContext, *, told: bool
    ) -> object:
        core, policy = self._core, context.freshness
        if not core.failures.is_quiet(key, core.clock.monotonic()):
            try:
                loading = self._loads.one(key, loader, context, told=told, anew=True)
                if policy.stale_timeout == float("inf") or not item.ttl or core.background.is_full:
                    value = await loading
                else:
                    value = await self._for(policy.stale_timeout, core.background.begin(loading))
            except _OURS:
                raise
            except _StillLoadingError:
                pass
            except Exception as error:
                if not policy.is_failure(error):
                    self._recorder.misses += 1
                    raise
            else:
                self._recorder.misses += 1
                return value
        self._recorder.hits += 1
        self._recorder.stale_hits += 1
        return item.value

    async def _for(self, seconds: float, task: "asyncio.Task[object]") -> object:
        """Wait for a load in the background, for at most so long."""
        timer: asyncio.Task[object] = asyncio.create_task(self._core.clock.sleep(seconds))  # ends in this call
        try:
            await asyncio.wait([task, timer], return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
        if not task.done():
            raise _StillLoadingError
        return task.result()


class _StillLoadingError(Exception):
    """Raised to give an old value to a caller who has waited long enough; the load goes on."""
