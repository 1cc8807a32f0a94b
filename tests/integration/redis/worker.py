"""A process that uses a cache in Redis as it is told to, line by line; tests talk to it by way of `workers`.

Each line on standard input orders a call, says how a load is to end, or cancels a call; each line on standard output
tells how a call ended, or that a load has begun. All of them are JSON.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiocache_kit import Config, LoadContext, Provider, RedisConfig, new_provider
from aiocache_kit.clock import SystemClock

CLOCK: Final = SystemClock()


class Worker:
    """Carries out orders."""

    def __init__(self, cache: Provider) -> None:
        self.cache = cache
        self.calls: dict[int, asyncio.Task[None]] = {}
        self.ends: dict[int, asyncio.Future[Any]] = {}
        """How the load of a call is to end, by the call's number."""

    def order(self, order: dict[str, Any]) -> None:
        """Begin what one line says."""
        number = order["number"]
        match order["what"]:
            case "call":
                self.calls[number] = asyncio.create_task(self.run(number, order))
            case "end":
                self.end_of(number).set_result(order)
            case _:
                self.calls[number].cancel()

    def end_of(self, number: int) -> asyncio.Future[Any]:
        """Give where the order arrives that ends a load, or a block under a lock."""
        return self.ends.setdefault(number, asyncio.get_running_loop().create_future())

    async def run(self, number: int, order: dict[str, Any]) -> None:
        """Do a call and tell how it ended."""
        try:
            answer = {"value": await self.call(number, order)}
        except asyncio.CancelledError:
            answer = {"error": "CancelledError"}
        except Exception as error:  # noqa: BLE001  - whatever it is, it is told
            answer = {"error": type(error).__name__}
        tell({"number": number, **answer})

    def call(self, number: int, order: dict[str, Any]) -> Awaitable[Any]:
        """Begin a call."""
        name, given, options = order["name"], order["given"], order["options"]
        if name in {"get_or_set", "refresh"}:
            return getattr(self.cache, name)(*given, self.loader(number), **options)  # type: ignore[no-any-return]  # a call by its name
        if name in {"get_or_set_multi", "refresh_multi"}:
            return getattr(self.cache, name)(*given, self.many(number), **options)  # type: ignore[no-any-return]  # a call by its name
        own: Callable[..., Awaitable[Any]] | None = getattr(self, name, None)
        return (own or getattr(self.cache, name))(*given, **options)

    def loader(self, number: int) -> Callable[[LoadContext], Awaitable[Any]]:
        """Give a loader that tells of its beginning, and ends when told to."""

        async def load(context: LoadContext) -> object:
            tell({"number": number, "began": True})
            order = await self.end_of(number)
            if order.get("tags"):
                context.tags = order["tags"]
            return self.ended(order)

        return load

    def many(self, number: int) -> Callable[[list[str]], Awaitable[Any]]:
        """Give the same for several keys, each of which gets itself with the value."""

        async def load(keys: list[str]) -> dict[str, object]:
            tell({"number": number, "began": keys})
            value = self.ended(await self.end_of(number))
            return {key: f"{value} {key}" for key in keys}

        return load

    def ended(self, order: dict[str, Any]) -> object:
        """End as ordered."""
        if "error" in order:
            raise RuntimeError(order["error"])
        return order["value"]

    # --- calls of its own --------------------------------------------------------------------------------------------

    async def timed_load(self, key: str, value: object, seconds: float, witness: str) -> object:
        """Load a value in so many seconds, leaving a line in a file."""

        async def load() -> object:
            note(witness, "load")
            await CLOCK.sleep(seconds)
            return value

        return await self.cache.get_or_set(key, load)

    async def timed_loads(self, keys: list[str], seconds: float, witness: str) -> object:
        """Load several values in so many seconds, leaving a line for each in a file."""

        async def load(missing: list[str]) -> dict[str, object]:
            for key in missing:
                note(witness, key)
            await CLOCK.sleep(seconds)
            return {key: f"value of {key}" for key in missing}

        return await self.cache.get_or_set_multi(keys, load)

    async def hold(self, name: str, ttl: float, timeout: float | None = None) -> list[Any]:
        """Hold a lock until told to let go; tell its fencing number at the beginning and whether it was lost."""
        number = next(at for at, task in self.calls.items() if task is asyncio.current_task())
        async with self.cache.lock(name, ttl, timeout=timeout) as lease:
            tell({"number": number, "began": lease.fencing})
            end, lost = self.end_of(number), asyncio.create_task(lease.lost.wait())
            await asyncio.wait([end, lost], return_when=asyncio.FIRST_COMPLETED)
            if lost.done():
                tell({"number": number, "lost": True})
                await end
            lost.cancel()
            return [lease.fencing, lease.lost.is_set()]

    async def rounds(self, name: str, count: int, witness: str) -> None:
        """Hold a lock so often, each time leaving two lines in a file."""
        for _ in range(count):
            async with self.cache.lock(name, 5) as lease:
                note(witness, f"in {lease.fencing}")
                await asyncio.sleep(0)
                note(witness, f"out {lease.fencing}")

    async def increments(self, key: str, count: int) -> list[int]:
        """Count as often, all at once."""
        return list(await asyncio.gather(*(self.cache.increment(key) for _ in range(count))))

    async def passes(self, name: str, rate: int, burst: int, rounds: int) -> int:
        """Ask a limit a hundred times at once, so often, and count how many passed."""
        limiter = self.cache.rate_limiter(name, rate, burst=burst)
        made = [await asyncio.gather(*(limiter.try_acquire("x") for _ in range(100))) for _ in range(rounds)]
        assert limiter.degraded == 0
        return sum(each.allowed for some in made for each in some)

    async def updates(self, key: str, count: int) -> None:
        """Count as often by update, all at once."""
        await asyncio.gather(*(self.cache.update(key, lambda old: old + 1) for _ in range(count)))


def note(witness: str, line: str) -> None:
    """Add a line to a file, at once."""
    with open(witness, "a", encoding="utf-8", buffering=1) as file:  # noqa: PTH123  - as short as it can be
        file.write(f"{line}\n")


def tell(what: dict[str, Any]) -> None:
    """Write one line."""
    print(json.dumps(what), flush=True)  # noqa: T201  - that is what it is for


async def main() -> None:
    """Carry out orders until there are no more; a first line says which cache they are for, and one that it is over."""
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=2**24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        config = Config(provider="redis", redis_config=RedisConfig(**json.loads(line)))
        async with new_provider(config) as cache:
            worker = Worker(cache)
            await cache.ping()
            tell({"number": 0, "value": "ready"})
            order: dict[str, Any] = {}
            while line := await lines.readline():
                order = json.loads(line)
                if order["what"] == "over":
                    break
                worker.order(order)
            for task in worker.calls.values():
                task.cancel()
            await asyncio.gather(*worker.calls.values(), return_exceptions=True)
        if line:
            tell({"number": order["number"], "value": None})


if __name__ == "__main__":
    asyncio.run(main())
