"""What holds in every test, whatever it tests.

Rule 1: when an async test is over, no task is left; whoever starts one ends it (`no_task_left`).
Rule 2: nothing called by the package blocks the event loop; a test that must is marked ``blocking`` (`nothing_blocks`).
Rule 3: the gate draws the same examples each time; to look further, set ``HYPOTHESIS_PROFILE=long``.
"""

import asyncio
import gc
import inspect
import os
from collections.abc import AsyncIterator, Iterator

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import settings

pytest_plugins = ["tests.servers.fixtures"]

settings.register_profile("gate", deadline=None, derandomize=True, max_examples=60, stateful_step_count=40)
settings.register_profile("long", deadline=None, max_examples=5000, stateful_step_count=100)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Know the option that draws the pictures of the docs anew."""
    parser.addoption("--write-pictures", action="store_true", help="write the pictures that the docs show")


def pytest_collection_finish() -> None:
    """Let collections of garbage pass over the thousands of tests that were found: a full one took a second each."""
    gc.collect()
    gc.freeze()


@pytest.fixture
async def no_task_left() -> AsyncIterator[None]:
    """Fail the test that leaves a task behind: after the fixtures it asked for are torn down, none may be there."""
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        pytest.fail("tasks left running:\n" + "\n".join(sorted(map(repr, left))))


@pytest.fixture(autouse=True)
def watched(request: pytest.FixtureRequest) -> Iterator[None]:
    """Watch each test: async ones for tasks left behind, all for blocking calls inside the event loop."""
    if inspect.iscoroutinefunction(request.function):
        request.getfixturevalue("no_task_left")
    if request.node.get_closest_marker("blocking") is not None:
        yield
        return
    with blockbuster_ctx(scanned_modules="aiocache_kit"):
        yield
