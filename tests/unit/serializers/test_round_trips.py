"""What comes back equals what went in and is of its types, or it was refused when it was set."""

import dataclasses
import datetime as dt
import math
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit import CorruptPayloadError, Item, SerializationError, WrongTypeError
from aiocache_kit.serializers.parts import Parts, whole
from aiocache_kit.serializers.plain import MOST_DEPTH
from aiocache_kit.serializers.registry import new_serializer
from aiocache_kit.serializers.typed import convert
from tests.unit.serializers.samples import KEY, Account, Berlin, Colour, Level, Model, Movie, Person, Point, codec, item

FORMATS = ("json", "msgpack")
formats = pytest.mark.parametrize("name", FORMATS)

ints = st.integers(-(2**63), 2**64 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(["@tuple", "@", "@tagged", "@parts"])
zones = st.none() | st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=-3, seconds=1))])
plain = st.none() | st.booleans() | ints | floats | texts
hashable: st.SearchStrategy[object] = st.one_of(
    plain,
    st.binary(),
    st.dates(),
    st.timedeltas(),
    st.uuids(),
    st.datetimes(timezones=zones).map(lambda moment: moment.replace(fold=0)),
    st.times(timezones=zones).map(lambda moment: moment.replace(fold=0)),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.tuples(ints, texts),
)
values = st.recursive(
    hashable,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(texts, inner, max_size=4)
        | st.dictionaries(hashable, inner, max_size=4)
        | st.tuples(inner, inner)
        | st.sets(hashable, max_size=4)
        | st.frozensets(hashable, max_size=4)
    ),
    max_leaves=12,
)


def types(value: object) -> object:
    """Give the types of a value and of all its parts, in their order where there is one."""
    if isinstance(value, dict):
        return [(types(key), types(part)) for key, part in cast("dict[object, object]", value).items()]
    if isinstance(value, list | tuple):
        return "list" if isinstance(value, list) else "tuple", [types(part) for part in cast("list[object]", value)]
    if isinstance(value, set | frozenset):
        return "set" if isinstance(value, set) else "frozenset", sorted(
            repr(types(part)) for part in cast("set[object]", value)
        )
    return type(value), repr(value) if isinstance(value, dt.datetime | dt.time | Decimal | float) else None


@formats
@given(value=values)
def test_plain_values_come_back(name: str, value: object) -> None:
    """Any value of the standard types, nested in any way, comes back equal and of the same types at every depth."""
    serializer = new_serializer(name)
    read = serializer.decode(serializer.encode(value))

    assert read == value
    assert types(read) == types(value)


@pytest.mark.parametrize("kind", ["json/checksum", "msgpack/hmac-sha256", "pickle/blake2b", "json/aes-256-gcm/zlib"])
@given(value=values | st.floats() | st.integers() | st.text(st.characters()), key=st.text(min_size=1))
def test_values_come_back_through_a_codec(kind: str, value: object, key: str) -> None:
    """The same holds for the whole way, under any key; by themselves, ints of any size, NaN and any str do as well."""
    read = codec(kind).decode(key, codec(kind).encode(item(value, key)))

    assert types(read.value) == types(value)
    assert read == item(value, key) or value != value  # noqa: PLR0124  - NaN


@formats
@given(
    name_=texts,
    born=st.dates(),
    scores=st.lists(floats, max_size=3).map(tuple),
    colour=st.sampled_from(Colour),
)
def test_objects_come_back_when_their_type_is_named(
    name: str, name_: str, born: dt.date, scores: tuple[float, ...], colour: Colour
) -> None:
    """A dataclass with nested ones, dates, tuples and enums is read as what it was."""
    friend = Person(name_, born, colour=colour)
    value = Person(name_, born, scores, colour, (friend,))
    serializer = new_serializer(name)

    assert serializer.decode(serializer.encode(value), Person) == value


