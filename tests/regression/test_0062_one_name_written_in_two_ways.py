"""With `sort_query`, two parameters of one name changed places where that was written in two ways."""

import pytest

from aiocache_kit.integrations.http.keys import query_of


def sorted_(query: str) -> str:
    return query_of(query, ordered=True, ignored=frozenset())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("role=1&%72ole=2", "%72ole=2&role=1"),
        ("role=1&r%6Fle=2", "r%6Fle=2&role=1"),
        ("a+b=1&a%20b=2", "a%20b=2&a+b=1"),
        ("a+b=1&a%2Bb=2", "a%2Bb=2&a+b=1"),
        ("%FC=1&\xfc=2", "\xfc=2&%FC=1"),
        ("x&%78=1", "%78=1&x"),
    ],
)
def test_parameters_of_one_name_stay_in_their_order(one: str, other: str) -> None:
    """Applications heed the first one, or the last: a request for another order has another key."""
    assert sorted_(one) != sorted_(other)


def test_parameters_of_different_names_are_sorted() -> None:
    """However the names are written."""
    assert sorted_("b=1&%61=2&c=3") == sorted_("c=3&%61=2&b=1") == "%61=2&b=1&c=3"
    assert sorted_("a=2&a=1&A=0") == "A=0&a=2&a=1"
