"""A fuzzer for everything that reads bytes from a shared store: nothing but our own error may come out.

    python -m tests.fuzz.decode             20,000 inputs, as the tests do
    python -m tests.fuzz.decode 1000000     a million; another second argument is another seed

An input is a payload that was changed in a few places: bits, bytes, cuts, repetitions, pieces of other payloads. One
time in two it is then sealed again by somebody who knows all secrets, so that what lies behind the seal is tried too;
now and then the head, the body and what the serializer reads are changed by themselves.
"""

import datetime as dt
import gc
import math
import random
import resource
import sys
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID

from google.protobuf import struct_pb2

from aiocache_kit.clock import stopwatch
from aiocache_kit.errors import CorruptPayloadError, WrongTypeError
from aiocache_kit.serializers.codec import Codec, Found
from aiocache_kit.serializers.envelope import BODY, HEAD
from aiocache_kit.serializers.parts import Parts
from aiocache_kit.serializers.registry import new_serializer
from tests.unit.serializers.goldens import items, payloads
from tests.unit.serializers.samples import KEY, Colour, Person, codec

MOST: Final = 1_000_000
"""Bytes of a value that the codecs allow."""
KINDS: Final = sorted({kind for kind, _ in items().values() if not kind.startswith("pickle")})
WORDS: Final = [
    *(
        b"@tagged",
        b"@parts",
        b"@tuple",
        b"@dict",
        b"@set",
        b"@bytes",
        b"@decimal",
        b"@datetime",
        b"@timedelta",
        b"@uuid",
    ),
    *(b"[" * 50, b'{"@tuple":[', b'{"a":', b"]", b"}", b'"', b"null", b"1e999", b"-1", b"9" * 25, b"0.1", b"\\ud800"),
    *(
        b"\x91" * 50,
        b"\xdd\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xdf\x7f\xff\xff\xff",
        b"\xc7\x0c\xff" + b"\xff" * 12,
    ),
    *(b"\0" * 8, b"\xff" * 8, b"\x7f\xf0" + b"\0" * 6, b"\x7f\xf8" + b"\0" * 6, b"123", b"-", b"\xac\x01"),
]


class Figures(NamedTuple):
    """What a run came to."""

    inputs: int
    read: int
    """Inputs that were read: changed back, or harmless behind a seal."""
    refused: Counter[str]
    seconds: float
    slowest: float
    """Seconds of the slowest input."""
    grown: int
    """Kibibytes by which the memory of the process grew at its peak."""


class Fuzzer:
    """Makes inputs from a seed."""

    def __init__(self, seed: int) -> None:
        """Read what there is to change."""
        self._random = random.Random(seed)  # noqa: S311  - to be repeated
        self._codecs = {kind: codec(kind, max_size=MOST) for kind in KINDS}
        self._payloads = list(payloads().values())
        self._seeds = {
            name: [new_serializer(name).encode(value) for value in _values(name)]
            for name in ("json", "msgpack", "protobuf")
        }

    def input(self) -> tuple[Codec, bytes]:
        """Give a codec and what to try it on."""
        chance = self._random
        kind = chance.choice(KINDS)
        reader = self._codecs[kind]
        if chance.random() < 0.3:
            return reader, self._changed(chance.choice(self._payloads))
        if chance.random() < 0.02:
            return reader, chance.randbytes(chance.randrange(200))
        serializer, _, *compression = kind.split("/")
        content = chance.choice((0, 0, 0, 0, 0, 0, 0, 0x80, 4, 6, chance.randrange(256)))
        rest = self._changed(chance.choice(self._seeds[serializer]))
        head = HEAD.pack(0xAC, 1, reader._seal.id, 7, 1, 1.0, *self._dates())
        packed = reader._compression.pack(rest) if reader._compression and compression else None
        body = BODY.pack(content, 0, 0 if content & 0x7F else reader._serializer_id) + rest
        if packed is not None and reader._compression is not None:
            size = len(rest) if chance.random() < 0.7 else chance.choice((0, 1, MOST, 2**32 - 1))
            start = BODY.pack(content, reader._compression.id, reader._serializer_id)
            body = start + size.to_bytes(4, "big") + (packed if chance.random() < 0.7 else self._changed(packed))
        if chance.random() < 0.1:
            body, head = self._changed(body), head[:3] + self._changed(head[3:])[:41].ljust(41, b"\0")
        return reader, head + reader._seal.seal(body, KEY.encode() + head)

    def _dates(self) -> tuple[float, ...]:
        if self._random.random() < 0.95:
            return 1.0, 2.0, 3.0
        return tuple(self._random.choice((0.0, math.inf, -math.inf, math.nan, -1e300)) for _ in range(3))

    def _changed(self, data: bytes) -> bytes:
        changed, chance = bytearray(data), self._random
        for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 8))):
            place = chance.randrange(len(changed) + 1)
            match chance.randrange(7):
                case 0 if place < len(changed):
                    changed[place] ^= 1 << chance.randrange(8)
                case 1 if place < len(changed):
                    changed[place] = chance.randrange(256)
                case 2:
                    del changed[place:]
                case 3:
                    del changed[place : place + chance.randrange(1, 9)]
                case 4:
                    changed[place:place] = changed[chance.randrange(len(changed) + 1) :][:50] * chance.choice(
                        (1, 2, 40)
                    )
                case 5:
                    changed[place:place] = chance.choice(self._payloads)[: chance.randrange(60)]
                case _:
                    changed[place:place] = chance.choice(WORDS)
        return bytes(changed)


