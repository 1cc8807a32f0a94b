from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from aiocache_kit.decorators import cached
from aiocache_kit.errors import (
    InvalidArgumentError,
    InvalidKeyError,
)
from aiocache_kit.provider import Provider
from aiocache_kit.storage.memory import memory_storage


@pytest.fixture
async def cache() -> AsyncIterator[Provider]:
    async with Provider(memory_storage(max_entries=1000)) as provider:
        yield provider


@dataclass(frozen=True)
class User:
    id: int
    name: str = ""


def unused() -> Provider:
    """Stand for a provider that no test gets as far as to ask for."""
    raise AssertionError


# --- default keys ----------------------------------------------------------------------------------------------------


@cached(unused)
async def shapes(a: object, /, b: object = 2, *rest: object, c: object = None, **more: object) -> None:
    """Take arguments in every way there is."""
    del a, b, rest, c, more


def test_default_key_is_fixed() -> None:
    """The key reads like the call, with module and qualified name, and every argument by its name."""
    module = __name__

    assert shapes.key_for(1) == f"{module}:shapes(a=1,b=2,rest=(),c=None,more={{}})"
    assert shapes.key_for("x", 1.5, None, b"y", c=(1,), z=1, y=2) == (
        f"{module}:shapes(a='x',b=1.5,rest=(None,b'y',),c=(1,),more={{'y':2,'z':1}})"
    )


def test_one_call_has_one_key() -> None:
    """Positional or by name, with defaults spelled or not, with further names in any order: it is the same call."""
    assert shapes.key_for(1) == shapes.key_for(1, 2) == shapes.key_for(1, b=2) == shapes.key_for(1, c=None, b=2)
    assert shapes.key_for(1, x=1, y=2) == shapes.key_for(1, y=2, x=1)


def test_different_calls_have_different_keys() -> None:
    """Type, value, place and name of each argument count."""
    keys = [
        *(shapes.key_for(value) for value in (1, "1", True, 1.0, None, "None", [1], (1,))),
        *(shapes.key_for(1, value) for value in (1, "2", 2.0, None)),
        *(shapes.key_for(1, 2, *rest) for rest in ((1,), (1, 2), ((1, 2),), (None,))),
        *(shapes.key_for(1, c=value) for value in (0, False, ())),
        *(shapes.key_for(1, **more) for more in ({"x": 1}, {"y": 1}, {"x": 1, "y": 1}, {"a": 1}, {"rest": ()})),
    ]

    assert len(set(keys)) == len(keys)


def test_functions_of_one_name_in_two_classes_have_different_keys() -> None:
    """The qualified name is part of the key."""

    class One:
        @cached(unused, exclude=["self"])
        async def load(self, number: int) -> None: ...

    class Two:
        @cached(unused, exclude=["self"])
        async def load(self, number: int) -> None: ...

    assert One().load.key_for(1) != Two().load.key_for(1)


def test_excluded_arguments_have_no_part_in_the_key() -> None:
    """What `exclude` names may be anything at all, and never makes a call another one."""

    @cached(unused, exclude=("session", "rest", "more"))
    async def load(session: object, user_id: int, *rest: object, **more: object) -> None: ...

    assert load.key_for(object(), 1) == load.key_for(object(), 1, object(), x=object())
    assert load.key_for(object(), 1) != load.key_for(object(), 2)


def test_everything_may_be_excluded() -> None:
    """A function of which all is excluded has one key."""

    @cached(unused, exclude=("session",))
    async def load(session: object) -> None: ...

    assert load.key_for(1) == load.key_for(2)


async def test_argument_that_cannot_be_a_key_is_refused(cache: Provider) -> None:
    """The sentence names function, parameter, class and ways out; nothing is called and nothing is stored."""

    @cached(cache)
    async def load(user_id: int, session: object) -> None:
        raise AssertionError(user_id, session)

    with pytest.raises(InvalidKeyError) as raised:
        await load(1, object())
    assert str(raised.value) == (
        f"the argument 'session' of {__name__}:test_argument_that_cannot_be_a_key_is_refused.<locals>.load is an object"
        " of class object, which cannot be part of a key: leave it out with exclude=, make the key with key=, or give"
        " the class a method __cache_key__"
    )
    for call in (load.peek, load.invalidate, load.refresh):
        with pytest.raises(InvalidKeyError):
            await call(1, object())
    assert (await cache.stats()).items == 0


def test_parameters_may_have_any_name() -> None:
    """No parameter's name, however odd, collides with a name of the code that is generated."""

    @cached(unused, key="{_}:{__}:{_key}:{größe}")
    async def templated(_: int, __: int, _key: int, größe: int, MISSING: int = 0) -> None: ...  # noqa: N803, PLC2401  - odd on purpose

    @cached(unused)
    async def plain(_make: int, value: int, *, type: int, self: int, key: int) -> None: ...

    assert templated.key_for(1, 2, 3, 4) == "1:2:3:4"
    assert plain.key_for(1, 2, type=3, self=4, key=5).endswith("plain(_make=1,value=2,type=3,self=4,key=5)")


async def test_hits_go_by_the_same_keys(cache: Provider) -> None:
    """The code that answers hits makes the same keys as `key_for`, whatever mixture of arguments it is given."""
    values: list[Any] = [1, "1", True, 1.5, None, b"x", (1,), [1], {"a": 1}, User(1), 10**5000, "\udc80"]

    @cached(cache)
    async def default(a: object, b: object = "d", *rest: object, c: object = None, **more: object) -> None:
        del a, b, rest, c, more

    for a in values:
        for b in values:
            for arguments, names in (((a, b), {}), ((a,), {"c": b}), ((a, 1, b), {}), ((a,), {"x": b}), ((a,), {})):
                await default(*arguments, **names)
                assert await cache.exists(default.key_for(*arguments, **names))


