import asyncio
import contextvars
import functools
import math
import threading
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any, Protocol

import pytest

from aiocache_kit.errors import InvalidArgumentError, InvalidTagError, InvalidTTLError
from aiocache_kit.management.freshness import Freshness
from aiocache_kit.provider.calling import call, check_callable
from aiocache_kit.provider.loading import (
    FullContext,
    LoadContext,
    check_cost,
    check_options,
    wants_context,
)

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


class Source:
    """Callables of every kind; each gives the thread it ran in."""

    def plain(self) -> int:
        return threading.get_ident()

    async def coroutine(self) -> int:
        return threading.get_ident()

    @classmethod
    def of_class(cls) -> int:
        return threading.get_ident()

    @staticmethod
    async def static() -> int:
        return threading.get_ident()

    def with_context(self, context: LoadContext) -> None:
        """Take one argument."""

    def any_number(*_: object) -> None:
        """Take whatever comes."""


class AsyncCallable:
    async def __call__(self) -> int:
        return threading.get_ident()


class PlainCallable:
    def __call__(self) -> int:
        return threading.get_ident()


class Made:
    def __init__(self) -> None:
        self.thread = threading.get_ident()

    def __eq__(self, other: object) -> bool:
        return self.thread == other

    def __hash__(self) -> int:
        return self.thread


def plain(_context: LoadContext | None = None) -> int:
    return threading.get_ident()


async def coroutine(*, times: int = 1) -> int:
    return threading.get_ident() * times


source = Source()

ON_THE_LOOP: dict[str, Callable[..., Awaitable[int]]] = {
    "function": coroutine,
    "method": source.coroutine,
    "static method": Source.static,
    "partial": functools.partial(coroutine, times=1),
    "partial of a partial": functools.partial(functools.partial(coroutine), times=1),
    "partial of a method": functools.partial(Source.coroutine, source),
    "object with async __call__": AsyncCallable(),
    "partial of such an object": functools.partial(AsyncCallable()),
}
IN_A_THREAD: dict[str, Callable[..., object]] = {
    "function": plain,
    "lambda": lambda: threading.get_ident(),  # noqa: PLW0108  - a lambda is what is tested
    "method": source.plain,
    "class method": Source.of_class,
    "partial": functools.partial(plain, None),
    "object with __call__": PlainCallable(),
    "class": Made,
    "builtin": threading.get_ident,
}


# --- how loaders are called -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ON_THE_LOOP)
async def test_coroutine_functions_run_on_the_loop(name: str) -> None:
    """Rule 2: whatever shape a coroutine function comes in, it is called and awaited here."""
    assert await call(ON_THE_LOOP[name]) == threading.get_ident()


@pytest.mark.parametrize("name", IN_A_THREAD)
async def test_anything_else_runs_in_a_thread(name: str) -> None:
    """Rule 2: what may block does so elsewhere, each time."""
    for _ in range(2):
        assert await call(IN_A_THREAD[name]) != threading.get_ident()


async def test_what_gives_an_awaitable_is_known_the_second_time() -> None:
    """A lambda around a coroutine function is called in a thread once; its result is awaited on the loop always."""
    called_in: list[int] = []

    def make() -> Callable[[], Awaitable[int]]:
        def load() -> Awaitable[int]:
            called_in.append(threading.get_ident())
            return coroutine()

        return load

    results = [await call(make()) for _ in range(3)]

    assert results == [threading.get_ident()] * 3
    assert called_in[0] != threading.get_ident()
    assert called_in[1:] == [threading.get_ident()] * 2


