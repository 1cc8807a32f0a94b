"""msgpack: smaller than json, and with bytes, all floats, and dicts with keys of other kinds besides.

By itself it has None, bool, int of 64 bits, float, str, bytes, list and dict; `plain` says how others are written.

Rule: nothing in the bytes chooses a class: extension types are refused.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from aiocache_kit.errors import CorruptPayloadError, SerializationError
from aiocache_kit.serializers.plain import Form, from_tree, to_tagged_tree, to_tree
from aiocache_kit.serializers.typed import convert

_ATOMS: Final = frozenset({type(None), bool, int, float, str, bytes})
_FORM: Final = Form("msgpack", atoms=_ATOMS, keys=_ATOMS, finite=False)
_AS_DATETIME: Final = 3
"""What msgpack's own timestamps, which we never write and cannot be told to refuse, are read as."""


class _Msgpack(Protocol):
    """What is used of the module, which has no types."""

    packb: Callable[..., bytes]
    unpackb: Callable[..., Any]


class MsgpackSerializer:
    """Writes and reads msgpack."""

    __slots__ = ("_packb", "_unpackb")

    name = "msgpack"
    runs_code = False

    def __init__(self) -> None:
        """Load msgpack."""
        import msgpack  # type: ignore[import-untyped]  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]  - needed by those alone who use it

        module = cast("_Msgpack", msgpack)
        self._packb = module.packb
        self._unpackb = module.unpackb

    def encode(self, value: object) -> bytes:
        """Write `value`; raise `SerializationError` where it would not come back the same."""
        try:
            return self._packb(to_tree(value, _FORM), strict_types=True)
        except SerializationError:
            raise
        except (TypeError, ValueError, OverflowError):
            tree = to_tagged_tree(value, _FORM)
        try:
            return self._packb(tree, strict_types=True)
        except (TypeError, ValueError, OverflowError):
            raise SerializationError(f"msgpack cannot write a value of type {type(value).__name__}") from None

    def decode(self, data: bytes, type: type[object] | None = None) -> object:
        """Read what `encode` wrote, as a `type` where one is given; raise `CorruptPayloadError` for other bytes."""
        try:
            value = self._unpackb(data, strict_map_key=False, ext_hook=_refuse_type, timestamp=_AS_DATETIME)
            if value.__class__ is dict and len(value) == 1:
                value = from_tree(value, self.name, data)
        except (ValueError, TypeError, ArithmeticError, RecursionError):
            # Their messages may show what was read.
            raise CorruptPayloadError("the payload is not msgpack as this version writes it") from None
        return value if type is None else convert(value, type)


def _refuse_type(code: int, data: bytes) -> object:
    del data
    raise ValueError(code)
