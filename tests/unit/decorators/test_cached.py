import asyncio
import copy
import functools
import inspect
import pickle
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from aiocache_kit.decorators import Cached, cached
from aiocache_kit.errors import (
    InvalidArgumentError,
    InvalidKeyError,
    InvalidTagError,
    InvalidTTLError,
    ProviderClosedError,
    RecursiveLoadError,
    WrongTypeError,
)
from aiocache_kit.provider import Provider
from aiocache_kit.sentinels import MISSING
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.storage.null import NullStorage
from aiocache_kit.testing import FakeClock


@pytest.fixture
async def cache() -> AsyncIterator[Provider]:
    async with Provider(memory_storage(max_entries=1000)) as provider:
        yield provider


@pytest.fixture
async def clock() -> FakeClock:
    return FakeClock()


@dataclass(frozen=True)
class User:
    id: int
    name: str = ""


def unused() -> Provider:
    """Stand for a provider that no test gets as far as to ask for."""
    raise AssertionError


# --- calls -----------------------------------------------------------------------------------------------------------


async def test_function_is_called_once_for_equal_arguments(cache: Provider) -> None:
    """A call with arguments that were there before gives what is kept; another argument is another result."""
    calls: list[tuple[int, str]] = []

    @cached(cache)
    async def load(user_id: int, lang: str = "en") -> str:
        calls.append((user_id, lang))
        return f"{user_id}-{lang}"

    assert [await load(1), await load(1, "en"), await load(lang="en", user_id=1), await load(2)] == [
        "1-en",
        "1-en",
        "1-en",
        "2-en",
    ]
    assert calls == [(1, "en"), (2, "en")]
    stats = await cache.stats()
    assert (stats.hits, stats.misses, stats.loads) == (2, 2, 2)


async def test_none_is_a_result(cache: Provider) -> None:
    """None, and whatever else is false, is kept like any other result."""
    calls: list[object] = []

    @cached(cache)
    async def load(result: object) -> object:
        calls.append(result)
        return result

    for result in (None, False, 0, "", b""):
        assert await load(result) is result
        assert await load(result) is result
    assert len(calls) == 5


async def test_sync_function_runs_in_a_thread(cache: Provider) -> None:
    """A plain function becomes a coroutine function whose body runs in a thread, once for all who wait."""
    threads: list[int] = []

    @cached(cache)
    def load(user_id: int, *, twice: bool = False) -> int:
        threads.append(threading.get_ident())
        return user_id * (2 if twice else 1)

    assert await asyncio.gather(*(load(4, twice=True) for _ in range(10))) == [8] * 10
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


async def test_plain_function_that_gives_an_awaitable_keeps_others_in_their_threads(cache: Provider) -> None:
    """What is learnt of one plain function, that it gives something to await, is not taken for true of the next one."""

    async def answer() -> str:
        return "awaited"

    @cached(cache)
    def asks(number: int) -> Any:  # noqa: ANN401  - an awaitable, which is awaited
        del number
        return answer()

    @cached(cache)
    def blocks(number: int) -> int:
        return threading.get_ident() + 0 * number

    assert [await asks(1), await asks(2)] == ["awaited", "awaited"]
    assert threading.get_ident() not in [await blocks(1), await blocks(2)]


async def test_callers_share_one_call(cache: Provider) -> None:
    """A hundred callers of a missing result cause one call; if the first one gives up, the others still get it."""
    go, calls = asyncio.Event(), 0

    @cached(cache)
    async def load(user_id: int) -> int:
        nonlocal calls
        calls += 1
        await go.wait()
        return user_id

    first, *others = [asyncio.create_task(load(7)) for _ in range(100)]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    go.set()

    assert await asyncio.gather(*others) == [7] * 99
    assert calls == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_exception_is_not_kept(cache: Provider) -> None:
    """What the function raises reaches the caller unchanged, and the next call calls it again."""
    error = ZeroDivisionError("no")
    outcomes: Iterator[object] = iter([error, "fine"])

    @cached(cache)
    async def load() -> object:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with pytest.raises(ZeroDivisionError) as raised:
        await load()
    assert raised.value is error
    assert await load() == "fine"


async def test_call_of_itself_is_refused(cache: Provider) -> None:
    """A function that needs its own result for the same arguments gets an error instead of waiting for ever."""

    @cached(cache)
    async def load(number: int) -> int:
        return await load(number)

    @cached(cache)
    async def factorial(number: int) -> int:
        return 1 if number == 0 else number * await factorial(number - 1)

    with pytest.raises(RecursiveLoadError):
        await load(1)
    assert await factorial(10) == 3_628_800


