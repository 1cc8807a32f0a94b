"""What the tests of interrupted calls share: the storages of `subjects`, by name."""

import pytest

from aiocache_kit.testing import FaultyStorage
from tests.concurrency.subjects import MADE_OF_OTHERS, STORAGES, Make


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Make:
    """Give what makes the storage of that name; "slow" ones wait before and after each call."""
    name: str = request.param
    plain = (STORAGES | MADE_OF_OTHERS)[name.removeprefix("slow ")](request)
    return (lambda: FaultyStorage(plain(), turns=True)) if name.startswith("slow ") else plain
