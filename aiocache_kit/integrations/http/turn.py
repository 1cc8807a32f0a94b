"""A request's turn to ask the application, under the provider's single flight.

The application runs in the task of the request itself, where its errors, its client's hanging up and its context
belong. What the provider loads is the outcome of that: so one request at a time asks for the same, among all processes
where the storage knows leases, and what was changed meanwhile is not stored over (`Provider.refresh`).

Rule: a turn ends once, whatever happens to its request; who waits for it is never left waiting.
"""

import asyncio
from typing import Final, NamedTuple

from aiocache_kit.provider import LoadContext


class Made(NamedTuple):
    """What a turn has made for others."""

    value: list[object] | None
    """What is stored; None: nothing that others may have."""
    keep: float = 0.0
    """Seconds to store it for; 0: it is given to those who wait, and not stored."""
    tags: tuple[str, ...] = ()


NOTHING: Final = Made(None)


class LeftError(Exception):
    """Raised to those who waited for a request that was cancelled: another one has to ask."""


class Turn:
    """One request's turn, if it gets it."""

    __slots__ = ("_made", "begun", "loading")

    def __init__(self) -> None:
        """Wait for the turn to come."""
        loop = asyncio.get_running_loop()
        self.begun: asyncio.Future[None] = loop.create_future()
        """Done when it is this request that has to ask."""
        self._made: asyncio.Future[Made | None] = loop.create_future()
        self.loading: asyncio.Task[object] | None = None
        """What the provider does meanwhile."""

    async def load(self, context: LoadContext) -> list[object] | None:
        """Be the provider's loader: give what the request makes."""
        if not self.begun.done():
            self.begun.set_result(None)
        made = await asyncio.shield(self._made)
        if made is None:
            raise LeftError
        context.cacheable = made.keep > 0
        if made.keep > 0:
            context.ttl = made.keep
            context.tags = made.tags
        return made.value

    def end(self, made: Made | None) -> None:
        """Say what was made, None where the request has left; the first word counts."""
        if not self._made.done():
            self._made.set_result(made)

    async def over(self) -> None:
        """Wait until what was made is stored, or cannot be."""
        if self.loading is not None:
            await asyncio.wait([self.loading])
