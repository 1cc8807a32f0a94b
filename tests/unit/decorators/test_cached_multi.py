import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from aiocache_kit.decorators import cached, cached_multi
from aiocache_kit.errors import InvalidArgumentError, InvalidKeyError
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


async def test_missing_ids_are_asked_for_together(cache: Provider) -> None:
    """One call of the function for the ids that are missing, each once and in order, and none where all are there."""
    calls: list[list[int]] = []

    @cached_multi(cache, key="user:{user_id}")
    async def load(user_ids: list[int]) -> dict[int, str]:
        calls.append(user_ids)
        return {each: f"user {each}" for each in user_ids}

    assert await load([1, 2, 1]) == {1: "user 1", 2: "user 2"}
    assert list((await load((3, 2, 4))).items()) == [(3, "user 3"), (2, "user 2"), (4, "user 4")]
    assert await load(iter([4, 1])) == {4: "user 4", 1: "user 1"}
    assert await load([]) == {}
    assert calls == [[1, 2], [3, 4]]
    assert await cache.get("user:2") == "user 2"


async def test_single_and_multi_share_keys(cache: Provider) -> None:
    """With the same template, what one function keeps another one finds."""

    @cached(cache, key="user:{user_id}")
    async def one(user_id: int) -> str:
        return f"one {user_id}"

    @cached_multi(cache, key="user:{user_id}")
    async def many(user_ids: list[int]) -> dict[int, str]:
        return {each: f"many {each}" for each in user_ids}

    await one(1)
    assert await many([1, 2]) == {1: "one 1", 2: "many 2"}
    assert await one(2) == "many 2"


async def test_ids_that_are_not_found_are_left_out(cache: Provider) -> None:
    """What the function leaves out is left out of the answer, and asked for again; what it adds is ignored."""
    calls: list[list[int]] = []

    @cached_multi(cache)
    async def load(user_ids: list[int]) -> dict[int, str | None]:
        calls.append(user_ids)
        return {1: None, 99: "unasked"}

    assert await load([1, 2]) == {1: None}
    assert await load([1, 2]) == {1: None}
    assert calls == [[1, 2], [2]]
    assert await load.peek([99]) == {}


async def test_loads_under_way_are_joined(cache: Provider) -> None:
    """Ids that another call is loading are waited for, and only the rest is asked for."""
    calls: list[list[int]] = []
    started, go = asyncio.Semaphore(0), asyncio.Event()

    @cached_multi(cache)
    async def load(user_ids: list[int]) -> dict[int, int]:
        calls.append(user_ids)
        started.release()
        await go.wait()
        return {each: each for each in user_ids}

    both = [asyncio.create_task(load([1, 2])), asyncio.create_task(load([2, 3]))]
    for _ in both:
        await started.acquire()
    go.set()

    assert await asyncio.gather(*both) == [{1: 1, 2: 2}, {2: 2, 3: 3}]
    assert calls == [[1, 2], [3]]


async def test_sync_function_runs_in_a_thread(cache: Provider) -> None:
    """A plain function runs in a thread, and the cached one is a coroutine function all the same."""
    threads: list[int] = []

    @cached_multi(cache)
    def load(user_ids: Sequence[int], factor: int = 2) -> Mapping[int, int]:
        threads.append(threading.get_ident())
        return {each: each * factor for each in user_ids}

    assert inspect.iscoroutinefunction(load)
    assert await load([1, 2], 5) == {1: 5, 2: 10}
    assert threads != [threading.get_ident()]


def test_default_key_is_fixed() -> None:
    """The default key is that of a call with one id in the place of the ids; the other arguments are part of it."""

    @cached_multi(unused, exclude=["session"])
    async def load(user_ids: list[int], session: object, lang: str = "en") -> dict[int, str]:
        del session, lang
        return dict.fromkeys(user_ids, "")

    name = f"{__name__}:test_default_key_is_fixed.<locals>.load"
    assert load.key_for(1, object()) == f"{name}(user_ids=1,lang='en')"
    assert load.key_for(1, object(), lang="de") == f"{name}(user_ids=1,lang='de')"


async def test_other_arguments_are_part_of_templates(cache: Provider) -> None:
    """A template may name other parameters, the id's attributes, and the id more than once."""

    @cached_multi(cache, key="{lang}:{user.id}:{user.name}:{lang}")
    async def load(users: list[User], lang: str = "en") -> dict[User, str]:
        return {each: f"{each.name} {lang}" for each in users}

    ada, bob = User(1, "ada"), User(2, "bob")
    assert await load([ada, bob], "de") == {ada: "ada de", bob: "bob de"}
    assert load.key_for(ada, "de") == "de:1:ada:de"
    assert await cache.get("de:2:bob:de") == "bob de"


