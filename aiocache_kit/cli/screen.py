"""The terminal: tables, lines, JSON, a bar while something takes long, and what changes in place. By rich.

Rule 1: the only file that imports rich.
Rule 2: colours, bars and what moves are for terminals, and colours not where NO_COLOR is set. In a file or a pipe there
is plain text, as wide as it needs to be.
Rule 3: standard output has results alone; all else goes to standard error.
"""

import json
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, cast

from aiocache_kit.cli.failures import Failure
from aiocache_kit.cli.tables import Cell, Column, Line, Part, Span, Style, Table
from aiocache_kit.errors import MissingDependencyError

if TYPE_CHECKING:
    from io import TextIOWrapper

try:
    from rich import box
    from rich.console import Console, Group, RenderableType
    from rich.live import Live
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
    from rich.table import Table as RichTable
    from rich.text import Text
except ImportError as missing:
    raise MissingDependencyError("rich", "cli") from missing

_WIDE: Final = 1000
_GAP: Final = 3
"""What stands between two columns."""
_STYLES: Final = {
    Style.PLAIN: "",
    Style.STRONG: "bold",
    Style.FAINT: "dim",
    Style.GOOD: "green",
    Style.NOTE: "cyan",
    Style.WARNING: "yellow",
    Style.BAD: "bold red",
}


def new_console(*, of_errors: bool = False) -> Console:
    """Give a console over a stream of this process."""
    stream = sys.stderr if of_errors else sys.stdout
    wide = None if stream.isatty() else _WIDE
    if hasattr(stream, "reconfigure"):  # what it has no letters for is escaped, instead of ending the command
        cast("TextIOWrapper", stream).reconfigure(errors="backslashreplace")
    return Console(file=stream, width=wide, highlight=False, markup=False, emoji=False, soft_wrap=False)


class Screen:
    """Where a command shows what it has found."""

    def __init__(self, out: Console | None = None, err: Console | None = None) -> None:
        """Show results on `out` and the rest on `err`; None: on the streams of this process."""
        self.out: Final = new_console() if out is None else out
        self.err: Final = new_console(of_errors=True) if err is None else err

    # --- results -----------------------------------------------------------------------------------------------------

    def show(self, *parts: Part) -> None:
        """Show tables and lines."""
        for part in parts:
            if self.out.is_terminal:
                self.out.print(_rendered(part, self.out.width))
            else:
                with self.out.capture() as captured:
                    self.out.print(_rendered(part, self.out.width))
                self.write("\n".join(line.rstrip() for line in captured.get().splitlines()))

    def write(self, text: str) -> None:
        """Write text as it is, with a line's end after it, and let go of it at once: somebody may be reading along."""
        self.out.file.write(text + "\n")
        self.out.file.flush()

    def write_json(self, value: object, *, indent: int | None = 2) -> None:
        """Write a value as JSON in ASCII, so that no terminal obeys what is in it; in one line if `indent` is None."""
        self.write(json.dumps(value, indent=indent, default=repr).replace("\x7f", "\\u007f"))

    # --- the rest ----------------------------------------------------------------------------------------------------

    def tell(self, cell: Cell) -> None:
        """Tell something that is no result."""
        self.err.print(_text(cell))

    def fail(self, failure: Failure) -> None:
        """Tell what is wrong, and what to do."""
        self.err.print(_text([Span("aiocache-kit: ", Style.STRONG), Span(failure.problem, Style.BAD)]))
        if failure.advice:
            self.err.print(_text(Span(f"  try: {failure.advice}", Style.PLAIN)))

    @contextmanager
    def progress(self, what: str, total: int | None = None) -> Generator[Callable[[int], None]]:
        """Show on a terminal that something is going on; gives what to call with the number of further steps done."""
        if not self.err.is_terminal:
            yield lambda _: None
            return
        columns = [SpinnerColumn(), TextColumn("{task.description}")]
        columns += [BarColumn(), MofNCompleteColumn()] if total else [TextColumn("{task.completed}")]
        with Progress(*columns, console=self.err, transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda steps: bar.advance(task, steps)

    @contextmanager
    def in_place(self) -> Generator[Callable[[Sequence[Part]], None]]:
        """Show parts again and again: on a terminal each time over the last, elsewhere one after the other."""
        if not self.out.is_terminal:
            yield lambda parts: self.show(*parts)
            return
        with Live(console=self.out, auto_refresh=False, vertical_overflow="crop") as live:
            yield lambda parts: live.update(Group(*(_rendered(part, self.out.width) for part in parts)), refresh=True)

    @property
    def is_watched(self) -> bool:
        """Whether somebody sits before it who can be asked."""
        return self.err.is_terminal and sys.stdin.isatty()


def _rendered(part: Part, width: int) -> RenderableType:
    return _text(part.cell) if isinstance(part, Line) else _table(part, width)


def _table(table: Table, width: int) -> RenderableType:
    shown = _fitting(table, width)
    has_head = any(column.name for column in table.columns)
    made = RichTable(
        title=Text(table.title, "bold") if table.title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD if has_head else None,
        show_header=has_head,
        header_style="bold",
        pad_edge=False,
        show_edge=False,
    )
    for number in shown:
        _add(made, table.columns[number])
    for row in table.rows:
        made.add_row(*(_text(row[number]) for number in shown))
    return Group(made, Text(table.caption, "dim")) if table.caption else made


def _fitting(table: Table, width: int) -> list[int]:
    """Give the columns that there is room for."""
    shown = list(range(len(table.columns)))
    widths = [
        max(_text(cell).cell_len for cell in (column.name, *(row[number] for row in table.rows))) + _GAP
        for number, column in enumerate(table.columns)
    ]
    spare = sorted((number for number in shown if table.columns[number].spare), key=lambda n: table.columns[n].spare)
    while spare and sum(widths[number] for number in shown) - _GAP > width:
        shown.remove(spare.pop())
    return shown


def _add(table: RichTable, column: Column) -> None:
    table.add_column(
        column.name,
        justify="right" if column.is_number else "left",
        no_wrap=not column.wraps,
        overflow="fold",
    )


def _text(cell: Cell) -> Text:
    if isinstance(cell, str):
        return Text(cell)
    spans: Iterable[Span] = [cell] if isinstance(cell, Span) else cell
    return Text.assemble(*((span.text, _STYLES[span.style]) for span in spans))
