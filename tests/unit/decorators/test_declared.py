"""What annotations say of keys and results."""

import enum
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, NewType, TypedDict
from uuid import UUID

import pytest
from pydantic import BaseModel

from aiocache_kit import (
    MISSING,
    Config,
    FileConfig,
    KeyBy,
    SerializationError,
    WrongTypeError,
    cached,
    cached_multi,
    new_provider,
)
from aiocache_kit.decorators.texts import has_text
from aiocache_kit.provider import Provider

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports, reportUnknownVariableType]  - as modules that only type checkers load


class User(BaseModel):
    """A model, of which a payload keeps the parts."""

    id: int
    born: date | None = None


@dataclass
class Changing:
    """Equal today, another tomorrow."""

    id: int


@dataclass(frozen=True)
class Frozen:
    """Always the same."""

    id: int


class Pair(NamedTuple):
    """Two."""

    left: int
    right: int


class Colour(enum.Enum):
    """One of few."""

    RED = 1


class Tenant:
    """Says by itself what it is."""

    def __cache_key__(self) -> str:
        return "tenant"


class Session:
    """Has nothing that identifies it."""

    def __init__(self, user: str = "ada") -> None:
        self.user = user


Number = NewType("Number", int)
Of = Annotated[Session, KeyBy(lambda session: session.user)]


@pytest.fixture
async def memory() -> AsyncIterator[Provider]:
    """A cache that keeps the objects."""
    async with new_provider() as cache:
        yield cache


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[Provider]:
    """A cache that keeps bytes."""
    async with new_provider(Config(provider="file", file_config=FileConfig(dir=tmp_path))) as cache:
        yield cache


@pytest.mark.parametrize(
    "annotation",
    [
        *(int, str, bytes, bool, None, date, datetime, Decimal, UUID, Path, Colour, Frozen, Pair, Tenant, Number),
        *(str | None, list, list[int], tuple[int, ...], dict[str, list[int]], Sequence[str], Literal["a", 1]),
        *(Annotated[int, "positive"], type[int], Mapping[str, set[UUID]]),
    ],
    ids=str,
)
def test_declarations_that_tell_have_a_text(annotation: object) -> None:
    """What is declared as something that keys can be made of is known to have a text before there is a value."""
    assert has_text(annotation)


@pytest.mark.parametrize(
    "annotation",
    [Any, object, User, Changing, Session, list[User], User | None, dict[str, Any], Callable, Annotated[Session, "x"]],
    ids=str,
)
def test_declarations_that_do_not_tell_have_none(annotation: object) -> None:
    """A class without a text of its own, or a declaration that says nothing, is not taken for one that has."""
    assert not has_text(annotation)


async def test_key_by_stands_for_an_argument(memory: Provider) -> None:
    """Calls share a result if and only if what `KeyBy` gives is equal, in default keys and in templates."""
    loads: list[str] = []

    @cached(memory)
    async def by_default(session: Of, page: int = 1) -> str:
        loads.append(session.user)
        return f"{session.user} {page}"

    @cached(memory, key="of:{session}:{page}")
    async def by_template(session: Of, page: int = 1) -> str:
        return f"{session.user} {page}"

    assert [await by_default(Session()) for _ in range(2)] == ["ada 1"] * 2
    assert await by_default(Session("bob")) == "bob 1"
    assert loads == ["ada", "bob"]
    assert by_default.key_for(Session("bob")).endswith("(session='bob',page=1)")
    assert by_template.key_for(Session("bob"), 2) == "of:bob:2"


async def test_key_by_gives_anything_that_keys_are_made_of(memory: Provider) -> None:
    """Where the text takes more than one step it is the same, and an attribute of the argument is still its own."""

    @cached(memory)
    async def load(session: Annotated[Session, KeyBy(lambda session: (session.user, 1))]) -> None: ...

    @cached(memory, key="of:{session.user}")
    async def by_attribute(session: Annotated[Session, KeyBy(id)]) -> None: ...

    assert load.key_for(Session()).endswith("(session=('ada',1,))")
    assert by_attribute.key_for(Session()) == "of:ada"


