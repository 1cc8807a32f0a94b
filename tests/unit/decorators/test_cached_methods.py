import copy
import functools
import inspect
import pickle
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from aiocache_kit.decorators import Cached, cached
from aiocache_kit.errors import (
    InvalidKeyError,
)
from aiocache_kit.provider import Provider
from aiocache_kit.sentinels import MISSING
from aiocache_kit.storage.memory import memory_storage


@pytest.fixture
async def cache() -> AsyncIterator[Provider]:
    async with Provider(memory_storage(max_entries=1000)) as provider:
        yield provider


def unused() -> Provider:
    """Stand for a provider that no test gets as far as to ask for."""
    raise AssertionError


# --- looking like the function ---------------------------------------------------------------------------------------


@cached(unused, "5m")
async def documented(user_id: int, /, lang: str = "en", *, deep: bool = False) -> str:
    """Say what it does."""
    return f"{user_id} {lang} {deep}"


@cached(unused)
def plain(number: int) -> int:
    return number


def test_name_and_signature_are_the_functions() -> None:
    """Whoever inspects a cached function sees the function's name, module, documentation, signature and notes."""
    assert (documented.__name__, documented.__qualname__) == ("documented", "documented")
    assert (documented.__module__, documented.__doc__) == (__name__, "Say what it does.")
    assert str(inspect.signature(documented)) == "(user_id: int, /, lang: str = 'en', *, deep: bool = False) -> str"
    assert inspect.unwrap(documented) is documented.original
    assert repr(documented) == f"<cached {__name__}:documented>"
    assert isinstance(documented, Cached)


@pytest.mark.parametrize("function", [documented, plain])
def test_it_is_a_coroutine_function(function: Callable[..., object]) -> None:
    """A cached function is a coroutine function for everybody who asks, whatever the original was."""
    assert inspect.iscoroutinefunction(function)


def test_attributes_of_the_function_are_kept() -> None:
    """What other decorators noted on a function is on the cached one, too."""

    async def load() -> None: ...

    vars(load)["role"] = "admin"

    assert vars(cached(unused)(load))["role"] == "admin"


def test_pickles_and_copies_by_name() -> None:
    """As functions do, it pickles as a reference, and a copy is the same object."""
    assert pickle.loads(pickle.dumps(documented)) is documented  # noqa: S301  - made on this line
    assert copy.deepcopy({"f": documented})["f"] is documented
    assert copy.copy(documented) is documented


def test_wrong_calls_raise_what_the_function_would(cache: Provider) -> None:
    """Missing, surplus and unknown arguments are the TypeError of the function's own name, at once."""

    @cached(cache)
    async def load(user_id: int) -> int:
        return user_id

    for call in (load, load.key_for):
        wrong: Any = call
        with pytest.raises(TypeError, match=r"load\(\) missing 1 required positional argument: 'user_id'"):
            wrong()
        with pytest.raises(TypeError, match=r"load\(\) takes 1 positional argument but 2 were given"):
            wrong(1, 2)
        with pytest.raises(TypeError, match=r"load\(\) got an unexpected keyword argument 'x'"):
            wrong(1, x=2)


def add(more: int, number: int) -> int:
    return number + more


async def test_decorators_stack(cache: Provider) -> None:
    """A cached function can be cached once more, and wrapped by others, as any coroutine function."""
    calls: list[int] = []

    async def load(number: int) -> int:
        calls.append(number)
        return number

    near = cached(cache, key="near:{number}")(cached(cache, key="far:{number}")(load))
    bound = cached(cache, key="partial:{number}")(functools.partial(add, 10))

    assert [await near(1), await near(1), await bound(2)] == [1, 1, 12]
    assert calls == [1]
    kept = [key async for key in cache.keys()]  # noqa: SIM118  - no dict
    assert sorted(kept) == ["far:1", "near:1", "partial:2"]


# --- methods ---------------------------------------------------------------------------------------------------------


