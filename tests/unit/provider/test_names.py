from collections.abc import Iterable

import pytest

from aiocache_kit.errors import InvalidArgumentError, InvalidKeyError, InvalidTagError
from aiocache_kit.keys import namespace_prefix
from aiocache_kit.provider.names import Names

USERS = namespace_prefix("", "users")


def test_the_root_stores_keys_as_they_are() -> None:
    """But for those that begin with the mark of namespaces."""
    names = Names("")

    assert names.key("key") == "key"
    assert names.key("@users:1") == "@@users:1"
    assert names.own_key("@@users:1") == "@users:1"
    assert names.own_key("@users:1") is None


def test_a_namespace_has_its_prefix() -> None:
    """Keys, tags and beginnings of keys are stored under it, and given back without it."""
    names = Names(USERS)

    assert names.key("1") == "@users:1"
    assert names.own_key("@users:1") == "1"
    assert names.own_key("1") is None
    assert names.tags(["a", "b"]) == ("@users:a", "@users:b")
    assert names.own_tags(["@users:a", "other", "@users:b"]) == ("a", "b")
    assert names.start("x", may_be_empty=False) == "@users:x"
    assert names.start("", may_be_empty=True) == "@users:"
    assert names.start("@", may_be_empty=True) == "@users:@@"


@pytest.mark.parametrize(
    "keys",
    [["a", "b", "a"], ("a", "b"), {"a": 0, "b": 0}.keys(), iter("aba")],
    ids=["list", "tuple", "keys of a dict", "one by one"],
)
def test_collections_of_keys(keys: Iterable[str]) -> None:
    """Any collection of keys, one that can be gone through once included, comes by stored form, each key once."""
    assert list(Names(USERS).keys(keys).items()) == [("@users:a", "a"), ("@users:b", "b")]


@pytest.mark.parametrize("keys", ["key", 5, None])
def test_what_is_no_collection_of_keys(keys: object) -> None:
    """One text alone is not taken for its letters."""
    with pytest.raises(InvalidArgumentError, match=f"keys must be a collection of str, not {type(keys).__name__}"):
        Names("").keys(keys)


def test_wrong_keys_and_tags() -> None:
    """Each key and tag is checked."""
    with pytest.raises(InvalidKeyError):
        Names("").keys(["a", 1])
    with pytest.raises(InvalidKeyError):
        Names("").key("")
    with pytest.raises(InvalidTagError):
        Names("").tags(None)
    with pytest.raises(InvalidArgumentError):
        Names("").start("", may_be_empty=False)


def test_the_first_mark_is_told_once_before_it_is_used() -> None:
    """Who keeps keys unchanged hears of the first one that changes, and of no other."""
    told: list[bool] = []
    names = Names("", lambda: told.append(True))
    names.key("plain")
    names.start("plain", may_be_empty=True)
    assert (names.marked, told) == (False, [])
    names.keys(["@a", "@b"])

    assert (names.marked, told) == (True, [True])
