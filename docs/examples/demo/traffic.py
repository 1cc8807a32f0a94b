"""The demo's clients: a service in a process of its own, and requests to it over real connections.

Rule 1: the same seed gives the same requests, so that the passes of the demo can be compared.
Rule 2: the watch starts when every connection is open; what comes before is not measured.
Rule 3: a service that was started is ended, whatever happens.
"""

import asyncio
import multiprocessing
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from time import perf_counter
from typing import Final

import httpx

from service import serve

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
    """`Stats` as a dict; None where there was no cache."""

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
async def running(provider: str | None) -> AsyncGenerator[str]:
    """Run the service on a free port of this machine while the block runs, and give its address."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        process = multiprocessing.get_context("spawn").Process(target=serve, args=(listening, provider), daemon=True)
        process.start()
    try:
        yield address
    finally:
        process.terminate()
        await asyncio.to_thread(process.join, 10)
        process.kill()
        process.join()


async def measure(
    address: str, draw: Callable[[list[str]], list[str]], clients: int, answered: Callable[[], None]
) -> Pass:
    """Ask for what `draw` makes of the service's list of modules, by so many clients at once.

    Each client sends a request as soon as its last one is answered; `answered` is called at each answer. Raises
    `ServiceError`.
    """
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients, keepalive_expiry=None)
    try:
        # The environment may name a proxy, and no proxy reaches this machine's own ports.
        async with httpx.AsyncClient(base_url=address, limits=limits, timeout=PATIENCE, trust_env=False) as http:
            names = draw(_sound(await http.get("/modules")).json())
            await asyncio.gather(*[http.get("/figures") for _ in range(clients)])
            return await _ask(http, names, clients, answered)
    except httpx.HTTPError as error:
        raise ServiceError(f"the service cannot be reached ({type(error).__name__})") from error


def _sound(response: httpx.Response) -> httpx.Response:
    """Give the response back; raise `ServiceError` where it is not a good one."""
    if not response.is_success:
        raise ServiceError(f"the service answered {response.status_code} to {response.url.path}: {response.text[:200]}")
    return response


async def _ask(http: httpx.AsyncClient, names: list[str], clients: int, answered: Callable[[], None]) -> Pass:
    ahead = iter(names)
    latencies: list[float] = []
    answers: dict[str, bytes] = {}
    changed = 0

    async def client() -> None:
        nonlocal changed
        for name in ahead:
            start = perf_counter()
            response = _sound(await http.get(f"/modules/{name}"))
            latencies.append(perf_counter() - start)
            changed += answers.setdefault(name, response.content) != response.content
            answered()

    start = perf_counter()
    await asyncio.gather(*[client() for _ in range(clients)])
    seconds = perf_counter() - start
    figures = _sound(await http.get("/figures")).json()
    return Pass(seconds, sorted(latencies), answers, changed, figures["analyses"], figures["stats"])