async def test_what_key_by_raises_passes_through(memory: Provider) -> None:
    """An error in the program's own function is not taken for a key that cannot be made."""

    def fail(session: Session) -> str:
        raise ValueError(session.user)

    @cached(memory)
    async def load(session: Annotated[Session, KeyBy(fail)]) -> None: ...

    with pytest.raises(ValueError, match=r"^ada$"):
        await load(Session())


async def test_declared_results_come_back(files: Provider) -> None:
    """What is kept in parts is what the function declares, by every way that it can be read, without ``type=``."""

    @cached(files)
    async def load(number: int) -> list[User] | None:
        return [User(id=number, born=date(1815, 12, 10))]

    expected = [User(id=1, born=date(1815, 12, 10))]
    assert await load.peek(1) is MISSING
    assert [await load(1), await load(1), await load.peek(1), await load.refresh(1)] == [expected] * 4


async def test_declared_results_of_many_come_back(files: Provider) -> None:
    """So is each value of what a function of many ids declares to give, or what is ordered for it."""

    @cached_multi(files)
    async def by_declaration(numbers: list[int]) -> Mapping[int, User]:
        return {number: User(id=number) for number in numbers}

    @cached_multi(files, type=User)
    async def by_order(numbers: list[int]) -> dict[int, object]:
        return {number: User(id=number) for number in numbers}

    expected = {1: User(id=1), 2: User(id=2)}
    for function in (by_declaration, by_order):
        assert await function([1]) == {1: User(id=1)}
        assert await function([1, 2]) == await function([1, 2]) == expected
        assert await function.peek([1, 2, 3]) == await function.refresh([1, 2]) == expected

    @cached_multi(files)
    async def untold(numbers: list[int]) -> Mapping[int, Any]:
        return {number: User(id=number) for number in numbers}

    await untold([1])
    with pytest.raises(WrongTypeError, match="read it with type="):
        await untold([1])


async def test_many_are_loaded_as_a_type(files: Provider) -> None:
    """`get_or_set_multi` and `refresh_multi` give what they find and what they load as the type that is asked for."""

    def load(keys: list[str]) -> dict[str, object]:
        return {key: User(id=int(key)) if key == "1" else {"id": int(key)} for key in keys}

    expected = {"1": User(id=1), "2": User(id=2)}
    assert await files.get_or_set_multi(["1", "2"], load, type=User) == expected
    assert await files.get_or_set_multi(["1", "2"], load, type=User) == expected
    assert await files.get_or_set_multi(["1", "2"], load, type=User, stale_if_error=5) == expected
    assert await files.refresh_multi(["1", "2"], load, type=User) == expected
    with pytest.raises(WrongTypeError, match="read it with type="):
        await files.get_or_set_multi(["1", "2"], load)


async def test_ordered_type_counts_more_than_a_declared_one(files: Provider) -> None:
    """``type=`` says what a result is read as, whatever the annotation says; `peek` reads it so, too."""

    @cached(files, type=User)
    async def load() -> object:
        return User(id=1)

    assert await load() == await load() == await load.peek() == User(id=1)


async def test_whole_values_stay_what_they_are(memory: Provider) -> None:
    """A declaration converts nothing: what is kept whole is given as the very same object."""
    kept = [User(id=1)]

    @cached(memory)
    async def load() -> Sequence[User]:
        return kept

    assert await load() is await load() is kept


async def test_parts_without_a_declaration_are_refused(files: Provider) -> None:
    """Where nobody says what the parts are, the error says what to do, as it always did."""

    @cached(files)
    async def load() -> object:
        return User(id=1)

    @cached(files)
    async def later() -> "Unknown":  # pyright: ignore[reportUnknownParameterType]  - that is what is tried
        return User(id=2)

    functions: list[Callable[[], Awaitable[object]]] = [load, later]
    for function in functions:
        await function()
        with pytest.raises(WrongTypeError, match="read it with type="):
            await function()


class Admin(User):
    """One of a class below."""

    may: str = "all"


@dataclass
class Twin:
    """Of the very parts of another class."""

    id: int


class Team(TypedDict):
    """A dict that declares what is in it."""

    lead: User