def _values(name: str) -> list[object]:
    if name == "protobuf":
        message = struct_pb2.Struct()
        message.update({"name": "Ada", "list": [1, {"a": None}]})
        return [message, struct_pb2.Value(number_value=1)]
    friend = Person("Grace", dt.date(1906, 12, 9))
    return [
        {"name": "Ada", "list": [1, 2.5, None, True, {"a": {}}], "big": 2**63},
        ({1, 2}, frozenset({"a"}), {3: (4,)}, b"bytes", UUID(int=5), Decimal("1.50")),
        [dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.date(2020, 1, 1), dt.time(1, 2), dt.timedelta(days=1)],
        [[[[[]]]]],
        Person("Ada", dt.date(1815, 12, 10), (1.5,), Colour.BLUE, (friend,)),
        {Colour.RED: {friend}},
    ]


def try_one(reader: Codec, data: bytes) -> str:
    """Read one input as a storage and its caller do; give the name of what came of it."""
    try:
        item = reader.decode(KEY, data)
    except CorruptPayloadError as error:
        assert _shortly(reader, data) is None
        return str(error)
    found, value = _shortly(reader, data), item.value
    if found is not None:
        # As text too, because NaN is not equal to itself.
        assert found[0] == value or repr(found[0]) == repr(value)
        assert (*found[1:], ()) == (item.expiration, item.stale_until, item.tags)
    try:
        if isinstance(value, Parts):
            value.read_as(struct_pb2.Struct if value.format == "protobuf" else Person)
    except (CorruptPayloadError, WrongTypeError) as error:
        return str(error)
    return ""


def _shortly(reader: Codec, data: bytes) -> Found | None:
    """Read the short way, which may leave an input to the long one but never disagree with it."""
    try:
        return reader.decode_value(KEY.encode(), data)
    except CorruptPayloadError:
        return None


def run(count: int, seed: int = 1, tell: Callable[[str], None] = lambda _: None) -> Figures:
    """Try `count` inputs; whatever is raised that is not ours, passes through with the input in a note."""
    fuzzer, refused, slowest = Fuzzer(seed), Counter[str](), 0.0
    gc.collect()
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, stopwatch()
    for number in range(count):
        reader, data = fuzzer.input()
        start = stopwatch()
        try:
            refused[try_one(reader, data)] += 1
        except BaseException as error:
            error.add_note(f"input {number} of seed {seed}, for {reader}: {data.hex()}")
            raise
        slowest = max(slowest, stopwatch() - start)
        if number % 100_000 == 0:
            tell(f"{number} inputs")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return Figures(count, refused.pop("", 0), refused, stopwatch() - begun, slowest, grown)


def main() -> None:
    """Run as the command line says, and print the figures."""
    count, seed = (*map(int, sys.argv[1:]), *(20_000, 1)[len(sys.argv) - 1 :])
    figures = run(count, seed, lambda text: print(text, file=sys.stderr))  # noqa: T201  - a program
    lines = [
        f"{figures.inputs} inputs in {figures.seconds:.0f} s, {figures.read} of them read",
        f"the slowest took {figures.slowest * 1000:.1f} ms; memory grew by {figures.grown / 1024:.0f} MiB",
        *(f"{number:>9} {text}" for text, number in figures.refused.most_common()),
    ]
    print("\n".join(lines))  # noqa: T201  - a program


if __name__ == "__main__":
    main()
