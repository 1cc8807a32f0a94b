"""The demo's clients: a service in processes of its own, and requests to it over real connections.

Rule 1: the same seed gives the same requests, so that the passes of the demo can be compared.
Rule 2: the workers are asked in turn, as behind a load balancer; each listens on a port of its own, since a port that
several share gives its connections to whichever is fastest to take them.
Rule 3: the watch starts when every connection is open; what comes before is not measured.
Rule 4: a service that was started is ended, whatever happens.
"""

import asyncio
import multiprocessing
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import httpx

from service import serve

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

_IMPORTED: Final = ["fastapi", "uvicorn", "httpx", "rich.progress", "msgspec", "redis.asyncio", "aiocache_kit"]
PATIENCE: Final = 60.0
"""Seconds to wait for an answer; on the slowest machine one takes a few."""


class ServiceError(Exception):
    """Raised when the service cannot be reached, or answers with an error."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass over the requests took and brought."""

    seconds: float
    latencies: list[float]
    """Seconds of each request, sorted."""
    answers: dict[str, bytes]
    """The answer for each name that was asked for."""
    changed: int
    """Answers that were not those given before for the same name."""
    analyses: int
    stats: dict[str, float] | None
    """`Stats` of all workers together as a dict; None where there was no cache."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, percent: float) -> float:
        """Give the seconds that `percent` of the requests did not exceed."""
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * percent / 100))]


def zipf(names: Sequence[str], count: int, *, skew: float = 1.1, seed: int = 2024) -> list[str]:
    """Draw `count` names, the n-th most popular one with a chance proportional to 1 / n ** `skew`."""
    random = Random(seed)
    by_popularity = random.sample(names, len(names))
    return random.choices(by_popularity, [rank**-skew for rank in range(1, len(names) + 1)], k=count)


def agree(passes: Sequence[Pass]) -> bool:
    """Tell whether every name had one answer, the same in all passes and each time that it was asked for."""
    return all(each.answers == passes[0].answers and not each.changed for each in passes)


@asynccontextmanager
async def running(provider: str | None, workers: int, redis: str | None = None) -> AsyncGenerator[list[str]]:
    """Run so many workers of the service on free ports of this machine while the block runs, and give their addresses.

    Where the system can, they are forked from a process that has imported already what is slow to import.
    """
    addresses: list[str] = []
    started: list[BaseProcess] = []
    try:
        with ExitStack() as sockets:
            for _ in range(workers):
                listening = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
                addresses.append(f"http://127.0.0.1:{listening.getsockname()[1]}")
                process = _worker(listening, provider, redis)
                process.start()
                started.append(process)
        yield addresses
    finally:
        for process in started:
            process.terminate()
        for process in started:
            await asyncio.to_thread(process.join, 10)
            process.kill()
            process.join()


def _worker(listening: socket.socket, provider: str | None, redis: str | None) -> "BaseProcess":
    told = (listening, provider, redis)
    if "forkserver" in multiprocessing.get_all_start_methods():
        forking = multiprocessing.get_context("forkserver")
        forking.set_forkserver_preload(_IMPORTED)
        return forking.Process(target=serve, args=told, daemon=True)
    return multiprocessing.get_context("spawn").Process(target=serve, args=told, daemon=True)


async def measure(
    addresses: Sequence[str], draw: Callable[[list[str]], list[str]], clients: int, answered: Callable[[], None]
) -> Pass:
    """Ask for what `draw` makes of the service's list of modules, by so many clients at once.

    Each client sends a request, to the next of the workers, as soon as its last one is answered; `answered` is called
    at each answer. Raises `ServiceError`.
    """
    most = clients * len(addresses)
    limits = httpx.Limits(max_connections=most, max_keepalive_connections=most, keepalive_expiry=None)
    try:
        # The environment may name a proxy, and no proxy reaches this machine's own ports.
        async with httpx.AsyncClient(limits=limits, timeout=PATIENCE, trust_env=False) as http:
            names = draw(_sound(await http.get(f"{addresses[0]}/modules")).json())
            await asyncio.gather(*[http.get(f"{address}/figures") for address in addresses for _ in range(clients)])
            return await _ask(http, addresses, names, clients, answered)
    except httpx.HTTPError as error:
        raise ServiceError(f"the service cannot be reached ({type(error).__name__})") from error


def _sound(response: httpx.Response) -> httpx.Response:
    """Give the response back; raise `ServiceError` where it is not a good one."""
    if not response.is_success:
        raise ServiceError(f"the service answered {response.status_code} to {response.url.path}: {response.text[:200]}")
    return response


async def _ask(
    http: httpx.AsyncClient, addresses: Sequence[str], names: list[str], clients: int, answered: Callable[[], None]
) -> Pass:
    ahead = zip(names, cycle(addresses), strict=False)
    latencies: list[float] = []
    answers: dict[str, bytes] = {}
    changed = 0

    async def client() -> None:
        nonlocal changed
        for name, address in ahead:
            start = perf_counter()
            response = _sound(await http.get(f"{address}/modules/{name}"))
            latencies.append(perf_counter() - start)
            changed += answers.setdefault(name, response.content) != response.content
            answered()

    start = perf_counter()
    await asyncio.gather(*[client() for _ in range(clients)])
    seconds = perf_counter() - start
    figures = [_sound(await http.get(f"{address}/figures")).json() for address in addresses]
    analyses = sum(each["analyses"] for each in figures)
    stats = [each["stats"] for each in figures if each["stats"] is not None]
    return Pass(seconds, sorted(latencies), answers, changed, analyses, together(stats) if stats else None)


def together(stats: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Add up the `Stats` of several workers; means are made anew of the sums, as `Stats` makes them."""
    counted = [name for name, figure in stats[0].items() if isinstance(figure, int | float)]
    sums = {name: float(sum(each[name] for each in stats)) for name in counted}
    sums["hit_rate"] = sums["hits"] / max(sums["hits"] + sums["misses"], 1)
    sums["average_load_time"] = sums["load_time"] / max(sums["loads"], 1)
    sums["average_get_time"] = sums["get_time"] / max(sums["timed_gets"], 1)
    return sums
