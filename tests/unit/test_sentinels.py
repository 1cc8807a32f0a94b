import copy
import pickle

import pytest

from aiocache_kit.sentinels import DEFAULT, MISSING, Sentinel


def test_there_are_two() -> None:
    """The class has no other members."""
    assert list(Sentinel) == [MISSING, DEFAULT]


@pytest.mark.parametrize("sentinel", list(Sentinel))
def test_there_is_one_of_each(sentinel: Sentinel) -> None:
    """Copies, also through another process, are the same object, so that `is` can be relied on."""
    assert copy.copy(sentinel) is sentinel
    assert copy.deepcopy(sentinel) is sentinel
    assert pickle.loads(pickle.dumps(sentinel)) is sentinel  # noqa: S301  - our own bytes


@pytest.mark.parametrize("sentinel", list(Sentinel))
def test_sentinels_are_false_and_say_their_names(sentinel: Sentinel) -> None:
    """`value or other` reads as it should, and a signature shows the bare name."""
    assert not sentinel
    assert repr(sentinel) == sentinel.name
    others: list[object] = [None, False, 0, ""]
    assert sentinel not in others
