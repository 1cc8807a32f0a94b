"""Asking the application: which request does, what the others wait for, and what becomes of the response.

Rule 1: among requests for the same address one asks the application, the others wait for it: but no longer than for an
answer they may have. Who was waiting for what is not for him asks for himself.
Rule 2: a request made by the application itself, while it answers another one, waits for nobody, or two of them might
wait for each other.
Rule 3: tasks are owned here and end with `close`.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, cast

from aiocache_kit.clock import Clock
from aiocache_kit.errors import CacheError
from aiocache_kit.integrations.http import status as told_by
from aiocache_kit.integrations.http.asked import Asked
from aiocache_kit.integrations.http.complaints import (
    NOT_READ,
    NOT_RENEWED,
    NOT_STORED,
    STANDS_IN,
    Complaints,
)
from aiocache_kit.integrations.http.directives import NOTHING_SAID
from aiocache_kit.integrations.http.exchange import CUT, Asking, Exchange, Reply, reply_of
from aiocache_kit.integrations.http.options import ResponseCacheOptions
from aiocache_kit.integrations.http.reuse import Use, may_stand_in, use_of
from aiocache_kit.integrations.http.shelf import Found, Shelf
from aiocache_kit.integrations.http.status import Told
from aiocache_kit.integrations.http.stored import OWN_ETAG, UNREADABLE, Stored, block_of
from aiocache_kit.integrations.http.storing import TAGS, Dates, Plan, plan
from aiocache_kit.integrations.http.turn import NOTHING, LeftError, Made, Turn
from aiocache_kit.integrations.http.unshared import Unshared
from aiocache_kit.integrations.http.validation import confirms, is_still_the_one, merged
from aiocache_kit.management.single_flight import apart as outside_of_loads

_nested: Final[ContextVar[bool]] = ContextVar("aiocache_kit_response", default=False)
_ATTEMPTS: Final = 3
_OF_LOADS: Final[dict[str, Any]] = {
    **dict.fromkeys(
        ("jitter", "stale_while_revalidate", "stale_if_error", "throttle", "early_beta", "negative_ttl"), 0
    ),
    **dict.fromkeys(("refresh_ahead", "timeout", "stale_timeout")),
    "cache_none": True,
}
"""Freshness is HTTP's here, whatever the provider's own default is."""


class Origin(Protocol):
    """A way to call the application for one request."""

    async def call(self, exchange: Exchange) -> None:
        """Call the application once, and deal with its response as `exchange` has it."""
        ...

    def behind(self) -> "Origin":
        """Give a way to call it for a GET when the client has been answered already."""
        ...


@dataclass(frozen=True, slots=True)
class _Joined:
    """What has become of a request that joined others: it has its turn, or a reply, or neither."""

    found: Found
    told: Told
    turn: Turn | None = None
    reply: Reply | None = None


class Forwarding:
    """The calls of one application that are under way."""

    __slots__ = ("_behind", "_clock", "_complaints", "_led", "_options", "_shelf", "_tasks", "_unshared")

    def __init__(self, shelf: Shelf, options: ResponseCacheOptions, clock: Clock, complaints: Complaints) -> None:
        """Store what comes of them on `shelf`."""
        self._shelf = shelf
        self._options = options
        self._clock = clock
        self._complaints = complaints
        self._unshared = Unshared(options.life("remember_unshared"))
        self._tasks: set[asyncio.Task[Any]] = set()
        self._behind: set[str] = set()
        self._led: dict[str, int] = {}

    async def forward(self, asked: Asked, origin: Origin, found: Found) -> Reply | None:
        """Ask the application, or wait for another request that does."""
        told = Told(_why(asked, found))
        if asked.method == "HEAD":
            await self._look(origin, found, told)
            return None
        alone = _nested.get() or (asked.insists and found.key in self._led)
        if alone or self._unshared.knows(asked, self._clock.monotonic()):
            return await self._ask(asked, origin, found, None, told)
        joined = await self._join(asked, found, told)
        if joined.reply is not None:
            return joined.reply
        if joined.turn is not None:
            return await self._lead(asked, origin, joined.found, joined.turn, joined.told)
        return await self._ask(asked, origin, joined.found, None, joined.told)

    async def _join(self, asked: Asked, found: Found, told: Told) -> _Joined:
        """Wait for the turn of this request, or for a response to another one that is for this one as well."""
        for _ in range(_ATTEMPTS):
            turn = Turn()
            try:
                value = await self._take(found.key, turn)
                if turn.begun.done():
                    return _Joined(found, told, turn)
                if value is None or asked.insists:
                    break
                shared = await self._shelf.shared(asked, found, value)
                now = self._clock.time()
                if shared.stored is not None and _will_do(asked, shared.stored, now):
                    reply = reply_of(asked, shared.stored, now, self._options, told._replace(collapsed=True))
                    return _Joined(found, told, reply=reply)
                if shared.key == found.key:
                    break
                found = shared
            except LeftError:
                continue
            except (CacheError, *UNREADABLE) as error:
                self._complaints.say(NOT_STORED, error)
                return _Joined(found, told._replace(detail="storage"))
        return _Joined(found, told)

    async def _take(self, key: str, turn: Turn) -> object:
        """Wait for this request's turn (`turn.begun` is done then), or for what another one has made."""
        refresh = cast("Callable[..., Coroutine[Any, Any, object]]", self._shelf.provider.refresh)
        task = turn.loading = self._own(refresh(key, turn.load, None, **_OF_LOADS))
        timer: asyncio.Task[None] | None = None
        try:
            await asyncio.sleep(0)
            if not (task.done() or turn.begun.done()):
                timer = self._own(self._clock.sleep(self._options.life("wait_timeout")))
                await asyncio.wait({task, turn.begun, timer}, return_when=asyncio.FIRST_COMPLETED)
            if turn.begun.done():
                return None
            return task.result() if task.done() and not task.cancelled() else None
        except asyncio.CancelledError:
            turn.end(None)
            raise
        finally:
            if timer is not None:
                timer.cancel()
            if not turn.begun.done():
                turn.end(None)  # should it come yet, because others wait for it, too
                task.cancel()

    async def _lead(self, asked: Asked, origin: Origin, found: Found, turn: Turn, told: Told) -> Reply | None:
        """Ask the application for all who wait."""
        mark = _nested.set(True)
        self._led[found.key] = self._led.get(found.key, 0) + 1
        try:
            reply = await self._met(asked, found, turn, told)
            if reply is None:
                reply = await self._ask(asked, origin, found, turn, told)
        except Exception:
            turn.end(NOTHING)
            await turn.over()  # or the next request would join what has failed
            raise
        finally:
            _nested.reset(mark)
            turn.end(None)
            left = self._led.pop(found.key) - 1
            if left:
                self._led[found.key] = left
        await turn.over()
        return reply

    async def _met(self, asked: Asked, found: Found, turn: Turn, told: Told) -> Reply | None:
        """Give what another process has stored while this request waited for its turn, None for nothing."""
        try:
            met = None if asked.insists else await self._shelf.met(asked, found)
            now = self._clock.time()
            if met is not None and met[1].stored is not None and _is_fresh(asked, met[1].stored, now):
                reply = reply_of(asked, met[1].stored, now, self._options, told._replace(collapsed=True))
                turn.end(Made(met[0]))
                return reply
        except (CacheError, *UNREADABLE) as error:
            self._complaints.say(NOT_READ, error)
        return None

    async def _ask(self, asked: Asked, origin: Origin, found: Found, turn: Turn | None, told: Told) -> Reply | None:
        """Call the application, store what may be, and give the reply where it has not gone out already."""
        old, now = found.stored, self._clock.time()
        stands_in = old is not None and may_stand_in(old, asked.control, now)

        def noted(reason: str | None) -> None:
            if reason is None:
                self._unshared.forget(asked)
            else:
                if reason != CUT:
                    self._unshared.note(asked, reason, self._clock.monotonic())
                if turn is not None:
                    turn.end(None if reason == CUT else NOTHING)

        async def complete(call: Asking) -> None:
            await self._conclude(asked, found, turn, call)

        call = Asking(
            *(asked, self._options, told),
            now=self._clock.time,
            stored=old,
            stand_in=stands_in,
            leads=turn is not None,
            noted=noted,
            complete=complete,
        )
        try:
            await origin.call(call)
        except Exception as error:
            if (call.begun and call.dropped is None) or old is None or not stands_in:
                raise
            self._complaints.say(STANDS_IN, error)
            return self._stand_in(asked, old, turn, told)
        if call.dropped is not None and old is not None:
            return await self._instead(asked, origin, replace(found, stored=old), turn, call)
        await self._conclude(asked, found, turn, call)
        return None

    def _stand_in(self, asked: Asked, old: Stored, turn: Turn | None, told: Told) -> Reply:
        """Give a stored response because the application has failed, to those who wait as well."""
        if turn is not None:
            turn.end(Made(old.packed()))
        return reply_of(asked, old, self._clock.time(), self._options, told._replace(detail="error"))

    async def _instead(
        self, asked: Asked, origin: Origin, found: Found, turn: Turn | None, call: Asking
    ) -> Reply | None:
        """Give the stored response, which the application has confirmed, or for which it failed."""
        old, said, now = found.stored, call.dropped, self._clock.time()
        assert old is not None and said is not None  # noqa: S101, PT018  - the caller has looked
        told = call.told._replace(status=call.status)
        if call.status != 304:  # noqa: PLR2004  - Not Modified
            return self._stand_in(asked, old, turn, told)
        headers = old.headers
        if not confirms(headers, said):
            return await self._ask(asked, origin, replace(found, stored=None), turn, call.told)
        newer = merged(headers, said)
        dates = Dates(now, now)
        decided = plan(asked, old.status, newer, self._options, dates, more_tags=old.tags)
        if isinstance(decided, Plan):
            flags = decided.flags | (old.flags & OWN_ETAG)
            renewed = decided._replace(flags=flags).stored(old.status, old.body, leaves=self._shelf.leaves)
            if renewed is not None:
                await self._shelf.end(asked, found, turn, renewed, decided)
                return reply_of(asked, renewed, now, self._options, told._replace(stored=turn is not None))
        await self._shelf.forget(found.key)
        if turn is not None:
            turn.end(NOTHING)
        mine = old._replace(block=block_of([pair for pair in newer if pair[0] != TAGS]) or old.block)
        return reply_of(asked, mine, now, self._options, told)

    async def _conclude(self, asked: Asked, found: Found, turn: Turn | None, call: Asking) -> None:
        """Store a response that has gone out, or forget the one that it has taken the place of; once a call."""
        if call.concluded:
            return
        call.concluded = True
        if call.plan is not None and call.body is not None:
            made = call.plan.stored(call.status, call.body, leaves=self._shelf.leaves)
            if made is not None:
                self._unshared.forget(asked)
                await self._shelf.end(asked, found, turn, made, call.plan)
        elif call.cut:
            if turn is not None:
                turn.end(None)
        elif found.stored is not None and turn is not None and call.plan is None and 200 <= call.status < 500:  # noqa: PLR2004  - no failure
            await self._shelf.forget(found.key)
        if turn is not None:
            turn.end(NOTHING)

    async def _look(self, origin: Origin, found: Found, told: Told) -> None:
        """Let the application answer a HEAD, and learn from it whether the stored response still holds (4.3.5)."""
        call = Exchange(self._options, told)
        await origin.call(call)
        old = found.stored
        if old is not None and call.status == 200 and not is_still_the_one(old.headers, call.headers, len(old.body)):  # noqa: PLR2004  - OK
            await self._shelf.forget(found.key)

    def renew_behind(self, asked: Asked, origin: Origin, found: Found) -> None:
        """Have a new response made, unless that is going on already, or too much else is."""
        if found.key in self._behind or len(self._behind) >= self._options.max_background:
            return
        plain = Asked("GET", asked.without_conditions(), asked.key, None)
        plain.personal = asked.personal
        self._behind.add(found.key)
        task = self._own(self._renew(plain, origin.behind(), found), apart=True)
        task.add_done_callback(lambda _: self._behind.discard(found.key))  # also of one that was ended before it began

    async def _renew(self, asked: Asked, origin: Origin, found: Found) -> None:
        """Make a stale response anew when its reader has it already."""
        try:
            await self.forward(asked, origin, found)
        except Exception as error:  # noqa: BLE001  - nobody waits for it: the next reader tries again
            self._complaints.say(NOT_RENEWED, error)

    async def close(self) -> None:
        """End what goes on behind the backs of readers."""
        here = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not here]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # --- tasks -------------------------------------------------------------------------------------------------------

    def _own(self, work: Coroutine[Any, Any, Any], *, apart: bool = False) -> "asyncio.Task[Any]":
        """Let `work` go on as a task; `apart` from the request that it began in."""
        context = outside_of_loads() if apart else copy_context()
        if apart:
            context.run(_nested.set, False)  # noqa: FBT003  - the value of a variable
        task = asyncio.get_running_loop().create_task(work, name="aiocache_kit responses", context=context)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited for it was told


def _why(asked: Asked, found: Found) -> str:
    """Give the reason why the application is asked."""
    if found.stored is None:
        return told_by.MISS if found.index is None else told_by.VARY_MISS
    return told_by.REQUEST if asked.control is not NOTHING_SAID else told_by.STALE


def _will_do(asked: Asked, response: Stored, now: float) -> bool:
    """Whether what another request has just got will do for this one."""
    return use_of(response, asked.control, now) is not Use.ASK or may_stand_in(response, asked.control, now)


def _is_fresh(asked: Asked, response: Stored, now: float) -> bool:
    """Whether a response may be given as it is."""
    return use_of(response, asked.control, now) is Use.GIVE
