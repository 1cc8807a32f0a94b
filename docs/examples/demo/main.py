"""A web service without and with the cache, side by side.

    python docs/examples/demo/main.py               about half a minute
    python docs/examples/demo/main.py --null        one more pass, with a cache that stores nothing
    python docs/examples/demo/main.py --quick       a few seconds, to see that everything works

Exit status: 0 where every answer with the cache was the same as without it, 1 where one was not or the service failed,
130 when it was interrupted.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterator
from functools import partial

from traffic import Pass, ServiceError, agree, measure, running, zipf
from view import View


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Run a web service without and with a cache, and compare the two.")
    parser.add_argument("--requests", type=_count, default=400, help="in each pass (default: %(default)s)")
    parser.add_argument("--clients", type=_count, default=24, help="at once (default: %(default)s)")
    parser.add_argument("--null", action="store_true", help="add a pass with the cache that stores nothing")
    parser.add_argument("--quick", action="store_true", help="60 requests by 6 clients")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.requests, chosen.clients = 60, 6
    return chosen


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be a whole number above zero, not {text!r}")
    return int(text)


def kinds(*, null: bool) -> Iterator[tuple[str, str | None]]:
    """Give the passes: how each is called, and the provider of its service."""
    yield "without", None
    if null:
        yield "null", "null"
    yield "with the cache", "memory"


async def run(requests: int, clients: int, *, null: bool) -> bool:
    """Make the passes, show them, and tell whether all gave the same answers."""
    view = View()
    view.begin(requests, clients)
    passes: dict[str, Pass] = {}
    for title, provider in kinds(null=null):
        with view.progress(title, requests) as answered:
            async with running(provider) as address:
                passes[title] = await measure(address, partial(zipf, count=requests), clients, answered)
    made = list(passes.values())
    same = agree(made)
    view.compare(passes)
    view.explain(made[0], made[-1])
    view.stats(made[-1].stats or {})
    view.verdict(same=same, answers=len(made) * requests)
    return same


def main() -> int:
    """Do what the command line asks for, and give the exit status."""
    chosen = options()
    try:
        return 0 if asyncio.run(run(chosen.requests, chosen.clients, null=chosen.null)) else 1
    except ServiceError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the service was stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