@formats
@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (Point(1, 2), Point),
        (Colour.RED, Colour),
        (Level.LOW, Level),
        (Account(account_id=1, opened_at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC)), Account),
        (Model(theNumber=5), Model),
        ([Person("Ada", dt.date(1815, 12, 10))], list[Person]),
        ({"a": Model(theNumber=1)}, dict[str, Model]),
        ({Colour.RED: {Point(1, 2)}}, dict[Colour, set[Point]]),
        ({Person("Ada", dt.date(1815, 12, 10))}, set[Person]),
        ((Colour.BLUE, frozenset({Level.LOW})), tuple[Colour, frozenset[Level]]),
    ],
    ids=lambda value: getattr(value, "__name__", None) or str(type(value).__name__),
)
def test_each_kind_of_class_comes_back(name: str, value: object, kind: Any) -> None:  # noqa: ANN401  - also list[Person]
    """NamedTuples, enums, Structs, models, and containers of them, are read as the type that is named."""
    read = codec(f"{name}/checksum").decode(KEY, codec(f"{name}/checksum").encode(item(value))).value

    assert isinstance(read, Parts)
    made = convert(read, kind)
    assert made == value
    assert type(made) is type(value)


@formats
def test_typed_dicts_need_no_type(name: str) -> None:
    """A TypedDict is a dict: it is read as one without a type, and checked with one."""
    movie = Movie(title="Metropolis", released=dt.date(1927, 1, 10))
    serializer = new_serializer(name)
    data = serializer.encode(movie)

    assert serializer.decode(data) == movie
    assert serializer.decode(data, Movie) == movie
    with pytest.raises(WrongTypeError):
        serializer.decode(data, Account)


def test_objects_of_any_class_pass_where_they_are_asked_for() -> None:
    """In a container, objects that are of the class already stay the very same; others do not fit, and it is said."""
    plain, model = Plain(), Model(theNumber=1)

    assert convert([plain], list[Plain]) == [plain]
    assert convert({"a": [model]}, dict[str, list[Model]])["a"][0] is model
    for wrong in ([1], [{"number": "x"}], [None]):
        with pytest.raises(WrongTypeError):
            convert(wrong, list[Plain])
        with pytest.raises(WrongTypeError):
            convert(wrong, list[Model])


def test_parts_are_no_value() -> None:
    """Who reads an object without naming its type is told so; values pass."""
    parts = new_serializer("json").decode(new_serializer("json").encode(Point(1, 2)))

    with pytest.raises(WrongTypeError, match="read it with type="):
        whole(parts)
    assert whole([1]) == [1]
    assert repr(parts) == "<Parts of json>"


def test_parts_can_be_written_again() -> None:
    """An item that was read as parts, because its life is to be changed, is written back without being understood."""
    first = codec("json/checksum").encode(item(Point(1, 2)))
    read = codec("json/checksum").decode(KEY, first)

    assert codec("json/checksum").encode(read) == first
    with pytest.raises(SerializationError):
        codec("msgpack/checksum").encode(read)


class Plain:
    pass


class Named(dict[str, int]):
    pass


@dataclasses.dataclass
class Loose:
    """Its field may hold what its annotation does not tell."""

    anything: object


@dataclasses.dataclass
class Restless:
    """Another one each time that it is made."""

    number: int

    def __post_init__(self) -> None:
        self.number += 1


@dataclasses.dataclass(eq=False)
class WithoutEquality:
    number: int


def nested(depth: int, wrap: str = "list") -> object:
    value: object = 1
    for _ in range(depth):
        value = [value] if wrap == "list" else {"a": value} if wrap == "dict" else (value,)
    return value


REFUSED: dict[str, tuple[object, str]] = {
    "an object": ([Plain()], "Plain"),
    "a subclass of dict": (Named(a=1), "Named"),
    "a complex": ([1j], "complex"),
    "a bytearray": ([bytearray(b"x")], "bytearray"),
    "a function": (print, "builtin_function_or_method"),
    "a class": ([int], "type"),
    "int over 64 bits": ([2**70], "int"),
    "int under 64 bits": ({"a": -(2**63) - 1}, "int"),
    "a lone surrogate": (["\ud800"], "str"),
    "a lone surrogate as key": ({"\ud800": 1}, "str"),
    "Decimal NaN": ([Decimal("nan")], "Decimal"),
    "a named zone": ([dt.datetime(2020, 1, 1, tzinfo=Berlin())], "datetime"),
    "a fold": ([dt.datetime(2020, 1, 1, tzinfo=dt.UTC, fold=1)], "datetime"),
    "lists too deep": (nested(MOST_DEPTH + 1), "100"),
    "lists far too deep": (nested(10_000), "100"),
    "dicts too deep": (nested(10_000, "dict"), "100"),
    "tuples too deep": (nested(10_000, "tuple"), "100"),
    "a field not of its type": (Person("Ada", cast("Any", 5)), "Person"),
    "a field of any type": (Loose(Plain()), "Loose"),
    "an object that changes when it is made": (Restless(1), "Restless"),
    "an object as a key": ({Person("Ada", dt.date(1815, 12, 10)): 1}, "Person"),
}