async def test_result_lives_for_its_ttl(clock: FakeClock) -> None:
    """The ttl counts from the call's end, in any form that a ttl may have; without one the provider's holds."""
    async with Provider(memory_storage(clock=clock), default_ttl=10) as cache:
        calls: list[str] = []

        @cached(cache, "1m30s")
        async def long() -> None:
            calls.append("long")

        @cached(cache)
        async def short() -> None:
            calls.append("short")

        for seconds in (0.0, 9.0, 2.0, 80.0):
            await clock.advance(seconds)
            await long()
            await short()

        assert calls == ["long", "short", "short", "long", "short"]


@pytest.mark.parametrize("copies", [False, True])
async def test_works_on_any_storage_and_namespace(*, copies: bool) -> None:
    """The same function on copies, in a namespace or on nothing at all keeps to what these promise."""
    async with Provider(memory_storage(copies=copies)) as memory, Provider(NullStorage()) as null:
        calls: list[str] = []

        async def load(where: str) -> list[str]:
            calls.append(where)
            return [where]

        at_root, inside, nowhere = cached(memory)(load), cached(memory.namespace("a"))(load), cached(null)(load)
        for function, where in ((at_root, "root"), (inside, "inside"), (nowhere, "nowhere")):
            one, two = await function(where), await function(where)
            assert one == two == [where]
            assert (one is two) is (function is not nowhere and not copies)

        assert calls == ["root", "inside", "nowhere", "nowhere"]
        assert await memory.get(at_root.key_for("inside"), MISSING) is MISSING


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


# --- tags and other options ------------------------------------------------------------------------------------------


async def test_tags_follow_the_arguments(cache: Provider) -> None:
    """Tags are templates; invalidating one makes the results that have it misses, and no others."""
    calls: list[int] = []

    @cached(cache, tags=("users", "user:{user_id}"))
    async def load(user_id: int) -> int:
        calls.append(user_id)
        return user_id

    await load(1)
    await load(2)
    assert (await cache.get_item(load.key_for(1))).tags == ("users", "user:1")
    await cache.invalidate_tags("user:1")
    await load(1)
    await load(2)
    assert calls == [1, 2, 1]
    await cache.invalidate_tags("users")
    assert await load.peek(2) is MISSING


async def test_function_makes_the_tags(cache: Provider) -> None:
    """A function for the tags is called as the cached function is, when something is kept."""

    def tags(user_id: int, lang: str) -> list[str]:
        return [f"user:{user_id}", lang]

    @cached(cache, tags=tags)
    async def load(user_id: int, lang: str = "en") -> int:
        return user_id + len(lang)

    await load(1)
    await load.set(2, 2)
    assert (await cache.get_item(load.key_for(1))).tags == ("user:1", "en")
    assert (await cache.get_item(load.key_for(2))).tags == ("user:2", "en")


async def test_options_reach_the_item(cache: Provider) -> None:
    """Ttl, tags and cost are those of the item, whether it was loaded, refreshed or set."""

    @cached(cache, 30, key="k:{number}", tags=["t"], cost=7)
    async def load(number: int) -> int:
        return number

    await load(1)
    await load.refresh(2)
    await load.set(3, 3)
    for number in (1, 2, 3):
        item = await cache.get_item(f"k:{number}")
        assert (item.value, item.ttl, item.tags, item.cost) == (number, 30.0, ("t",), 7)


async def test_results_are_given_as_the_type(cache: Provider) -> None:
    """With `type`, what the storage made of a result is read as that type, and a misfit is an error."""

    @cached(cache, key="user:{user_id}", type=User)
    async def load(user_id: int) -> User:
        return User(user_id, "Ada")

    await cache.set("user:1", {"id": 1, "name": "Bob"})
    await cache.set("user:2", "nobody")

    assert [await load(1), await load.peek(1), await load(3), await load(3)] == [
        User(1, "Bob"),
        User(1, "Bob"),
        User(3, "Ada"),
        User(3, "Ada"),
    ]
    with pytest.raises(WrongTypeError):
        await load(2)
    assert await load.peek(4) is MISSING


# --- what a function gains -------------------------------------------------------------------------------------------


async def test_peek_never_calls(cache: Provider) -> None:
    """`peek` gives what is kept, or MISSING, and counts as a read."""

    @cached(cache)
    async def load(result: object) -> object:
        return result

    assert await load.peek(None) is MISSING
    await load(None)
    assert await load.peek(None) is None
    stats = await cache.stats()
    assert (stats.hits, stats.misses, stats.loads) == (1, 2, 1)


async def test_set_keeps_a_value(cache: Provider) -> None:
    """`set` takes the value first and then the arguments, however they are spelled."""

    @cached(cache)
    async def load(value: int, other: int = 0) -> str:
        raise AssertionError(value, other)

    await load.set("kept", 1, other=2)
    assert await load(1, 2) == "kept"
    await load.set("again", value=1, other=2)
    assert await load(1, 2) == "again"


