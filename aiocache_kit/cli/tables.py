"""What is to be shown, before it is known where: tables and lines of text in styles that have names. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, TypeAlias


class Style(Enum):
    """How a piece of text stands out."""

    PLAIN = "plain"
    STRONG = "strong"
    FAINT = "faint"
    GOOD = "good"
    NOTE = "note"
    WARNING = "warning"
    BAD = "bad"


class Span(NamedTuple):
    """A piece of text in one style."""

    text: str
    style: Style = Style.PLAIN


Cell: TypeAlias = str | Span | Sequence[Span]
"""What stands in a cell, or in a line. Text is shown as it is: keys were made safe before."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    is_number: bool = False
    """Numbers are flush right, and never wrapped."""
    wraps: bool = False
    """Whether its text may go over several lines where the terminal is narrow."""
    spare: int = 0
    """How soon it is left out where the terminal is narrow: the largest number first, 0 never."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; without names of columns where none has one."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    caption: str = ""
    """A line below, in small print."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text."""

    cell: Cell = ""


Part: TypeAlias = Table | Line