@formats
@pytest.mark.parametrize("what", sorted(REFUSED))
def test_what_would_not_come_back_is_refused(name: str, what: str) -> None:
    """The error names the type, or the bound, and a way out; it does not show the value."""
    value, named = REFUSED[what]
    with pytest.raises(SerializationError, match=named) as caught:
        new_serializer(name).encode(value)

    assert type(caught.value) is SerializationError
    assert any(way in str(caught.value) for way in ("store", "use", "must"))
    assert "Ada" not in str(caught.value)


def test_json_has_no_word_for_nan() -> None:
    """NaN and the infinities within a value are refused by json and kept by msgpack."""
    for number in (math.nan, math.inf, -math.inf):
        with pytest.raises(SerializationError, match="float"):
            new_serializer("json").encode([number])
        with pytest.raises(SerializationError, match="float"):
            new_serializer("json").encode({"a": ({"b": number},)})
        packed = new_serializer("msgpack").encode([number])
        assert repr(new_serializer("msgpack").decode(packed)) == repr([number])


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_one_of_many_numbers_that_is_none_is_found(wrong: float) -> None:
    """Long lists are looked at in another way than short ones, and as closely."""
    json = new_serializer("json")
    right: list[object] = [[0.5] * 100, {str(number): 0.5 for number in range(100)}, [["a"] * 100, [0.5] * 100]]
    for value in right:
        assert json.decode(json.encode(value)) == value
    refused: list[object] = [[*[0.5] * 100, wrong], {"a": [*["b"] * 100, wrong]}, [*[["c"]] * 100, [wrong]]]
    for value in refused:
        with pytest.raises(SerializationError, match="infinite or not a number"):
            json.encode(value)


@pytest.mark.parametrize("value", [{"@tagged": {"@tuple": [1]}}, {"@parts": []}, {"@": 1}, {"@dict": [[1, 2]]}])
def test_what_looks_like_a_tag_is_none(value: object) -> None:
    """A dict that looks as if this package had made it is a dict, at the root and within another value."""
    for name in FORMATS:
        serializer = new_serializer(name)
        for each in (value, [value], {"a": value}, (value,)):
            assert serializer.decode(serializer.encode(each)) == each


@formats
def test_the_deepest_value_comes_back(name: str) -> None:
    """A value of a hundred containers within one another is the deepest that is written, in any of them."""
    serializer = new_serializer(name)
    for wrap in ("list", "dict"):
        value = nested(MOST_DEPTH, wrap)
        assert serializer.decode(serializer.encode(value)) == value
    value = nested(60, "tuple")
    assert serializer.decode(serializer.encode(value)) == value


@formats
def test_a_value_that_holds_itself_is_refused(name: str) -> None:
    """A list within itself has no end, and is refused before one is looked for in vain."""
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(SerializationError):
        new_serializer(name).encode(endless)
    with pytest.raises(SerializationError):
        new_serializer(name).encode((endless,))


@formats
def test_a_class_without_equality_is_told_by_its_parts(name: str) -> None:
    """Where a class says nothing of equality, an object with equal fields is the same."""
    serializer = new_serializer(name)
    read = serializer.decode(serializer.encode(WithoutEquality(5)), WithoutEquality)

    assert isinstance(read, WithoutEquality)
    assert read.number == 5


