"""Values of one's own: what ``isolation="copy"`` does when a value goes in and when it comes out.

Immutable values pass through, so that the common case costs a look at the type. The copy is a deep one.
"""

import copy
import datetime as dt
import decimal
import fractions
import ipaddress
import re
import uuid
from enum import Enum
from pathlib import PurePath
from typing import Final, cast

from aiocache_kit.errors import SerializationError

_IMMUTABLE: Final = frozenset(
    {
        type(None),
        bool,
        int,
        float,
        complex,
        str,
        bytes,
        range,
        type(...),
        dt.date,
        dt.datetime,
        dt.time,
        dt.timedelta,
        dt.timezone,
        decimal.Decimal,
        fractions.Fraction,
        uuid.UUID,
        re.Pattern,
        ipaddress.IPv4Address,
        ipaddress.IPv6Address,
    }
)


def is_immutable(value: object) -> bool:
    """Whether nobody can change `value`, so that it need not be copied."""
    kind = type(value)
    if kind in _IMMUTABLE or isinstance(value, Enum | PurePath | type):
        return True
    if kind is tuple or kind is frozenset:
        return all(is_immutable(part) for part in cast("tuple[object, ...]", value))
    return False


def own_copy(value: object) -> object:
    """Give a value that shares nothing mutable with `value`; raise `SerializationError` where it cannot be copied."""
    if type(value) in _IMMUTABLE:
        return value
    try:
        return value if is_immutable(value) else copy.deepcopy(value)
    except Exception as error:
        msg = (
            f"a value of type {type(value).__name__} cannot be copied: "
            'cache something else, or set isolation to "reference"'
        )
        raise SerializationError(msg) from error
