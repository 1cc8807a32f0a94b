"""All products of which the tests take a sample: each call, each storage, each place where something may fail.

    python -m tests.fuzz.strike parts      # each part of each composite in memory fails in each way at each call
    python -m tests.fuzz.strike files      # the file system refuses each of the calls that a call makes of it
    python -m tests.fuzz.strike closing    # each call at each turn of the loop before `close`, and after it began

Without a word all of them; further words are the names of arrangements, as in the tests. It says what failed, and ends
with 1 if anything did.
"""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from functools import partial
from itertools import product
from typing import Any, Final, TypeAlias

from aiocache_kit.storage.file import directory, freeing
from tests.concurrency.subjects import CALLS
from tests.concurrency.test_faults_of_files import SHAPES, System, refuse
from tests.concurrency.test_faults_of_parts import FAULTS, strike
from tests.concurrency.test_opening_and_closing import TURNS, call_during_close, close_during
from tests.concurrency.wholes import IN_MEMORY, Whole

Case: TypeAlias = tuple[str, Callable[[], Coroutine[Any, Any, object]]]


def parts(names: list[str]) -> Iterator[Case]:
    """Give all ways in which a part may fail."""
    for name, call, fault in product(IN_MEMORY, CALLS, FAULTS):
        if not names or name in names:
            yield f"{name}, {call}, {fault}", partial(strike, IN_MEMORY[name], call, FAULTS[fault])


def files(names: list[str]) -> Iterator[Case]:
    """Give all calls and kinds of files."""
    system: Any = System()
    for module in (directory, freeing):
        vars(module)["os"] = system
    for shape, call in product(SHAPES, CALLS):
        if not names or shape in names:
            yield f"{shape}, {call}", partial(_refused, system, shape, call)


async def _refused(system: System, shape: str, call: str) -> None:
    with tempfile.TemporaryDirectory() as path:
        await refuse(path, system, shape, call, lambda count: range(1, count + 1))


def closing(names: list[str]) -> Iterator[Case]:
    """Give all calls and turns around `close`."""
    for name, call, turns in product(IN_MEMORY, CALLS, range(2 * TURNS)):
        if not names or name in names:
            yield (
                f"{name}, {call}, closed {turns} turns later",
                partial(_around, close_during, name, call, turns),
            )
            yield (
                f"{name}, {call} {turns} turns after the close began",
                partial(_around, call_during_close, name, call, turns),
            )


async def _around(act: Callable[[Whole, str, int], Awaitable[None]], name: str, call: str, turns: int) -> None:
    await act(IN_MEMORY[name](), call, turns)


PRODUCTS: Final = {"parts": parts, "files": files, "closing": closing}


def main() -> int:
    """Run as the command line says."""
    words = sys.argv[1:]
    failed = done = 0
    for word, cases in PRODUCTS.items():
        if words and word != words[0]:
            continue
        for name, case in cases(words[1:]):
            done += 1
            try:
                asyncio.run(case())
            except (AssertionError, TimeoutError, OSError) as error:
                failed += 1
                print(f"{word}: {name}: {error!r:.500}", flush=True)  # noqa: T201  - a program
    print(f"{done} cases, {failed} of them failed")  # noqa: T201  - a program
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