async def test_function_makes_the_keys(cache: Provider) -> None:
    """A function for the key is called with one id in the place of the ids."""

    def key(user_id: int, lang: str) -> str:
        return f"{lang}/{user_id}"

    @cached_multi(cache, key=key)
    async def load(user_ids: list[int], lang: str = "en") -> dict[int, str]:
        return dict.fromkeys(user_ids, lang)

    await load([1, 2])
    assert sorted(await cache.get_multi(["en/1", "en/2"])) == ["en/1", "en/2"]


async def test_ids_may_be_any_parameter(cache: Provider) -> None:
    """With `over`, another parameter than the first holds the ids; all calls take it where the function does."""

    @cached_multi(cache, key="{table}:{row}", over="rows")
    async def load(table: Any, *, rows: Any) -> dict[Any, Any]:  # noqa: ANN401  - ids are not the first argument here
        return {each: f"{table} {each}" for each in rows}

    function: Any = load
    assert await function("t", rows=[1, 2]) == {1: "t 1", 2: "t 2"}
    assert function.key_for("t", rows=1) == "t:1"
    assert await function.invalidate("t", rows=[1, 2, 3]) == 2


async def test_ids_with_one_key_have_one_value(cache: Provider) -> None:
    """Ids that a template does not tell apart are asked for once, and all of them get the value."""
    calls: list[list[object]] = []

    @cached_multi(cache, key="user:{user_id}")
    async def load(user_ids: list[object]) -> dict[object, str]:
        calls.append(user_ids)
        return {each: repr(each) for each in user_ids}

    found = await load([1, "1"])
    assert len(calls) == len(calls[0]) == 1
    assert found == dict.fromkeys((1, "1"), repr(calls[0][0]))


async def test_what_a_function_gains(cache: Provider) -> None:
    """`peek`, `set`, `invalidate` and `refresh` work id by id on what calls keep."""
    calls: list[list[int]] = []

    @cached_multi(cache, 30, key="user:{user_id}", tags=("users", "lang:{lang}"))
    async def load(user_ids: list[int], lang: str = "en") -> dict[int, str]:
        calls.append(user_ids)
        return {each: f"{each} {lang} {len(calls)}" for each in user_ids if each < 100}

    assert await load.peek([1, 2]) == {}
    await load([1, 2])
    assert await load.peek([2, 3, 1]) == {2: "2 en 1", 1: "1 en 1"}
    await load.set({2: "two", 3: "three"}, lang="de")
    assert await load([1, 2, 3]) == {1: "1 en 1", 2: "two", 3: "three"}
    item = await cache.get_item("user:3")
    assert (item.ttl, item.tags) == (30.0, ("users", "lang:de"))
    assert await load.invalidate([1, 2, 200]) == 2
    assert await load.peek([1, 2, 3]) == {3: "three"}
    assert await load.refresh([3, 200]) == {3: "3 en 2"}
    assert await load([3]) == {3: "3 en 2"}
    assert calls == [[1, 2], [3, 200]]
    assert await load.original([7], "fr") == {7: "7 fr 3"}
    await cache.invalidate_tags("users")
    assert await load.peek([3]) == {}


async def test_invalidate_beats_a_call_under_way(cache: Provider) -> None:
    """Who calls after `invalidate` gets what was computed after it."""
    started, go, calls = asyncio.Event(), asyncio.Event(), 0

    @cached_multi(cache)
    async def load(user_ids: list[int]) -> dict[int, int]:
        nonlocal calls
        calls += 1
        number = calls
        if number == 1:
            started.set()
            await go.wait()
        return dict.fromkeys(user_ids, number)

    before = asyncio.create_task(load([1, 2]))
    await started.wait()
    await load.invalidate([2])
    assert await load([2]) == {2: 2}
    go.set()
    assert await before == {1: 1, 2: 1}
    assert await load([1, 2]) == {1: 1, 2: 2}


async def test_cost_is_that_of_each(cache: Provider) -> None:
    """The cost that is given is the cost of every value, loaded or set."""

    @cached_multi(cache, key="k:{each}", cost=7)
    async def load(numbers: list[int]) -> dict[int, int]:
        return {each: each for each in numbers}

    await load([1])
    await load.set({2: 2})
    assert [(await cache.get_item(f"k:{number}")).cost for number in (1, 2)] == [7, 7]


async def test_results_are_given_as_the_type(cache: Provider) -> None:
    """With `type`, each value is given as that type, whatever the storage made of it."""

    @cached_multi(cache, key="user:{user_id}", type=User)
    async def load(user_ids: list[int]) -> dict[int, User]:
        return {each: User(each) for each in user_ids}

    await cache.set("user:1", {"id": 1, "name": "Bob"})
    assert await load([1, 2]) == {1: User(1, "Bob"), 2: User(2)}
    assert await load.peek([1]) == {1: User(1, "Bob")}