def test_what_others_read_is_common_json() -> None:
    """A value of json's own types is written as any other program would, without a trace of tags."""
    value = {"name": "Ada", "list": [1, 2.5, None, True, {"@a": 1, "b": 2}]}

    assert new_serializer("json").encode(value) == b'{"name":"Ada","list":[1,2.5,null,true,{"@a":1,"b":2}]}'
    assert new_serializer("json").encode((1,)) == b'{"@tagged":{"@tuple":[1]}}'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"nan",
        b"[1,]",
        b"\xff",
        b"1180591620717411303424",
        b"[18446744073709551616]",
        b'{"a":-9223372036854775809}',
        b'{"@tagged":{"@eval":"1"}}',
        b'{"@import":"os"}',
        b'{"@tagged":{"@tuple":5}}',
        b'{"@tagged":{"@set":[[1]]}}',
        b'{"@tagged":{"@dict":[[1]]}}',
        b'{"@tagged":{"@dict":[[[],1]]}}',
        b'{"@tagged":{"@bytes":"?"}}',
        b'{"@tagged":{"@uuid":5}}',
        b'{"@tagged":{"@decimal":"NaN"}}',
        b'{"@tagged":{"@decimal":"x"}}',
        b'{"@tagged":{"@datetime":"2020-13-01"}}',
        b'{"@tagged":{"@timedelta":[999999999999,0,0]}}',
        b'{"@tagged":{"@timedelta":[1,true,0]}}',
        b'{"@tagged":' + b'{"@tuple":[' * 250 + b"]}" * 250 + b"}",
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    ],
    ids=lambda data: data[:30].decode("latin-1"),
)
def test_json_that_we_do_not_write_is_refused(data: bytes) -> None:
    """Text that is no json, is too deep, holds numbers too large or tags that are none, is corrupt."""
    with pytest.raises(CorruptPayloadError):
        new_serializer("json").decode(data)


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 10**18])
def test_the_largest_ints_are_read(number: int) -> None:
    """Ints of 64 bits come back from both formats, and digits within text do not count as numbers."""
    for name in FORMATS:
        value = [number, f"card {10**30}"]
        assert new_serializer(name).decode(new_serializer(name).encode(value)) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x92\x01",
        b"\x01\x01",
        b"\xd4\x05\x00",
        b"\xc7\x04\x05abcd",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xdb\x7f\xff\xff\xff",
        b"\x81\x90\x01",
        b"\xa1\xff",
        b"\x91" * 10_000 + b"\xc0",
        b"\x81\xa7@tagged\x81\xa6@tuple\x05",
    ],
    ids=lambda data: data[:8].hex(),
)
def test_msgpack_that_we_do_not_write_is_refused(data: bytes) -> None:
    """Bytes that end early, go on, are too deep, promise gigabytes, or name a type of their own, are corrupt."""
    with pytest.raises(CorruptPayloadError):
        new_serializer("msgpack").decode(data)


def test_errors_show_no_values() -> None:
    """What is said of a value that cannot be written, or read as a type, holds nothing of it, causes included."""
    secret = "the-secret"  # noqa: S105  - of nobody
    for value in ([secret, 1j], {secret: Plain()}, Person(secret, cast("Any", secret)), (secret, 2**70)):
        with pytest.raises(SerializationError) as caught:
            new_serializer("json").encode(value)
        assert secret not in f"{caught.value!r}{caught.value.__cause__!r}"
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
    for data in (b'["the-secret', b'{"the-secret":{"@x":}'):
        with pytest.raises(CorruptPayloadError) as corrupt:
            new_serializer("json").decode(data)
        assert secret not in f"{corrupt.value!r}{corrupt.value.__cause__!r}"
        assert corrupt.value.__suppress_context__


def test_pickle_keeps_what_python_has() -> None:
    """Objects come back as what they are, without a type; what cannot be pickled is refused by the name of its type."""
    serializer = new_serializer("pickle")
    value = {"a": Person("Ada", dt.date(1815, 12, 10)), "b": 1j, (1, 2): {UUID(int=5)}, "c": msgspec.UNSET}

    assert serializer.decode(serializer.encode(value)) == value
    assert serializer.decode(serializer.encode(value["a"]), Person) == value["a"]
    for refused, named in ((lambda: None, "function"), (nested(100_000), "list")):
        with pytest.raises(SerializationError, match=named):
            serializer.encode(refused)
    for data in (b"", b"garbage", b"\x80\x05.", b"cnothing.there\nX\n."):
        with pytest.raises(CorruptPayloadError):
            serializer.decode(data)


def test_an_item_needs_nothing_but_key_and_value() -> None:
    """An item without dates, tags and cost comes back without them."""
    bare = Item(key=KEY, value={"a": 1})

    assert codec("json/checksum").decode(KEY, codec("json/checksum").encode(bare)) == bare
