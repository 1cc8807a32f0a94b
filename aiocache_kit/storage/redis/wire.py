"""One connection to a Redis server, shared by all tasks: what they ask in one turn of the loop leaves together.

The server answers in the order of asking, so a queue of futures is all it takes to hand each reply to whom it belongs.
Who was alone in the last turn is not made to wait for the end of this one: nobody else is likely to come.

Rule 1: a caller that is cancelled leaves its place in the queue; its reply is read and dropped, nobody else gets it.
Rule 2: an error in a reply is that caller's alone. An error of the connection ends the connection, and everyone on it
gets `Lost`; nothing is ever sent, or read, on it again.
Rule 3: one timer watches the oldest command that was sent: a reply that is later than the timeout, in real time, ends
the connection; so does one that is larger than any value may be.
Rule 4: what is under way is bounded, and what is not taken by the network holds up those who come (`wait_for_room`).
"""

import asyncio
import math
import re
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from socket import SHUT_RDWR
from typing import Any, Final

import hiredis

from aiocache_kit.clock import stopwatch
from aiocache_kit.errors import UnsupportedError

MOST_UNDER_WAY: Final = 10_000
"""Commands that may be sent and not answered yet; the next ones wait."""
JOINED: Final = 64 * 1024
"""Bytes up to which commands are copied together before they are written."""
_GRACE: Final = 0.05
"""Seconds by which the timer may be late; if it is later, the event loop stood still, and it looks again so soon."""
_MOST_GRACES: Final = 5
_NOTHING: Final = object()
_AGGREGATES: Final = frozenset(b"*%~>|")
_TOO_MANY: Final = re.compile(rb".[0-9]{8}")
"""How a reply begins that says it has ten million parts or more: room for all of them would be made at once."""
_Push: Final = hiredis.PushNotification
_running_loop: Final = asyncio.get_running_loop


class Loss:
    """The end of one connection, the same for all whose replies were under way."""

    __slots__ = ("is_counted",)

    def __init__(self) -> None:
        """Begin as one that nobody has counted as a failure of the server."""
        self.is_counted = False


class Lost(Exception):  # noqa: N818  - it says what happened; it never leaves the package
    """The connection ended before the reply came; `sent` says whether the server may have got the command."""

    def __init__(self, *, sent: bool, late: bool = False, loss: Loss | None = None) -> None:
        """Say whether the command was `sent`, and whether the connection was ended because its replies were `late`.

        `loss` is what it has in common with those who lost the same connection.
        """
        super().__init__("the connection was lost")
        self.sent: Final = sent
        self.late: Final = late
        self.loss: Final = Loss() if loss is None else loss


class _Batch:
    """Commands that were asked together, and the replies so far."""

    __slots__ = ("count", "future", "replies")

    def __init__(self, future: "asyncio.Future[Any]", count: int) -> None:
        self.future = future
        self.count = count
        self.replies: list[Any] = []

    def set_result(self, reply: object) -> None:
        self.replies.append(reply)
        if len(self.replies) == self.count:
            self.future.set_result(self.replies)

    def set_exception(self, error: BaseException) -> None:
        self.future.set_exception(error)


