from concurrent.futures import CancelledError, InvalidStateError

import pytest

from aiocache_kit.provider import Provider
from aiocache_kit.storage.memory import memory_storage


@pytest.mark.parametrize("error", [TimeoutError("late"), CancelledError(), InvalidStateError()], ids=repr)
async def test_errors_from_threads_stay_what_they_are(error: Exception) -> None:
    """What a loader in a thread raises reaches the caller as the same object, also where asyncio has a twin of it."""

    def load() -> str:
        raise error

    async with Provider(memory_storage()) as cache:
        with pytest.raises(type(error)) as caught:
            await cache.get_or_set("key", load)

        assert caught.value is error
        assert caught.traceback[-1].name == "load"
        assert (await cache.stats()).load_failures == 1
