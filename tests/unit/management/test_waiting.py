import pytest

from aiocache_kit.management.waiting import leads_to

WAITS = {"a": "b", "b": "ca", "c": "d", "d": "", "e": "e"}


@pytest.mark.parametrize(
    ("start", "end", "leads"),
    [("a", "a", True), ("a", "d", True), ("d", "a", False), ("b", "e", False), ("e", "a", False)],
)
def test_one_comes_to_an_end_by_way_of_others(start: str, end: str, leads: bool) -> None:  # noqa: FBT001  - a case
    """Whoever is waited for, directly or not, is found, and circles come to an end."""
    assert leads_to(start, lambda one: one == end, lambda one: WAITS[one]) is leads
