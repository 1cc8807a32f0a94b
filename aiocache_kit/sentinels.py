"""The two values that stand for "nothing was given" and "nothing is there".

Both are enum members, because type checkers narrow ``x is MISSING`` only for enum members and None.
"""

from enum import Enum
from typing import Final, Literal, TypeAlias


class Sentinel(Enum):
    """The class of `MISSING` and `DEFAULT`; it has no other members."""

    MISSING = "MISSING"
    DEFAULT = "DEFAULT"

    def __repr__(self) -> str:
        return self.name

    def __bool__(self) -> Literal[False]:
        """Both are false, so that ``value or other`` reads as it should."""
        return False


MissingType: TypeAlias = Literal[Sentinel.MISSING]
DefaultType: TypeAlias = Literal[Sentinel.DEFAULT]

MISSING: Final = Sentinel.MISSING
"""There is no value: a miss, as opposed to a stored None."""

DEFAULT: Final = Sentinel.DEFAULT
"""The caller did not say: what the configuration says holds."""
