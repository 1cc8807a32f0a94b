"""`Ear`: the news that comes in, and whether it can be relied on that it does.

Rule 1: what a message says is done to the copies here; its sender's own messages say nothing new.
Rule 2: a number that is missing means that something was lost: all copies of before are given up.
Rule 3: messages are relied on while the backplane says that they come, and one's own heartbeats do. Otherwise copies
live for a short time only; and when messages come again, and some may be missing, all copies of before are given up.
Rule 4: whatever cannot be relied on is logged once, and counted.
"""

import logging
from typing import Final

from aiocache_kit.clock import Clock
from aiocache_kit.storage.backplane import Signal
from aiocache_kit.storage.layered.copies import Copies
from aiocache_kit.storage.layered.messages import Action, JunkError, Language, Message
from aiocache_kit.storage.layered.pending import Pending

BEATS_TO_MISS: Final = 3
"""Heartbeats of one's own that do not come back before messages are no longer relied on."""
MOST_SENDERS: Final = 10_000
_SETTLING: Final = 2
"""Beats after messages have begun to come in which a sender may be new to us without having been missed."""
_log: Final = logging.getLogger("aiocache_kit")


class Ear:
    """Listens for one storage."""

    def __init__(self, own: bytes, copies: Copies, pending: Pending, language: Language, heartbeat: float) -> None:
        """Listen for all senders but `own`, each of which gives a sign of life every `heartbeat` seconds.

        What others do is done to `copies`, and noted of what waits in `pending`.
        """
        self.junk: int = 0
        """Messages that nobody acted on: forged, damaged or of another form."""
        self.gaps: int = 0
        """How often messages were missing."""
        self.losses: int = 0
        """How often messages could no longer be relied on."""
        self._own = own
        self._copies = copies
        self._pending = pending
        self._language = language
        self._heartbeat = heartbeat
        self._numbers: dict[bytes, int] = {}
        self._is_connected = False
        self._is_deaf = False
        self._lost_at = 0.0
        self._own_heard_at = 0.0
        self._settled_at = 0.0
        self._is_given_up = False
        copies.trust(is_trusted=False)

    def begin(self, clock: Clock) -> None:
        """Count from now for how long nothing was heard."""
        self._lost_at = clock.monotonic()

    @property
    def is_relied_on(self) -> bool:
        """Whether changes of other processes are known to arrive."""
        return self._is_connected and not self._is_deaf

    async def hear(self, event: bytes | Signal, clock: Clock) -> None:
        """Do what follows from what came."""
        if isinstance(event, Signal):
            await self._signal(event, clock)
            return
        try:
            message = self._language.read(event)
        except JunkError:
            self.junk += 1
            return
        if message.sender == self._own:
            await self._hear_oneself(clock)
        else:
            await self._follow(message, clock)

    async def look(self, clock: Clock, *, may_ask_below: bool) -> None:
        """Notice what did not come; called at each beat. `may_ask_below`: giving up copies leaves something to read."""
        now = clock.monotonic()
        if self._is_connected and not self._is_deaf and now - self._own_heard_at > BEATS_TO_MISS * self._heartbeat:
            self._is_deaf = True
            self._lose(now)
        is_time = now - self._lost_at >= self._copies.distrust_after
        if not self.is_relied_on and not self._is_given_up and is_time and may_ask_below:
            self._is_given_up = True
            await self._copies.empty()

    # --- what came ---------------------------------------------------------------------------------------------------

    async def _signal(self, signal: Signal, clock: Clock) -> None:
        now = clock.monotonic()
        if signal is Signal.LOST:
            if self.is_relied_on:
                self._lose(now)
            self._is_connected = False
            return
        self._is_connected, self._own_heard_at = True, now
        if signal is Signal.BACK or self._is_deaf:
            self._numbers.clear()
            self._settled_at = now + _SETTLING * self._heartbeat
            await self._copies.empty()
        self._is_deaf = False
        self._copies.trust(is_trusted=True)

    async def _hear_oneself(self, clock: Clock) -> None:
        self._own_heard_at = clock.monotonic()
        if self._is_deaf and self._is_connected:
            await self._signal(Signal.BACK, clock)

    def _lose(self, now: float) -> None:
        self.losses += 1
        self._lost_at = now
        self._is_given_up = False
        self._copies.trust(is_trusted=False)
        if self.losses == 1:
            _log.warning("changes of other processes do not arrive: copies live for a short time until they do")

    async def _follow(self, message: Message, clock: Clock) -> None:
        if self._is_missing(message, clock):
            self.gaps += 1
            await self._copies.empty()
        match message.action:
            case Action.CHANGED:
                self._pending.contest(message.names)
            case Action.CLEARED:
                for prefix in message.names:
                    self._pending.contest_prefix(prefix)
            case Action.INVALIDATED:
                self._pending.kill(message.names, clock)
            case Action.HEARTBEAT:
                pass
        await self._copies.follow(message.action, message.names)

    def _is_missing(self, message: Message, clock: Clock) -> bool:
        """Note the number of a message; say whether one before it did not come."""
        is_beat = message.action is Action.HEARTBEAT
        last = self._numbers.get(message.sender)
        if last is None:
            if len(self._numbers) >= MOST_SENDERS:
                self._numbers.clear()
            self._numbers[message.sender] = message.number
            return message.number > (not is_beat) and clock.monotonic() >= self._settled_at
        self._numbers[message.sender] = max(last, message.number)
        return message.number > last + (not is_beat)
