"""What carries news of changes among processes that keep copies of the same items.

Rule 1: it carries bytes and knows nothing of what they say. It may lose them, but it says when it may have.
Rule 2: everybody gets every message, the sender included: that is how one knows that they arrive.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from enum import Enum

from aiocache_kit.clock import Clock, SystemClock


class Signal(Enum):
    """What happened to the way that messages come."""

    LOST = "lost"
    """No message comes until one of the other two."""
    BACK = "back"
    """Messages come from now on; those sent before this may never come. It is the first of all."""
    RESUMED = "resumed"
    """Messages come again, and first those that were sent meanwhile: none is missing."""


class Backplane(ABC):
    """One way for messages. One storage uses it, from one event loop."""

    clock: Clock = SystemClock()

    @abstractmethod
    async def publish(self, message: bytes) -> None:
        """Send a message to all who listen; raise `StorageUnavailableError` where it may not have left.

        Messages of one sender come in the order in which their calls ended, or not at all.
        """

    @abstractmethod
    def listen(self) -> AsyncIterator[bytes | Signal]:
        """Give what comes, from `Signal.BACK` on; goes on until it is closed, and by itself after an interruption.

        What waits to be taken is bounded; if it is too much it is dropped, and told by `Signal.BACK`.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of everything that was opened; closing twice is fine."""
