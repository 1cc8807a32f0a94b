"""A web service without a cache, with one in each of its workers, and with one that they share, side by side.

    python docs/examples/demo/main.py               about half a minute
    python docs/examples/demo/main.py --null        one more pass, with a cache that stores nothing
    python docs/examples/demo/main.py --quick       a few seconds, to see that everything works
    python docs/examples/demo/main.py --picture demo.svg    draws what it has shown

Exit status: 0 where every answer with the cache was the same as without it, 1 where one was not or the service failed,
130 when it was interrupted.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from redis_server import redis_server
from traffic import Pass, ServiceError, agree, measure, running, zipf
from view import View


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Run a web service without and with a cache, and compare the two.")
    parser.add_argument("--requests", type=_count, default=300, help="in each pass (default: %(default)s)")
    parser.add_argument("--clients", type=_count, default=24, help="at once (default: %(default)s)")
    parser.add_argument("--workers", type=_count, default=4, help="processes of the service (default: %(default)s)")
    parser.add_argument("--null", action="store_true", help="add a pass with the cache that stores nothing")
    parser.add_argument("--quick", action="store_true", help="24 requests by 6 clients to 2 workers")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw what is shown into this file, as SVG")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.requests, chosen.clients, chosen.workers = 24, 6, 2
    return chosen


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be a whole number above zero, not {text!r}")
    return int(text)


def kinds(redis: str | None, *, null: bool) -> Iterator[tuple[str, str | None]]:
    """Give the passes: how each is called, and the provider of its service."""
    yield "without", None
    if null:
        yield "null", "null"
    yield "memory", "memory"
    if redis is not None:
        yield "Redis", "redis"


async def run(chosen: argparse.Namespace) -> bool:
    """Make the passes, show them, and tell whether all gave the same answers."""
    requests, clients, workers = chosen.requests, chosen.clients, chosen.workers
    view = View(draws=chosen.picture is not None)
    view.begin(requests, clients, workers)
    passes: dict[str, Pass] = {}
    with redis_server() as redis:
        for title, provider in kinds(redis, null=chosen.null):
            with view.progress(title, requests) as answered:
                async with running(provider, workers, redis if provider == "redis" else None) as addresses:
                    passes[title] = await measure(addresses, partial(zipf, count=requests), clients, answered)
    same = agree(list(passes.values()))
    view.compare(passes)
    view.explain(passes, workers)
    view.stats(passes)
    view.verdict(same=same, answers=len(passes) * requests)
    if chosen.picture is not None:
        view.draw(chosen.picture)
    return same


def main() -> int:
    """Do what the command line asks for, and give the exit status."""
    chosen = options()
    try:
        return 0 if asyncio.run(run(chosen)) else 1
    except ServiceError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the service was stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
