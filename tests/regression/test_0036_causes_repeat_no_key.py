"""A server repeats the arguments of a command that it does not know: so the cause of an error held keys and values."""

import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from aiocache_kit import Provider, StorageError
from tests.integration.redis.caches import cache_at
from tests.servers.fixtures import StartServer

SECRET = "s3cret"  # noqa: S105  - no password
CALLS: dict[str, Callable[[Provider], Awaitable[object]]] = {
    "EVALSHA": lambda cache: cache.add(SECRET, SECRET),
    "SET": lambda cache: cache.set(SECRET, SECRET),
    "MGET": lambda cache: cache.get_multi([SECRET]),
    "UNLINK": lambda cache: cache.clear(),
}


@pytest.mark.parametrize("pool_size", [None, 2])
@pytest.mark.parametrize("command", CALLS)
async def test_an_unknown_command(start_server: StartServer, command: str, pool_size: int | None) -> None:
    """Whoever prints an error with all that it came from sees neither key nor value."""
    server = start_server(config=[f'rename-command {command} ""'])
    options: dict[str, Any] = {} if pool_size is None else {"multiplexed": False, "pool_size": pool_size}
    async with cache_at(server.port, "app:", **options) as cache:
        if command == "UNLINK":
            await cache.set(SECRET, 1)
        with pytest.raises(StorageError) as caught:
            await CALLS[command](cache)

    told = "".join(traceback.format_exception(caught.value))
    assert "unknown command" in told
    assert SECRET not in told