LOST: list[tuple[Any, object]] = [
    *((dict, {"a": User(id=1)}), (dict[str, Any], {"a": Frozen(1)}), (dict[str, object], {"a": Colour.RED})),
    *((list, [Pair(1, 2)]), (Mapping[str, Any], {"a": [(User(id=1),)]}), (tuple[User, Any], (User(id=1), User(id=2)))),
    *((User, Admin(id=1)), (list[User], [User(id=1), Admin(id=2)]), (Frozen | Twin | User, Twin(1)), (int, Frozen(1))),
    *((User | Session, User(id=1)), (Team | None, {"lead": Admin(id=1)}), (Session, User(id=1))),
    (Literal[Colour.RED], Colour.RED),
]
KEPT: list[tuple[Any, object]] = [
    *((User | str, User(id=1)), (User | str, "none"), (User | None, None), (dict[str, Any], {"a": (1, b"")})),
    *((dict[str, User | Colour], {"a": User(id=1), "b": Colour.RED}), (Annotated[Admin, "said of it"], Admin(id=1))),
    *((dict[Colour, list[Pair]], {Colour.RED: [Pair(1, 2)]}), (set[Frozen], {Frozen(1), Frozen(2)})),
    *((Team, {"lead": User(id=1)}), (list[Any], [{"a": 1}]), (Sequence[User], [User(id=1)])),
    *((tuple[Frozen, ...], (Frozen(1),)), (NewType("Boss", User), User(id=1)), (User | Any, User(id=1))),
]


@pytest.mark.parametrize(("declared", "value"), LOST, ids=lambda each: str(each)[:30])
async def test_what_would_come_back_as_something_else_is_refused(
    files: Provider, declared: object, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    """Where a declaration leaves room for it, an object is not kept as a dict or as a class above it: nothing is."""

    async def load() -> object:
        return value

    load.__annotations__["return"] = declared
    kept = cached(files)(load)
    for _ in range(2):
        assert await kept() is value
    with pytest.raises(SerializationError, match=r"would (not bring back|bring back other)"):
        await kept.set(value)
    await kept.refresh()
    stats = await files.stats()
    assert (stats.loads, stats.errors, stats.items) == (3, 3, 0)
    assert "a loaded value was not stored: json would" in caplog.text


@pytest.mark.parametrize(("declared", "value"), KEPT, ids=lambda each: str(each)[:30])
async def test_what_comes_back_is_kept(files: Provider, declared: object, value: object) -> None:
    """What the declaration tells well enough comes back equal and of its classes."""

    async def load() -> object:
        return value

    load.__annotations__["return"] = declared
    kept = cached(files)(load)
    assert repr([await kept(), await kept()]) == repr([value, value])
    await kept.set(value)
    assert repr(await kept()) == repr(value)
    assert (await files.stats()).loads == 1


async def test_many_are_refused_by_what_is_declared_of_each(files: Provider) -> None:
    """So is each value of a function of many ids."""

    @cached_multi(files)
    async def load(numbers: list[int]) -> dict[int, User]:
        return {number: Admin(id=number) for number in numbers}

    assert await load([1, 2]) == await load([1, 2]) == {1: Admin(id=1), 2: Admin(id=2)}
    await load.refresh([1])
    with pytest.raises(SerializationError, match="would not bring back a Admin"):
        await load.set({1: Admin(id=1)})
    stats = await files.stats()
    assert (stats.loads, stats.items) == (3, 0)


async def test_formats_that_name_classes_keep_whatever_it_is(tmp_path: Path) -> None:
    """With pickle, an object comes back by itself, whatever is declared of it."""
    config = Config(
        provider="file",
        file_config=FileConfig(dir=tmp_path),
        serialization_format="pickle",
        signing_keys=[bytes(range(32))],
    )
    async with new_provider(config) as cache:

        @cached(cache)
        async def load() -> dict[str, Any]:
            return {"a": Admin(id=1)}

        assert await load() == await load() == {"a": Admin(id=1)}
        assert (await cache.stats()).loads == 1


async def test_what_is_ordered_is_no_promise(files: Provider) -> None:
    """``type=`` is an order to convert, which the first caller gets as well: nothing is refused for it."""

    @cached(files, type=User)
    async def load() -> object:
        return Admin(id=1)

    await load()
    assert type(await load()) is User