def make_repository(cache: Provider) -> SimpleNamespace:
    """Make a class whose methods are cached in every way, and one derived from it."""

    class Repository:
        def __init__(self, name: str) -> None:
            self.name = name
            self.calls = 0

        def __cache_key__(self) -> str:
            return self.name

        @cached(cache)
        async def load(self, number: int) -> tuple[str, int]:
            self.calls += 1
            return self.name, number

        @cached(cache, exclude=["self"])
        def shared(self, number: int) -> int:
            self.calls += 1
            return number

        @cached(cache)
        @classmethod
        async def inner_class(cls, number: int) -> tuple[str, int]:
            return cls.__name__, number

        @classmethod
        @cached(cache)
        async def outer_class(cls, number: int) -> tuple[str, int]:
            return cls.__name__, number

        @cached(cache)
        @staticmethod
        async def inner_static(number: int) -> int:
            return number

        @staticmethod
        @cached(cache)
        async def outer_static(number: int) -> int:
            return number

    class Derived(Repository):
        pass

    return SimpleNamespace(base=Repository, derived=Derived)


async def test_methods_are_bound(cache: Provider) -> None:
    """A method's results belong to what its instance says of itself; all that it gained is bound to the instance."""
    base = make_repository(cache).base
    one, two, again = base("one"), base("two"), base("one")

    assert [await one.load(1), await two.load(1), await again.load(1)] == [("one", 1), ("two", 1), ("one", 1)]
    assert (one.calls, two.calls, again.calls) == (1, 1, 0)
    assert one.load.key_for(1) == again.load.key_for(number=1) == base.load.key_for(one, 1)
    assert await one.load.peek(1) == ("one", 1)
    assert await again.load.invalidate(1) is True
    assert await one.load.peek(1) is MISSING
    assert await two.load.peek(1) == ("two", 1)
    await one.load.set(("set", 1), 1)
    assert await one.load(1) == ("set", 1)
    assert await one.load.refresh(1) == ("one", 1)
    assert await one.load.original(5) == ("one", 5)
    assert one.calls == 3


async def test_instance_may_be_excluded(cache: Provider) -> None:
    """With self excluded, all instances share the results."""
    base = make_repository(cache).base
    one, two = base("one"), base("two")

    assert [await one.shared(1), await two.shared(1)] == [1, 1]
    assert (one.calls, two.calls) == (1, 0)


async def test_instance_that_says_nothing_is_refused(cache: Provider) -> None:
    """An instance without `__cache_key__` is an argument that cannot be part of a key."""

    class Repository:
        @cached(cache)
        async def load(self, number: int) -> int:
            return number

    with pytest.raises(
        InvalidKeyError, match=r"the argument 'self' of .*Repository.load is an object of class .*Repos"
    ):
        await Repository().load(1)


@pytest.mark.parametrize("name", ["inner_class", "outer_class"])
async def test_class_methods_know_their_class(cache: Provider, name: str) -> None:
    """The class is an argument: a derived class has results of its own, whichever decorator is the outer one."""
    made = make_repository(cache)

    for owner in (made.base, made.derived, made.derived("x")):
        of = owner if isinstance(owner, type) else type(owner)
        assert await getattr(owner, name)(1) == (of.__name__, 1)
        assert await getattr(owner, name)(1) == (of.__name__, 1)
    assert (await cache.stats()).loads == 2


async def test_class_methods_inside_are_bound_wholly(cache: Provider) -> None:
    """With `cached` outside of `classmethod`, what was gained is bound to the class, too."""
    made = make_repository(cache)

    await made.base.inner_class(1)
    assert await made.derived.inner_class.invalidate(1) is False
    assert await made.base("x").inner_class.invalidate(1) is True


@pytest.mark.parametrize("name", ["inner_static", "outer_static"])
async def test_static_methods_are_functions(cache: Provider, name: str) -> None:
    """A static method is bound to nothing, whichever decorator is the outer one."""
    base = make_repository(cache).base

    for owner in (base, base("x")):
        function = getattr(owner, name)
        assert await function(1) == 1
        assert await function.invalidate(1) is True


class Service:
    """Something with a cached method, at module level."""

    @cached(unused)
    async def load(self, number: int) -> int:
        """Load it."""
        return number

    def __cache_key__(self) -> str:
        return ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Service)

    def __hash__(self) -> int:
        return 1


def test_bound_method_looks_like_one() -> None:
    """A bound method has the signature without self, is a coroutine function, and pickles with its instance."""
    service = Service()
    copied = pickle.loads(pickle.dumps(service.load))  # noqa: S301  - made on this line

    assert str(inspect.signature(service.load)) == "(number: int) -> int"
    assert inspect.iscoroutinefunction(service.load)
    assert inspect.iscoroutinefunction(Service.load)
    assert (service.load.__name__, service.load.__doc__) == ("load", "Load it.")
    assert copied.key_for(1) == service.load.key_for(1)
    assert copied.original.__self__ == service