async def test_methods_are_bound(cache: Provider) -> None:
    """In a class the ids are the first parameter after self, and all that was gained is bound to the instance."""

    class Repository:
        def __init__(self, name: str) -> None:
            self.name = name

        def __cache_key__(self) -> str:
            return self.name

        @cached_multi(cache)
        async def load(self, numbers: list[int], factor: int = 1) -> dict[int, str]:
            return {each: f"{self.name} {each * factor}" for each in numbers}

        @cached_multi(cache, key="static:{number}")
        @staticmethod
        async def static(numbers: list[int]) -> dict[int, int]:
            return {each: each for each in numbers}

    one, two = Repository("one"), Repository("two")
    assert await one.load([1], 5) == {1: "one 5"}
    assert await two.load([1], factor=5) == {1: "two 5"}
    assert await one.load.invalidate([1], 5) == 1
    assert await two.load.peek([1], 5) == {1: "two 5"}
    assert await two.load.original([1], 2) == {1: "two 2"}
    assert str(inspect.signature(one.load)) == "(numbers: list[int], factor: int = 1) -> dict[int, str]"
    assert await Repository.static([1]) == {1: 1}


@pytest.mark.parametrize(
    ("ids", "sentence"),
    [
        ("abc", "must be a collection of ids, not one object of class str"),
        (b"abc", "must be a collection of ids, not one object of class bytes"),
        (5, "must be a collection of ids, not one object of class int"),
        (None, "must be a collection of ids, not one object of class NoneType"),
        ([[1]], "must hold hashable ids, not objects of class list"),
    ],
)
async def test_wrong_ids_are_refused(cache: Provider, ids: Any, sentence: str) -> None:  # noqa: ANN401  - wrong on purpose
    """What is no collection of hashable ids is refused by the name of the parameter, before anything is called."""

    @cached_multi(cache)
    async def load(user_ids: list[int]) -> dict[int, int]:
        raise AssertionError(user_ids)

    for call in (load, load.peek, load.invalidate, load.refresh):
        with pytest.raises(InvalidArgumentError, match=f"the argument 'user_ids' of .*load {sentence}"):
            await call(ids)


async def test_id_that_cannot_be_a_key_is_refused(cache: Provider) -> None:
    """An id without a text is refused, whichever way keys are made."""

    async def load(ids: Iterable[object]) -> dict[object, object]:
        raise AssertionError(ids)

    with pytest.raises(InvalidKeyError, match=r"the argument 'ids' of .*load is an object of class object"):
        await cached_multi(cache)(load)([object()])
    with pytest.raises(InvalidKeyError, match=r"the argument 'one' of .*load is an object of class object"):
        await cached_multi(cache, key="x:{one}")(load)([object()])


@pytest.mark.parametrize("result", [[1, 2], None, {1}])
async def test_function_must_give_a_mapping(cache: Provider, result: Any) -> None:  # noqa: ANN401  - wrong on purpose
    """A function that gives something else is told so, and nothing is kept."""

    @cached_multi(cache)
    async def load(user_ids: list[int]) -> dict[int, int]:
        del user_ids
        found: dict[int, int] = result
        return found

    with pytest.raises(InvalidArgumentError, match="load must give a mapping of ids to values, not an object of class"):
        await load([1])
    with pytest.raises(InvalidArgumentError, match="the results to keep must be a mapping of ids to values, not "):
        await load.set(result)
    assert (await cache.stats()).items == 0


async def some(ids: list[int], lang: str = "en") -> dict[int, str]:
    """Have ids and something else."""
    return dict.fromkeys(ids, lang)


async def none_at_all(*ids: int, **names: int) -> dict[int, int]:
    """Have no parameter that takes a collection."""
    del ids, names
    return {}


WRONG: list[tuple[dict[str, Any], Any, str]] = [
    (
        {"key": "{one}:{other}"},
        some,
        "key names 'other', which is no parameter of .*some: its parameters are ids, lang",
    ),
    ({"key": "{ids}"}, some, "key names 'ids', which holds many: choose another name for one of them"),
    ({"over": "id"}, some, "over names 'id', which is no parameter"),
    ({"exclude": ["ids"]}, some, "some needs a parameter that takes a collection: name it with over="),
    ({}, none_at_all, "none_at_all needs a parameter that takes a collection"),
    ({"tags": ["user:{one}"]}, some, "tags names 'one', but all ids of a call have the same tags"),
    ({"tags": ["{ids}"]}, some, "tags names 'ids', which holds many"),
    ({"key": "{lang.one}:{one!s}"}, some, "key has a field that is none"),
]


@pytest.mark.parametrize(("options", "function", "sentence"), WRONG)
def test_wrong_options_are_refused_at_once(options: dict[str, Any], function: Any, sentence: str) -> None:  # noqa: ANN401  - wrong on purpose
    """Whatever is wrong by itself is one sentence when the function is decorated."""
    with pytest.raises(InvalidArgumentError, match=sentence):
        cached_multi(unused, **options)(function)


def test_template_without_the_id_is_refused() -> None:
    """A template that does not name an id would keep all of them under one key."""
    with pytest.raises(InvalidArgumentError, match="key must name an id, by any name that is no parameter"):
        cached_multi(unused, key="users:{lang}")(some)
