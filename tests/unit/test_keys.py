import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aiocache_kit.errors import InvalidArgumentError, InvalidKeyError, InvalidTagError
from aiocache_kit.keys import MAX_TAGS, check_key, check_prefix, check_tags, namespace_prefix, stored, unstored

TEXT = st.text(st.characters(), min_size=1, max_size=6) | st.text("@:%a", min_size=1, max_size=6)
"""Any text, surrogates and NUL included, and often the signs that have a meaning."""
PATHS = st.lists(TEXT, max_size=3)


class Name(str):
    __slots__ = ()


def prefix_of(path: list[str]) -> str:
    """Give what stored keys begin with in namespaces inside of one another, outermost first."""
    prefix = ""
    for name in path:
        prefix = namespace_prefix(prefix, name)
    return prefix


@pytest.mark.parametrize("key", ["k", " ", "\0", "\ud800", "@", "k" * 100_000, "*?[a]", "../..", Name("k")])
def test_any_text_is_a_key(key: str) -> None:
    """A key may be any non-empty text of any length, a subclass of `str` included; it is given back as it is."""
    assert check_key(key) is key


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("", "a key must not be empty"),
        (Name(), "a key must not be empty"),
        (None, "a key must be a str, not NoneType"),
        (b"k", "a key must be a str, not bytes"),
        (1, "a key must be a str, not int"),
        (["k"], "a key must be a str, not list"),
    ],
)
def test_anything_else_is_none(key: object, sentence: str) -> None:
    """What is no key is refused by its type, and never shown."""
    with pytest.raises(InvalidKeyError) as caught:
        check_key(key)
    assert str(caught.value) == sentence


def test_prefixes() -> None:
    """A prefix is a `str`, and empty only where that is allowed."""
    assert check_prefix("user:", may_be_empty=False) == "user:"
    assert check_prefix("", may_be_empty=True) == ""
    with pytest.raises(InvalidArgumentError, match="prefix must not be empty: clear\\(\\) removes everything"):
        check_prefix("", may_be_empty=False)
    with pytest.raises(InvalidArgumentError, match="prefix must be a str, not int"):
        check_prefix(1, may_be_empty=True)


@pytest.mark.parametrize(
    "tags",
    [["a", "b", "a"], ("a", "b"), {"a": 1, "b": 2}, (tag for tag in "aabb")],
    ids=["list", "tuple", "dict", "one by one"],
)
def test_tags_come_once_in_order(tags: object) -> None:
    """Any collection of texts is a tuple of tags, without repetitions."""
    assert check_tags(tags) == ("a", "b")


@pytest.mark.parametrize(
    ("tags", "sentence"),
    [
        ("users", "tags must be a collection of str, not str: put it into a list"),
        (None, "tags must be a collection of str, not NoneType"),
        (5, "tags must be a collection of str, not int"),
        (["a", ""], "a tag must be a non-empty str, not an empty one"),
        (["a", 1], "a tag must be a non-empty str, not int"),
        (b"ab", "a tag must be a non-empty str, not int"),
        ([["a"]], "a tag must be a non-empty str, not list: give each tag by itself"),
        ([None], "a tag must be a non-empty str, not NoneType"),
    ],
)
def test_what_is_no_tag(tags: object, sentence: str) -> None:
    """One text alone is not taken for its letters, and whatever is no tag is refused in one sentence."""
    with pytest.raises(InvalidTagError) as caught:
        check_tags(tags)
    assert str(caught.value) == sentence


def test_tags_are_bounded() -> None:
    """`MAX_TAGS` different tags are allowed, and not one more; repetitions do not count."""
    most = [str(number) for number in range(MAX_TAGS)]
    assert len(check_tags(most * 2)) == MAX_TAGS
    with pytest.raises(InvalidTagError, match=f"at most {MAX_TAGS} tags, not {MAX_TAGS + 1}"):
        check_tags([*most, "one more"])


@pytest.mark.parametrize(("name", "kind"), [("", "an empty one"), (1, "int"), (None, "NoneType"), (b"a", "bytes")])
def test_names_of_namespaces(name: object, kind: str) -> None:
    """A namespace's name is a non-empty `str`."""
    with pytest.raises(InvalidArgumentError, match=f"a namespace's name must be a non-empty str, not {kind}"):
        namespace_prefix("", name)


def test_stored_forms_can_be_read_by_people() -> None:
    """The forms are those of the module's docstring."""
    assert stored("", "key") == "key"
    assert stored(prefix_of(["a"]), "key") == "@a:key"
    assert stored(prefix_of(["a", "b"]), "key") == "@a:@b:key"
    assert stored("", "@key") == "@@key"
    assert stored(prefix_of(["a:b"]), "k") == "@a%3Ab:k"
    assert stored(prefix_of(["@%"]), "k") == "@%40%25:k"


@given(st.lists(st.tuples(PATHS, TEXT), min_size=2, max_size=6))
@example([([], "@a:k"), (["a"], "k"), ([], "@@a:k")])
@example([(["a"], "@b:k"), (["a", "b"], "k"), (["a:@b"], "k"), (["a%3A"], "k"), (["a:"], "k")])
def test_no_two_keys_meet(places: list[tuple[list[str], str]]) -> None:
    """Keys that differ, in themselves or in their namespace, nested ones too, have different stored forms."""
    for (path, key), (other_path, other_key) in itertools.combinations(places, 2):
        same = path == other_path and key == other_key
        assert (stored(prefix_of(path), key) == stored(prefix_of(other_path), other_key)) is same


@given(PATHS, PATHS, TEXT)
def test_a_key_is_read_back_in_its_own_namespace_alone(path: list[str], other: list[str], key: str) -> None:
    """`unstored` gives the key back where it was stored, and None anywhere else: outside, inside and beside."""
    full = stored(prefix_of(path), key)

    assert unstored(prefix_of(path), full) == key
    if other != path:
        assert unstored(prefix_of(other), full) is None


@given(PATHS, TEXT, TEXT)
def test_prefixes_of_keys_are_prefixes_of_stored_forms(path: list[str], start: str, key: str) -> None:
    """A key begins with a text exactly if its stored form begins with the stored form of that text."""
    prefix = prefix_of(path)

    assert stored(prefix, key).startswith(stored(prefix, start)) is key.startswith(start)
