"""Values that need no serializer: None, bool, int, float, str and bytes, each of exactly that type.

They are of one form whatever serializer is configured, so that every format stores None and that each comes back
exactly: an int of any size, NaN, a str with lone surrogates.
"""

import struct
from collections.abc import Callable
from typing import Final, cast

from aiocache_kit.errors import CorruptPayloadError

SERIALIZED: Final = 0
"""The content of a value that a serializer wrote."""
_NONE, _FALSE, _TRUE, _INT, _FLOAT, _STR, BYTES = range(1, 8)
_DOUBLE: Final = struct.Struct(">d")


def _write_none(value: object) -> tuple[int, bytes]:
    del value
    return _NONE, b""


def _write_bool(value: object) -> tuple[int, bytes]:
    return _TRUE if value else _FALSE, b""


def _write_int(value: object) -> tuple[int, bytes]:
    number = cast("int", value)
    return _INT, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)


def _write_float(value: object) -> tuple[int, bytes]:
    return _FLOAT, _DOUBLE.pack(value)


def _write_str(value: object) -> tuple[int, bytes]:
    return _STR, cast("str", value).encode("utf-8", "surrogatepass")


def _write_bytes(value: object) -> tuple[int, bytes]:
    return BYTES, cast("bytes", value)


WRITERS: Final[dict[type, Callable[[object], tuple[int, bytes]]]] = {
    type(None): _write_none,
    bool: _write_bool,
    int: _write_int,
    float: _write_float,
    str: _write_str,
    bytes: _write_bytes,
}
"""By type: what gives the content and its bytes."""


def _read_empty(value: object) -> Callable[[bytes], object]:
    def read(data: bytes) -> object:
        if data:
            raise ValueError("more than nothing")
        return value

    return read


def _read_int(data: bytes) -> object:
    number = int.from_bytes(data, "big", signed=True)
    if len(data) != number.bit_length() // 8 + 1:
        raise ValueError("not as it is written")
    return number


def _read_float(data: bytes) -> object:
    return cast("float", _DOUBLE.unpack(data)[0])


def _read_str(data: bytes) -> object:
    return data.decode("utf-8", "surrogatepass")


def _read_bytes(data: bytes) -> object:
    return data


_READERS: Final[dict[int, Callable[[bytes], object]]] = {
    _NONE: _read_empty(None),
    _FALSE: _read_empty(value=False),
    _TRUE: _read_empty(value=True),
    _INT: _read_int,
    _FLOAT: _read_float,
    _STR: _read_str,
    BYTES: _read_bytes,
}


def read_passed(content: int, data: bytes) -> object:
    """Give the value of `content` that was written as `data`; raise `CorruptPayloadError` where there is none."""
    try:
        return _READERS[content](data)
    except (KeyError, ValueError, struct.error):
        raise CorruptPayloadError("the payload holds no value of the kind that it says") from None