async def test_invalidate_forgets(cache: Provider) -> None:
    """`invalidate` says whether something was kept, and the next call calls the function."""
    calls: list[int] = []

    @cached(cache)
    async def load(number: int) -> int:
        calls.append(number)
        return number

    assert await load.invalidate(1) is False
    await load(1)
    assert await load.invalidate(number=1) is True
    await load(1)
    assert calls == [1, 1]


async def test_invalidate_beats_a_call_under_way(cache: Provider) -> None:
    """Who calls after `invalidate` gets a result computed after it, though an older call ends later."""
    started, go = asyncio.Event(), asyncio.Event()
    results: Iterator[str] = iter(["old", "new"])

    @cached(cache)
    async def load(number: int) -> str:
        result = next(results)
        if result == "old":
            started.set()
            await go.wait()
        return f"{result} {number}"

    before = asyncio.create_task(load(1))
    await started.wait()
    await load.invalidate(1)
    assert await load(1) == "new 1"
    go.set()
    assert await before == "old 1"
    assert await load(1) == "new 1"


async def test_refresh_calls_again_while_others_are_served(cache: Provider) -> None:
    """`refresh` calls the function once for all who refresh; until it ends, callers get the old result at once."""
    started, go, calls = asyncio.Event(), asyncio.Event(), 0

    @cached(cache)
    async def load(number: int) -> int:
        nonlocal calls
        calls += 1
        if calls > 1:
            started.set()
            await go.wait()
        return calls * number

    assert await load(10) == 10
    refreshing = [asyncio.create_task(load.refresh(10)) for _ in range(5)]
    await started.wait()
    assert await load(10) == 10
    go.set()
    assert await asyncio.gather(*refreshing) == [20] * 5
    assert await load(10) == 20


async def test_failed_refresh_leaves_the_old_result(cache: Provider) -> None:
    """What the function raises in a refresh reaches who asked for it; the old result stays."""
    calls: list[int] = []

    @cached(cache)
    async def load() -> str:
        calls.append(1)
        if len(calls) > 1:
            raise ZeroDivisionError
        return "old"

    await load()
    with pytest.raises(ZeroDivisionError):
        await load.refresh()
    assert await load() == "old"


def test_original_is_there() -> None:
    """`original` is the function itself, for tests and for calls that must not be cached."""

    async def load() -> None: ...

    assert cached(unused)(load).original is load


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


# --- where the provider comes from -----------------------------------------------------------------------------------


async def test_provider_is_asked_for_at_the_first_call(cache: Provider) -> None:
    """A function that gives the provider is called by the first call, again if it raised, and then no more."""
    asked: list[str] = []

    def source() -> Provider:
        asked.append("asked")
        if len(asked) == 1:
            raise LookupError("not started yet")
        return cache

    @cached(source)
    async def load(number: int) -> int:
        return number

    load.key_for(1)
    assert asked == []
    with pytest.raises(LookupError):
        await load(1)
    assert [await load(1), await load(1), await load(2)] == [1, 1, 2]
    assert len(asked) == 2


async def test_closed_provider_is_closed() -> None:
    """After its provider is closed a function raises, whatever was kept."""
    async with Provider(memory_storage()) as cache:

        @cached(cache)
        async def load(number: int) -> int:
            return number

        await load(1)
    for call in (load, load.peek, load.refresh, load.invalidate):
        with pytest.raises(ProviderClosedError):
            await call(1)


async def test_application_may_start_anew() -> None:
    """When the provider is closed the function that gave it is asked again, and gives the one of the new start."""
    state: dict[str, Provider] = {}

    @cached(lambda: state["cache"])
    async def load(number: int) -> int:
        return number

    for _ in range(2):
        async with Provider(memory_storage()) as state["cache"]:
            await load(1)
            await load(1)
            assert (await state["cache"].stats()).hits == 1
    with pytest.raises(ProviderClosedError):
        await load(1)


async def test_what_is_no_provider_is_refused() -> None:
    """A function that gives something else is told so at the call."""
    nowhere: Any = list

    @cached(nowhere)
    async def load() -> None: ...

    with pytest.raises(InvalidArgumentError, match="must give a Provider, not an object of class list"):
        await load()


# --- functions inside of functions -----------------------------------------------------------------------------------


def make_loader(cache: Provider, table: object, **options: Any) -> Any:  # noqa: ANN401  - as `cached` takes them
    """Make a function whose results depend on something that its key does not have."""

    @cached(cache, **options)
    async def load(number: int) -> str:
        return f"{table}-{number}"

    return load