async def test_a_future_may_be_given() -> None:
    """Whatever can be awaited is: a future as well as a coroutine."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_result(5)

    assert await call(lambda: future) == 5


async def test_arguments_and_context_reach_the_thread() -> None:
    """A function in a thread gets its arguments, and sees the context of its caller."""
    variable.set("caller")

    def tell(one: int, two: int) -> tuple[int, int, str]:
        return one, two, variable.get()

    assert await call(tell, 1, 2) == (1, 2, "caller")


@pytest.mark.parametrize("error", [LookupError("wrong"), StopAsyncIteration(), TimeoutError()])
async def test_what_a_loader_raises_comes_out(error: BaseException) -> None:
    """The very object, from a thread as from the loop."""

    def fail() -> None:
        raise error

    async def fail_here() -> None:
        raise error

    for function in (fail, fail_here):
        with pytest.raises(type(error)) as caught:
            await call(function)
        assert caught.value is error


async def test_stop_iteration_becomes_a_runtime_error() -> None:
    """A `StopIteration` cannot cross into a future: it is told as Python tells it of a coroutine, on either side."""

    def fail() -> None:
        next(iter(()))

    async def fail_here() -> None:
        next(iter(()))

    for function in (fail, fail_here):
        with pytest.raises(RuntimeError, match="raised StopIteration") as caught:
            await call(function)
        assert isinstance(caught.value.__cause__, StopIteration)


# --- what a loader takes ----------------------------------------------------------------------------------------------


async def with_context(context: LoadContext) -> None:
    """Take the context."""


def keyword_only(*, limit: int = 5) -> int:
    return limit


def with_defaults(context: LoadContext, limit: int = 5) -> int:
    return limit + len(context.tags)


WANTS: dict[str, tuple[Callable[..., object], bool]] = {
    "nothing": (lambda: 1, False),
    "one": (LoadContext.__repr__, True),
    "defaults": (plain, False),
    "one and defaults": (with_defaults, True),
    "keyword-only defaults": (keyword_only, False),
    "any number": (lambda *args, **kwargs: (args, kwargs), False),
    "coroutine function": (with_context, True),
    "method": (source.plain, False),
    "method with one": (source.with_context, True),
    "method with any number": (source.any_number, False),
    "class method": (Source.of_class, False),
    "unbound method": (Source.plain, True),
    "partial": (functools.partial(source.with_context), True),
    "partial that gives it": (functools.partial(with_defaults, LoadContext("k", 1.0, (), None)), False),
    "partial with a keyword": (functools.partial(with_defaults, limit=1), True),
    "object": (AsyncCallable(), False),
    "class": (Made, False),
    "class with one": (LookupError, False),
    "builtin without": (threading.get_ident, False),
    "builtin with one": (len, True),
    "builtin that does not tell": (dict, False),
}


@pytest.mark.parametrize("name", WANTS)
def test_who_wants_the_context(name: str) -> None:
    """Rule 1: only positional parameters without a default count."""
    function, wants = WANTS[name]

    assert wants_context(function) is wants


def two(one: object, other: object) -> tuple[object, object]:
    return one, other


def three(one: object, other: object, third: object) -> tuple[object, object, object]:
    return one, other, third


@pytest.mark.parametrize("function", [two, functools.partial(three, 1), divmod, Source.with_context])
def test_more_than_one_argument_is_refused(function: Callable[..., object]) -> None:
    """A loader that needs two arguments cannot be called."""
    with pytest.raises(InvalidArgumentError, match="takes no argument or one LoadContext, and this one needs 2: use a"):
        wants_context(function)


def by_id(user_id: int) -> int:
    return user_id


def by_name(name: "str") -> str:  # as `from __future__ import annotations` has it
    return name


class Repository:
    def by_id(self, user_id: uuid.UUID) -> uuid.UUID:
        return user_id


@pytest.mark.parametrize("function", [by_id, by_name, Repository().by_id], ids=["class", "text", "method"])
def test_a_loader_that_wants_an_id_is_refused(function: Callable[..., object]) -> None:
    """Who hands over a function of an id, instead of a call of it, is told so; it would get the context as its id."""
    with pytest.raises(
        InvalidArgumentError, match=r"LoadContext, and this one declares '\w+' as something else: use a"
    ):
        wants_context(function)


class Tagged(Protocol):
    tags: tuple[str, ...]


def like_one(context: Tagged) -> object:
    return context.tags


def anything(context: Any) -> object:  # noqa: ANN401  - that is the point
    return context


def by_text(context: "LoadContext") -> object:
    return context


@pytest.mark.parametrize("function", [like_one, anything, by_text])
def test_a_loader_may_say_what_a_context_is_in_its_own_words(function: Callable[..., object]) -> None:
    """A protocol, Any and a name in quotes are as good as the class."""
    assert wants_context(function)


@pytest.mark.parametrize("name", ["generator", "async generator"])
def test_generators_are_no_loaders(name: str) -> None:
    """What gives its values only once is refused before it is called, since the second reader would find nothing."""

    def plain_one() -> Iterator[int]:
        yield 1

    async def async_one() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(
        InvalidArgumentError, match=r"^a loader gives a value once, and this one is a generator: give a list$"
    ):
        wants_context(plain_one if name == "generator" else async_one)


@pytest.mark.parametrize("function", [5, "name", None, [len]], ids=repr)
def test_what_cannot_be_called(function: object) -> None:
    """What is no function is refused by the argument's name and its type."""
    with pytest.raises(InvalidArgumentError, match=f"^loader must be callable, not {type(function).__name__}$"):
        check_callable(function, "loader")