# --- templates and functions for keys --------------------------------------------------------------------------------


async def test_template_makes_the_key(cache: Provider) -> None:
    """A template names parameters and attributes; doubled braces are braces."""

    @cached(cache, key="{{user}}:{user.id}:{lang}")
    async def load(user: User, lang: str = "en", verbose: bool = False) -> str:  # noqa: FBT001, FBT002  - not in the key
        return f"{user.name} {lang} {verbose}"

    assert load.key_for(User(3), "de") == "{user}:3:de"
    assert await load(User(3, "Ada")) == "Ada en False"
    assert await load(User(3, "Eve"), verbose=True) == "Ada en False"
    assert await cache.get("{user}:3:en") == "Ada en False"


async def test_hits_of_templates_go_by_the_same_keys(cache: Provider) -> None:
    """Values whose text needs more than one step have the same keys when they are hit."""

    class Slug(str):
        __slots__ = ()

    @cached(cache, key="{a}:{b.real}")
    async def load(a: object, b: Any) -> None:  # noqa: ANN401  - anything with the attribute
        del a, b

    for a in (1, "x", True, None, 2.5, b"x", Slug("s"), 10**5000):
        for b in (1, 2.5, SimpleNamespace(real="r"), SimpleNamespace(real=User)):
            if b == SimpleNamespace(real=User):
                with pytest.raises(InvalidKeyError):
                    await load(a, b)
            else:
                await load(a, b)
                assert await cache.exists(load.key_for(a, b))


async def test_constant_template_is_one_key(cache: Provider) -> None:
    """A template without fields is the key of all calls."""

    @cached(cache, key="settings")
    async def load(session: object) -> object:
        return session

    session = object()
    assert await load(session) is session
    assert await load(object()) is session


async def test_field_that_cannot_be_read_is_refused(cache: Provider) -> None:
    """A value without text, or without the attribute, is refused by the field's name, without calling the function."""

    @cached(cache, key="user:{user.id}")
    async def load(user: object) -> None:
        raise AssertionError(user)

    with pytest.raises(
        InvalidKeyError, match=r"the argument 'user.id' of .*load has no value: .* class NoneType .*'id'"
    ):
        await load(None)
    with pytest.raises(
        InvalidKeyError, match=r"the argument 'user.id' of .*load is an object of class list, which has"
    ):
        await load(SimpleNamespace(id=[1]))


async def test_empty_key_is_refused(cache: Provider) -> None:
    """A template whose fields are all empty makes no key."""

    @cached(cache, key="{name}")
    async def load(name: str) -> str:
        return name

    with pytest.raises(InvalidKeyError, match="must not be empty"):
        await load("")


async def test_function_makes_the_key(cache: Provider) -> None:
    """A function for the key is called as the cached function is, with defaults filled in."""

    def key(user: User, *tail: int, lang: str) -> str:
        return f"{user.id}{tail}{lang}"

    @cached(cache, key=key)
    async def load(user: User, *tail: int, lang: str = "en") -> int:
        return user.id + len(tail) + len(lang)

    assert await load(User(1), 5, 6) == 5
    assert load.key_for(User(1), 5, 6) == "1(5, 6)en"
    assert await cache.exists("1(5, 6)en")


@pytest.mark.parametrize(
    ("key", "sentence"), [(5, "a key must be a str, not int"), ("", "a key must not be empty"), ([], "not list")]
)
async def test_function_must_make_a_key(cache: Provider, key: object, sentence: str) -> None:
    """What a function gives instead of a key is refused, before anything is looked up or called."""

    def made() -> Any:  # noqa: ANN401  - wrong on purpose
        return key

    @cached(cache, key=made)
    async def load() -> None:
        raise AssertionError

    with pytest.raises(InvalidKeyError, match=sentence):
        await load()
    with pytest.raises(InvalidKeyError, match=sentence):
        load.key_for()


# --- functions inside of functions -----------------------------------------------------------------------------------


def make_loader(cache: Provider, table: object, **options: Any) -> Any:  # noqa: ANN401  - as `cached` takes them
    """Make a function whose results depend on something that its key does not have."""

    @cached(cache, **options)
    async def load(number: int) -> str:
        return f"{table}-{number}"

    return load


@pytest.mark.parametrize(("one", "two"), [("users", "posts"), (1, True), (User, Provider), ("users", [])])
async def test_twins_that_see_different_values_are_refused(cache: Provider, one: object, two: object) -> None:
    """Functions of one name that captured different values do not get each other's results."""
    users, posts, users_again = (make_loader(cache, table) for table in (one, two, one))

    assert await users(1) == f"{one}-1"
    for call in (posts, posts.peek, posts.invalidate):
        with pytest.raises(
            InvalidArgumentError, match="exists twice, with different values of 'table' from the function"
        ):
            await call(1)
    assert await users_again(1) == f"{one}-1"
    assert (await cache.stats()).loads == 1


async def test_twins_are_told_apart_by_their_keys(cache: Provider) -> None:
    """With keys of their own, or on providers of their own, such functions are as good as any."""
    users = make_loader(cache, "users", key="users:{number}")
    posts = make_loader(cache, "posts", key="posts:{number}")
    other = make_loader(cache.namespace("other"), "others")

    assert [await users(1), await posts(1), await other(1)] == ["users-1", "posts-1", "others-1"]


async def test_other_captured_objects_are_not_compared(cache: Provider) -> None:
    """Connections, lists and the like may differ: results do not depend on them as a rule."""
    assert await make_loader(cache, object())(1) == await make_loader(cache, [])(1)