@pytest.mark.parametrize(("one", "two"), [("users", "posts"), (1, True), (User, Service), ("users", [])])
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


# --- what is refused when a function is decorated --------------------------------------------------------------------


async def two(user_id: int, *rest: int, session: object = None, **more: int) -> None:
    """Have some parameters to be named."""
    del user_id, rest, session, more


async def generator() -> AsyncIterator[int]:
    yield 1


PARAMETERS = "its parameters are user_id, rest, session, more"


WRONG: list[tuple[dict[str, Any], Any, type[Exception], str]] = [
    (
        {"key": "{userid}"},
        two,
        InvalidArgumentError,
        f"key names 'userid', which is no parameter of .*two: {PARAMETERS}",
    ),
    ({"key": "{x}"}, generator, InvalidArgumentError, "generator"),
    ({"key": "{user_id!r}"}, two, InvalidArgumentError, "key has a field that is none: a field is {name} or"),
    ({"key": "{user_id:>5}"}, two, InvalidArgumentError, "key has a field that is none"),
    ({"key": "{user_id[0]}"}, two, InvalidArgumentError, "key has a field that is none"),
    ({"key": "{}"}, two, InvalidArgumentError, "key has a field that is none"),
    ({"key": "{0}"}, two, InvalidArgumentError, "key has a field that is none"),
    ({"key": "{user_id.class}"}, two, InvalidArgumentError, "key has a field that is none"),
    ({"key": "{user_id"}, two, InvalidArgumentError, "key is no template: a field is"),
    ({"key": "user}"}, two, InvalidArgumentError, "key is no template"),
    ({"key": "{rest}"}, two, InvalidArgumentError, "key names 'rest', which holds many arguments"),
    ({"key": "{more}"}, two, InvalidArgumentError, "key names 'more', which holds many arguments"),
    ({"key": ""}, two, InvalidArgumentError, "key must not be empty"),
    ({"key": 5}, two, InvalidArgumentError, "key must be a template or a function that gives a str, not int"),
    (
        {"key": two},
        two,
        InvalidArgumentError,
        "key must be a template or a plain function, not a coroutine function",
    ),
    ({"key": "{session}", "exclude": ["session"]}, two, InvalidArgumentError, "key names 'session', which exclude"),
    ({"exclude": ("sesion",)}, two, InvalidArgumentError, f"exclude names 'sesion', which is no .*{PARAMETERS}"),
    ({"exclude": "session"}, two, InvalidArgumentError, "exclude must be a collection of names, not one str"),
    ({"tags": ("t", "{nobody}")}, two, InvalidArgumentError, "tags names 'nobody', which is no parameter"),
    ({"tags": "users"}, two, InvalidTagError, "tags must be a collection of str, not str"),
    ({"tags": (1,)}, two, InvalidTagError, "a tag must be a non-empty str, not int"),
    ({"ttl": 0}, two, InvalidTTLError, "ttl must be a positive number of seconds"),
    ({"ttl": "soon"}, two, InvalidTTLError, "ttl must be"),
    ({"cost": -1}, two, InvalidArgumentError, "cost must be None or an int from 0 up"),
    ({"expire": 5}, two, InvalidArgumentError, "there is no option 'expire'"),
    ({}, generator, InvalidArgumentError, "generator is a generator, which gives its values only once"),
    ({}, lambda: None, InvalidArgumentError, "<lambda> has no name that a key could begin with: give key="),
    ({}, functools.partial(two, 1), InvalidArgumentError, "an object of class partial has no name"),
    ({}, User, InvalidArgumentError, "only a function can be cached, not the class User"),
    ({}, 5, InvalidArgumentError, "only a function can be cached, not an object of class int: write @cached"),
    ({"key": "k"}, max, InvalidArgumentError, "builtins:max has no signature that could be read"),
]


@pytest.mark.parametrize(("options", "function", "error", "sentence"), WRONG)
def test_wrong_options_are_refused_at_once(
    options: dict[str, Any],
    function: Any,  # noqa: ANN401  - wrong on purpose
    error: type[Exception],
    sentence: str,
) -> None:
    """Whatever is wrong by itself is one sentence when the function is decorated."""
    with pytest.raises(error, match=sentence):
        cached(unused, **options)(function)


@pytest.mark.parametrize(("provider", "given"), [(None, "an object of class NoneType"), (two, "a coroutine function")])
def test_wrong_provider_is_refused_at_once(provider: Any, given: str) -> None:  # noqa: ANN401  - wrong on purpose
    """`@cached` without brackets, or with something else in them, is told how to be written."""
    with pytest.raises(InvalidArgumentError, match=rf"not {given}: write @cached\(provider\)"):
        cached(provider)