class Wire(asyncio.Protocol):
    """A connection that is open already, and whose transport this takes over (`asyncio.BaseTransport.set_protocol`)."""

    def __init__(
        self,
        transport: asyncio.Transport,
        held: object,
        *,
        timeout: float,
        most_unread: int,
        send_timeout: float = math.inf,
        on_end: "Callable[[Wire], None]",
        on_push: Callable[[Sequence[Any]], None] | None = None,
    ) -> None:
        """Speak over `transport`, and keep `held` for as long; end when a reply takes longer than `timeout` seconds.

        It ends as well when what is to be sent is held up for `send_timeout` seconds, and at a reply of more than
        `most_unread` bytes. `on_end` is called once, at the end, whatever its
        reason; `on_push` with each message that the server sends unasked (RESP3).
        """
        self.loop: Final = asyncio.get_running_loop()
        self.ended = False
        self.ready = True
        """Whether a command can be sent without waiting; to be looked at before each `send`."""
        self.is_late = False
        """Whether it ended because a reply did not come in time."""
        self._transport = transport
        self._held = held
        self._is_gone = self.loop.create_future()
        self._timeout = timeout
        self._most_unread = most_unread
        self._unread = 0
        """Bytes of a reply that is not whole yet."""
        self._on_end = on_end
        self._on_push = on_push
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        self._asked: deque[asyncio.Future[Any] | _Batch] = deque()
        """Who waits for a reply, in the order of asking: first those that were sent, then those of this turn."""
        self._unsent: list[bytes] = []
        self._is_alone = False
        """Whether there was one command only, when commands were last sent at the end of a turn."""
        self._create_future = self.loop.create_future
        self._answered = 0
        self._stamps: deque[tuple[int, float]] = deque()
        """For each time that something was sent: how many replies there are once all of it is answered, and when."""
        self._timer: asyncio.TimerHandle | None = None
        self._look_at = 0.0
        """When the timer was to look."""
        self._graces = 0
        self._send_timeout = send_timeout
        self._stuck: asyncio.TimerHandle | None = None
        """What ends the connection unless the network takes something; None: nothing is held up."""
        self._is_paused = False
        self._waiting_for_room: deque[asyncio.Future[None]] = deque()
        transport.set_protocol(self)
        transport.resume_reading()

    # --- asking ------------------------------------------------------------------------------------------------------

    def send(self, command: bytes) -> "asyncio.Future[Any]":
        """Send one packed command by the end of this turn; what is given ends with its reply, or with `Lost`.

        A reply that is an error is given as a `hiredis.ReplyError`, not raised.
        """
        if _running_loop() is not self.loop:
            return self._asked_elsewhere()
        future: asyncio.Future[Any] = self._create_future()
        unsent, asked = self._unsent, self._asked
        if not asked and self._is_alone:
            # At once: the end of the turn is a callback away, and one command alone has nobody to leave with.
            asked.append(future)
            self._note_sending()
            self._transport.write(command)
            return future
        if not unsent:
            self.loop.call_soon(self._flush)
        unsent.append(command)
        asked.append(future)
        if len(asked) >= MOST_UNDER_WAY:
            self.ready = False
        return future

    def send_many(self, commands: Sequence[bytes]) -> "asyncio.Future[Any]":
        """Send several, of which there is at least one; what is given ends with the list of all replies."""
        if _running_loop() is not self.loop:
            return self._asked_elsewhere()
        future = self.loop.create_future()
        if not self._unsent:
            self.loop.call_soon(self._flush)
        self._unsent.extend(commands)
        # One place for each command, all of them the same: the queue goes on counting replies, not calls.
        batch = _Batch(future, len(commands))
        self._asked.extend([batch] * len(commands))
        if len(self._asked) >= MOST_UNDER_WAY:
            self.ready = False
        return future

    def _asked_elsewhere(self) -> "asyncio.Future[Any]":
        """Be lost to a caller on another event loop, where that of the connection has ended without a word.

        Raises `UnsupportedError` where it goes on: its replies could reach nobody on another one.
        """
        if not self.loop.is_closed():
            raise UnsupportedError(
                "another event loop uses this cache: a provider belongs to one, so make one for each"
            )
        self.end()
        future: asyncio.Future[Any] = _running_loop().create_future()
        future.set_exception(Lost(sent=False))
        return future

    async def wait_for_room(self) -> None:
        """Wait until something can be sent; raise `Lost` if the connection ends meanwhile."""
        while not self.ready:
            if self.ended:
                raise Lost(sent=False)
            room = self.loop.create_future()
            self._waiting_for_room.append(room)
            try:
                await room
            except asyncio.CancelledError:
                if room.done() and not room.cancelled():
                    self._let_in(1)  # he was let in as he was cancelled: nobody else would be, before the next reply
                raise

    @property
    def under_way(self) -> int:
        """How many commands have no reply yet."""
        return len(self._asked)

    def end(self) -> None:
        """End the connection at once; who waits for a reply gets `Lost`."""
        if self.loop.is_closed():  # it took those who waited with it, and can close nothing any more
            self._asked.clear()
            self._waiting_for_room.clear()
            with suppress(OSError):
                self._transport.get_extra_info("socket").shutdown(SHUT_RDWR)
        else:
            self._transport.abort()
        self._end()  # `connection_lost` comes a turn later, and nobody may send until then

    async def gone(self) -> None:
        """Wait until the operating system has the connection back."""
        if not self.loop.is_closed():
            await asyncio.wait([self._is_gone])

    def _flush(self) -> None:
        commands = self._unsent
        if not commands or self.ended:
            return
        self._unsent = []
        self._is_alone = len(self._asked) == 1
        self._note_sending()
        if len(commands) == 1:
            self._transport.write(commands[0])
            return
        # A write costs a call of the system, so small commands share one; copying large ones would cost more than that.
        start = size = 0
        for position, command in enumerate(commands):
            size += len(command)
            if size > JOINED:
                self._transport.write(b"".join(commands[start : position + 1]))
                start, size = position + 1, 0
        if start < len(commands):
            self._transport.write(b"".join(commands[start:]))

    def _note_sending(self) -> None:
        # A stamp for each time of sending, not for each command: ten thousand may be under way.
        self._stamps.append((self._answered + len(self._asked), stopwatch()))
        if self._timer is None:
            self._look_in(self._timeout)

    # --- being answered ----------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Hand out the replies that are whole by now."""
        reader, asked = self._reader, self._asked
        before = len(asked)
        is_told = False
        if data[0] in _AGGREGATES and _TOO_MANY.match(data) and not reader.has_data():
            self.end()
            return
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not _NOTHING:
                if reply.__class__ is _Push:
                    self._pushed(reply)
                    is_told = True
                    continue
                try:  # noqa: SIM105  - a context manager would double the cost of a reply
                    asked.popleft().set_result(reply)
                except asyncio.InvalidStateError:
                    pass  # whoever asked was cancelled
        except (hiredis.ProtocolError, IndexError, MemoryError):  # no reply at all, or one that nobody asked for
            self.end()
            return
        answered = before - len(asked)
        self._answered += answered
        if not asked:
            self._stamps.clear()
        # Only what has come since the last whole reply: many small ones in a row are not a large one.
        self._unread = 0 if answered or is_told else self._unread + len(data)
        if self._unread > self._most_unread:
            self.end()
        # From half on, so that those who wait come in by thousands and leave together, and not one for each reply.
        elif not self.ready and not self._is_paused and len(asked) < MOST_UNDER_WAY // 2:
            self._open_up()

    def _pushed(self, message: Sequence[Any]) -> None:
        if self._on_push is not None:
            self._on_push(message)

    def _look_at_the_time(self) -> None:
        """End the connection if the oldest command that was sent is still not answered."""
        self._timer = None
        stamps = self._stamps
        while stamps and stamps[0][0] <= self._answered:
            stamps.popleft()
        if not stamps or self.ended:
            return
        now = stopwatch()
        left = stamps[0][1] + self._timeout - now
        if left > 0:
            self._graces = 0
            self._look_in(left)
        elif now - self._look_at > _GRACE and self._graces < _MOST_GRACES:
            # The event loop stood still, so that the reply may be here and not read yet.
            self._graces += 1
            self._look_in(_GRACE)
        else:
            self._end_late()

    def _look_in(self, seconds: float) -> None:
        self._look_at = stopwatch() + seconds
        self._timer = self.loop.call_later(seconds, self._look_at_the_time)

    def _end_late(self) -> None:
        self.is_late = True
        self.end()

    # --- room --------------------------------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """Let nobody send: the network does not take what was written."""
        self._is_paused = True
        self.ready = False
        if self._send_timeout < math.inf and not self.ended:
            self._stuck = self.loop.call_later(self._send_timeout, self._end_late)

    def resume_writing(self) -> None:
        """Let everyone send again."""
        self._is_paused = False
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None
        if len(self._asked) < MOST_UNDER_WAY:
            self._open_up()

    def _open_up(self) -> None:
        self.ready = not self.ended
        self._let_in(MOST_UNDER_WAY - len(self._asked))

    def _let_in(self, count: int) -> None:
        """Wake the first of those who wait for room."""
        waiting = self._waiting_for_room
        while waiting and count > 0:
            room = waiting.popleft()
            if not room.done():
                room.set_result(None)
                count -= 1

    # --- the end -----------------------------------------------------------------------------------------------------

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everyone who waits."""
        del exc
        if not self._is_gone.done():
            self._is_gone.set_result(None)
        self._end()

    def _end(self) -> None:
        if self.ended:
            return
        self.ended = True
        self.ready = False
        for timer in (self._timer, self._stuck):
            if timer is not None:
                timer.cancel()
        self._timer = self._stuck = None
        # Replies come in the order of sending: of those who wait, the first so many were sent, and may have been done.
        sent = self._stamps[-1][0] - self._answered if self._stamps else 0
        loss = Loss()
        for position, place in enumerate(self._asked):
            with suppress(asyncio.InvalidStateError):  # whoever asked was cancelled, or is of a batch that was told
                place.set_exception(Lost(sent=position < sent, late=self.is_late, loss=loss))
        self._asked.clear()
        self._unsent.clear()
        self._let_in(len(self._waiting_for_room))
        self._on_end(self)
