"""Functions that only what they captured tells apart.

A default key names a function by its module and qualified name. A function defined inside of another one is made anew
by each call of that one, under the same name, and may see another table, tenant or class each time: its results would
be taken for those of its twin.

Rule: on one provider, functions of one name that have default keys have captured the same values, as far as they can be
part of a key. What cannot, such as a connection or a function, is not compared: as a rule results do not depend on it.
Neither is what changes, such as a list or a dict: it may be what the function keeps from one call to the next.
"""

from collections.abc import Callable
from types import CellType
from typing import Any, Final
from weakref import WeakKeyDictionary

from aiocache_kit.decorators.texts import typed_text
from aiocache_kit.errors import InvalidArgumentError, InvalidKeyError
from aiocache_kit.provider import Provider

_captured: Final["WeakKeyDictionary[Provider, dict[str, dict[str, str | None]]]"] = WeakKeyDictionary()
"""By provider and name of the function: the texts of captured values, by variable; None: it is not compared."""
_CHANGING: Final[frozenset[type]] = frozenset((list, dict, set))


def check_captured(provider: Provider, function: Callable[..., Any], label: str) -> None:
    """Raise `InvalidArgumentError` where a function called `label` was used with other captured values before."""
    names: tuple[str, ...] = getattr(getattr(function, "__code__", None), "co_freevars", ())
    if not names:
        return
    cells: tuple[CellType, ...] = getattr(function, "__closure__", None) or ()
    found = {name: _text(cell) for name, cell in zip(names, cells, strict=True)}
    known = _captured.setdefault(provider, {}).setdefault(label, found)
    other = [name for name in names if found.get(name) != known.get(name)]
    if other:
        raise InvalidArgumentError(
            f"{label} exists twice, with different values of {other[0]!r} from the function around it, which the"
            " default key does not tell apart: make it a parameter, or give key="
        )


def _text(cell: CellType) -> str | None:
    try:
        value: object = cell.cell_contents
    except ValueError:
        return None  # the variable is not bound yet, or no longer
    try:
        return None if type(value) in _CHANGING else typed_text(value, "")
    except InvalidKeyError:
        return None
