"""Which values may be copied upward as they were written, without reading them back from the lowest layer.

A layer whose bytes leave the process gives some values back as something that still needs a type (`Parts`). Who wrote
such a value would otherwise get an object for a while, and others an error.
"""

from typing import Any, Final, cast

_ATOMS: Final = frozenset({type(None), bool, int, float, str, bytes})
MOST_PARTS: Final = 1000
"""Parts of a value that are looked at; a larger one is read back."""


def is_plain(value: object) -> bool:
    """Whether a value is made of None, bool, int, float, str, bytes, lists and dicts alone, and of not too many."""
    if value.__class__ in _ATOMS:
        return True
    left = MOST_PARTS
    rest = [value]
    while rest:
        part = rest.pop()
        kind = part.__class__
        if kind in _ATOMS:
            continue
        if kind is list:
            inner: list[Any] = cast("list[Any]", part)
        elif kind is dict:
            mapping = cast("dict[Any, Any]", part)
            if any(key.__class__ is not str for key in mapping):
                return False
            inner = list(mapping.values())
        else:
            return False
        left -= len(inner)
        if left < 0:
            return False
        rest += inner
    return True
