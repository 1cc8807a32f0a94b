"""What the tests of Redis between processes share: processes, which are started once and used by many tests."""

from collections.abc import Iterator

import pytest

from tests.integration.redis.workers import Pool, Workers


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    """Keep processes from one test to the next."""
    with Pool() as pool:
        yield pool


@pytest.fixture
def workers(pool: Pool) -> Workers:
    """Give a function that gives processes, to be entered with ``async with``."""
    return pool.workers
