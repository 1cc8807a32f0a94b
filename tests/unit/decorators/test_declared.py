"""What annotations say of keys and results."""

import enum
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, NewType
from uuid import UUID

import pytest
from pydantic import BaseModel

from aiocache_kit import (
    MISSING,
    Config,
    FileConfig,
    InvalidArgumentError,
    KeyBy,
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


async def test_declared_type_that_cannot_be_read_is_told(files: Provider) -> None:
    """A declaration that no conversion can follow is an error at the first hit, not something else."""

    @cached(files)
    async def load() -> User | Session:
        return User(id=1)

    await load()
    with pytest.raises(InvalidArgumentError, match="type must be a type that pydantic or msgspec can convert to"):
        await load()
