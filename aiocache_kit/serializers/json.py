"""json, by orjson (RFC 8259): what other programs read as well.

By itself it has None, bool, int of 64 bits, finite float, str, list, and dict with str as keys; `plain` says how others
are written.

Rule: the only file that imports orjson, and only when a serializer is made.
"""

from typing import TYPE_CHECKING, Any, Final

from aiocache_kit.errors import CorruptPayloadError, SerializationError
from aiocache_kit.serializers.plain import Form, from_tree, to_tagged_tree, to_tree
from aiocache_kit.serializers.typed import convert

if TYPE_CHECKING:
    from collections.abc import Callable

_FORM: Final = Form("json", atoms=frozenset({type(None), bool, int, float, str}), keys=frozenset({str}), finite=True)
_AS_ZEROS: Final = bytes.maketrans(b"123456789", b"0" * 9)
_STEP: Final = 6
_MANY: Final = b"0" * 3
"""Of every sixth byte, three in a row that are digits: without them there are no 19 digits in a row, and no int is of
more than 64 bits. Of one that is, orjson would make a float."""
_TOO_MANY: Final = (b"0" * 20, b"-" + b"0" * 19)
_MOST_DIGITS: Final = 20


class JsonSerializer:
    """Writes and reads json."""

    __slots__ = ("_dumps", "_loads")

    name = "json"
    runs_code = False

    def __init__(self) -> None:
        """Load orjson."""
        import orjson  # noqa: PLC0415  - needed by those alone who use it

        self._dumps: Callable[[object], bytes] = orjson.dumps
        self._loads: Callable[[bytes], Any] = orjson.loads

    def encode(self, value: object) -> bytes:
        """Write `value`; raise `SerializationError` where it would not come back the same."""
        try:
            return self._dumps(to_tree(value, _FORM))
        except TypeError:
            tree = to_tagged_tree(value, _FORM)
        try:
            return self._dumps(tree)
        except TypeError as error:
            raise SerializationError(f"json cannot write a value of type {type(value).__name__}: {error}") from None

    def decode(self, data: bytes, type: type[object] | None = None) -> object:
        """Read what `encode` wrote, as a `type` where one is given; raise `CorruptPayloadError` for other bytes."""
        try:
            # The fastest way to ask whether bytes hold others: ``in`` raises and catches an error of its own first.
            if data[_STEP - 1 :: _STEP].translate(_AS_ZEROS).partition(_MANY)[1]:
                _check_numbers(data)
            value = self._loads(data)
            if value.__class__ is dict and len(value) == 1:
                value = from_tree(value, self.name, data)
        except (ValueError, TypeError, ArithmeticError, RecursionError):
            # Their messages may show what was read.
            raise CorruptPayloadError("the payload is not json as this version writes it") from None
        return value if type is None else convert(value, type)


def _check_numbers(data: bytes) -> None:
    """Raise `ValueError` where an int is of more than 64 bits. Slow beyond the first line: such digits are rare."""
    zeros = data.translate(_AS_ZEROS)
    if not any(many in zeros for many in _TOO_MANY):
        return
    import json  # noqa: PLC0415  - as said

    json.loads(data, parse_int=_check_number)


def _check_number(digits: str) -> int:
    if len(digits) > _MOST_DIGITS or not -(2**63) <= (number := int(digits)) < 2**64:
        raise ValueError("an int of more than 64 bits")
    return number
