"""The table of what survives, in the documentation: made here, and compared with what is written there.

    python -m tests.unit.serializers.test_survival

prints it.
"""

import datetime as dt
import math
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from aiocache_kit import SerializationError
from aiocache_kit.serializers.parts import Parts
from aiocache_kit.serializers.registry import new_serializer
from aiocache_kit.serializers.typed import convert
from tests.unit.serializers.samples import Account, Berlin, Colour, Model, Movie, Person, Point

PAGE: Final = Path(__file__).parents[3] / "docs" / "reference" / "serialization.md"
FORMATS: Final = ("json", "msgpack", "pickle")
NOON: Final = dt.datetime(2020, 1, 1, 12, tzinfo=dt.UTC)


class Own:
    """A class that says nothing of its fields."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own)

    def __hash__(self) -> int:
        return 1


class OwnDict(dict[str, int]):
    pass


def deep(levels: int) -> object:
    """Give so many lists within one another."""
    value: object = []
    for _ in range(levels - 1):
        value = [value]
    return value


ROWS: Final[list[tuple[str, object, Any]]] = [
    ("`None`, `bool`, `str`", [None, True, "text"], None),
    ("`int` of 64 bits, `float`", [-(2**63), 2**64 - 1, 0.1], None),
    ("`int` of more than 64 bits", [2**64], None),
    ("`float` NaN or infinite", [math.inf], None),
    ("`str` with lone surrogates", ["\ud800"], None),
    ("`list`, `dict` with `str` as keys", {"a": [1]}, None),
    ("`dict` with other keys", {1: 2, (3, 4): 5}, None),
    ("`tuple`, `set`, `frozenset`", [(1, 2), {3}, frozenset({4})], None),
    ("`bytes`", [b"\xff"], None),
    ("`datetime`, `date`, `time`, `timedelta`", [NOON, NOON.date(), NOON.time(), dt.timedelta(1)], None),
    ("`datetime` with a named zone", [NOON.astimezone(Berlin())], None),
    ("`UUID`, finite `Decimal`", [UUID(int=5), Decimal("1.50")], None),
    ("TypedDict", Movie(title="Metropolis", released=dt.date(1927, 1, 10)), None),
    ("dataclass", Person("Ada", dt.date(1815, 12, 10)), Person),
    ("NamedTuple", Point(1, 2), Point),
    ("enum", Colour.RED, Colour),
    ("msgspec Struct", Account(account_id=1, opened_at=NOON), Account),
    ("pydantic model", Model(theNumber=1), Model),
    ("`list`, `dict`, `set`, `tuple` of these", [Person("Ada", dt.date(1815, 12, 10))], list[Person]),
    ("a dataclass with a field that is not of its type", Person("Ada", "1815"), Person),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  - that is it
    ("other classes", Own(), Own),
    ("subclasses of `dict`, `list`, `str`, `int`", OwnDict(a=1), OwnDict),
    ("values nested more than 100 deep", deep(101), None),
]


def survives(name: str, value: object, kind: Any) -> str:  # noqa: ANN401  - also list[Person]
    """Try it; say what came of it."""
    serializer = new_serializer(name)
    try:
        data = serializer.encode(value)
    except SerializationError:
        return "refused"
    read = serializer.decode(data)
    if isinstance(read, Parts):
        assert convert(read, kind) == value
        return "with `type=`"
    assert read == value
    assert type(read) is type(value)
    return "yes"


def table() -> str:
    """Make the table."""
    lines = [f"| within a value | {' | '.join(FORMATS)} |", "| --- |" + " --- |" * len(FORMATS)]
    lines += [
        f"| {what} | {' | '.join(survives(name, value, kind) for name in FORMATS)} |" for what, value, kind in ROWS
    ]
    return "\n".join(lines) + "\n"


def test_the_table_tells_what_happens() -> None:
    """Every cell of the table in the documentation is what comes of trying it."""
    _, _, rest = PAGE.read_text("utf-8").partition("<!-- survives -->\n\n")

    assert rest.partition("\n<!-- end -->")[0] == table()


if __name__ == "__main__":
    print(table())  # noqa: T201  - a program
