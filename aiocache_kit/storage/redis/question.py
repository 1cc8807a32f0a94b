"""One question to a server, by a connection of its own that ends with the answer.

For what is asked seldom, of servers that nothing else may be wanted from: who is the master, who has which slots.
"""

import asyncio
from typing import Any, Final

from aiocache_kit.storage.redis.dial import Dialer, Place
from aiocache_kit.storage.redis.link import Command, pack_command
from aiocache_kit.storage.redis.replies import checked
from aiocache_kit.storage.redis.wire import Wire

_MOST_UNREAD: Final = 2**26


async def ask(dialer: Dialer, place: Place, command: Command, *, timeout: float) -> Any:  # noqa: ANN401  - what Redis answers
    """Give the reply to `command`, which is to be there `timeout` seconds from now.

    Raises what redis-py, `Wire` and `checked` raise, and `TimeoutError`.
    """
    async with asyncio.timeout(timeout):
        transport, held = await dialer.dial(place)
        wire = Wire(transport, held, timeout=timeout, most_unread=_MOST_UNREAD, on_end=lambda _: None)
        try:
            return checked(await wire.send(pack_command(command)))
        finally:
            wire.end()
