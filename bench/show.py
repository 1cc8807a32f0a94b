"""Prints outcomes as aligned tables."""

from rich.console import Console
from rich.table import Table

from bench.record import Outcome


def outcome(console: Console, name: str, found: Outcome) -> None:
    """Print the figures of a benchmark, and its marks."""
    for title, columns, rows in found.tables:
        table = Table(title=f"{name}: {title}", title_justify="left", box=None, header_style="bold")
        for place, column in enumerate(columns):
            table.add_column(column, justify="right" if place else "left", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        console.print(table)
        console.print()
    marks = Table(title=f"{name}: marks", title_justify="left", box=None, header_style="bold")
    for column in ("what", "asked", "measured", ""):
        marks.add_column(column, justify="left" if column == "what" else "right", no_wrap=True)
    for mark in found.marks:
        marks.add_row(mark.what, mark.asked, f"{mark.measured:g}", "[green]ok[/]" if mark.ok else "[red]missed[/]")
    if marks.row_count:
        console.print(marks)