async def test_a_coroutine_instead_of_its_function() -> None:
    """The commonest mistake has its own hint, and the coroutine that nobody will await is closed in silence."""
    with pytest.raises(InvalidArgumentError, match="not coroutine: pass the function, without calling it"):
        check_callable(coroutine(), "loader")
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    with pytest.raises(InvalidArgumentError, match=r"not .*Future: pass the function, without calling it"):
        check_callable(future, "fn")


# --- options and context ----------------------------------------------------------------------------------------------


def test_options() -> None:
    """Tags and cost may be given or not; anything else is named, with what is allowed."""
    assert check_options({}) == ((), None, Freshness())
    assert check_options({"tags": ["a", "a", "b"], "cost": 5}) == (("a", "b"), 5, Freshness())
    assert check_options({"tags": (), "cost": None}) == ((), None, Freshness())
    with pytest.raises(
        InvalidArgumentError,
        match=r"^there is no option 'tag': the options of a load are cache_none, .*, timeout and type$",
    ):
        check_options({"tag": "a"})
    with pytest.raises(InvalidTagError):
        check_options({"tags": "users"})
    with pytest.raises(InvalidTagError):
        check_options({"tags": None})


@pytest.mark.parametrize("cost", [None, 0, 1, 10**30])
def test_costs(cost: int | None) -> None:
    """A cost is None or a whole number from zero up."""
    assert check_cost(cost) is cost


@pytest.mark.parametrize(
    ("cost", "kind"),
    [(-1, "a negative one"), (1.0, "float"), (True, "bool"), (False, "bool"), ("1", "str"), (math.nan, "float")],
)
def test_what_is_no_cost(cost: object, kind: str) -> None:
    """Anything else is refused in one sentence."""
    with pytest.raises(InvalidArgumentError) as caught:
        check_cost(cost)
    assert str(caught.value) == f"cost must be None or an int from 0 up (bytes), not {kind}"


def test_a_context_begins_with_what_the_caller_said() -> None:
    """Key, ttl, tags and cost are those of the call; the value may be kept."""
    context = FullContext("user:secret", math.inf, ("a",), 5)

    assert (context.key, context.ttl, context.life, context.tags, context.cost) == (
        "user:secret",
        None,
        math.inf,
        ("a",),
        5,
    )
    assert context.cacheable
    assert repr(context) == "<LoadContext ttl=None, 1 tags, cacheable=True>"


def test_what_a_loader_may_decide() -> None:
    """Ttl, tags and cost can be set in every form that a call takes; wrong ones raise and change nothing."""
    context = FullContext("k", 5.0, (), None)
    context.ttl = timedelta(minutes=1)
    assert context.life == 60.0
    context.ttl = "1h"
    assert context.life == 3600.0
    context.ttl = None
    assert context.life == math.inf
    context.tags = ["a", "a"]
    assert context.tags == ("a",)
    context.cost = 7
    wrong: Any = -1
    for name, error in (("ttl", InvalidTTLError), ("tags", InvalidTagError), ("cost", InvalidArgumentError)):
        with pytest.raises(error):
            setattr(context, name, wrong)

    assert (context.life, context.tags, context.cost) == (math.inf, ("a",), 7)
