"""What the demo shows: a bar while it works, and then the passes side by side.

Rule: colours and moving bars are for terminals; where the output goes to a file or a pipe, it is plain text. Where it
is to be drawn, there are colours and no bars.
"""

import os
import platform
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from traffic import Pass

_STATS = (
    ("hits", "reads that found a value"),
    ("misses", "reads that did not"),
    ("loads", "analyses that the cache asked for"),
    ("load_failures", "of these, how many raised an error"),
    ("coalesced", "callers that shared an analysis under way"),
    ("sets", "values that were set by hand"),
    ("items", "reports held at the end"),
    ("evictions", "reports that had to make room"),
    ("expired", "reports whose time was over"),
    ("errors", "values that could not be stored or read"),
)

_NOT_COUNTED = {"items", "evictions", "expired"}
"""What Redis knows for all who use it, and not for one of them."""
_SAME = 1.3
"""A ratio between the two passes that is nearer to 1 than this says nothing: a machine is not that quiet."""
_PICTURE_WIDTH = 104
_FONTS = re.compile(r"\s+@font-face \{.*?\}", re.DOTALL)
"""What rich would have a picture load from elsewhere."""


class View:
    """Writes to one console."""

    def __init__(self, console: Console | None = None, *, draws: bool = False) -> None:
        """Write to `console`, None: to standard output, which `draws` keeps for `draw`."""
        terminal, width = (True, _PICTURE_WIDTH) if draws else (None, None)
        plain = Console(highlight=False, record=draws, force_terminal=terminal, width=width)
        self.console = plain if console is None else console

    def begin(self, requests: int, clients: int, workers: int) -> None:
        """Say what is about to happen."""
        self.console.print("[bold]aiocache_kit[/]: a web service without and with a cache\n")
        self._say(
            "The service (FastAPI, uvicorn) reads, tokenizes and parses modules of Python's standard library and "
            f"reports what is in them. {workers} workers answer in turn, each a process of its own. {clients} clients "
            f"send {requests} requests over HTTP, the same ones in each pass. Some modules are asked for far more "
            "often than others, as in real traffic."
        )
        self._say(
            f"[dim]Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
            f"{os.cpu_count()} processors[/]"
        )

    @contextmanager
    def progress(self, title: str, total: int) -> Generator[Callable[[], None]]:
        """Show a bar with that title; call what this gives at each step."""
        columns = (
            TextColumn("  {task.description:<14}"),
            BarColumn(bar_width=36),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, disable=self.console.record) as bar:
            task = bar.add_task(title, total=total)
            yield lambda: bar.advance(task)

    def compare(self, passes: dict[str, Pass]) -> None:
        """Show the passes side by side, and the last one against the first."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("")
        for title in passes:
            table.add_column(title, justify="right", min_width=10)
        table.add_column("", style="green")
        for name, figure, change in _rows(list(passes.values())):
            table.add_row(name, *figure, change)
        self.console.print(Padding(table, (1, 2, 0, 1), expand=False))

    def stats(self, passes: dict[str, Pass]) -> None:
        """Show the counters of the providers of the last pass."""
        title, last = list(passes.items())[-1]
        stats = last.stats or {}
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(style="cyan")
        table.add_column(justify="right")
        table.add_column(style="dim")
        for name, meaning in _STATS:
            if title == "Redis" and name in _NOT_COUNTED:
                continue
            table.add_row(name, f"{stats[name]:,.0f}", meaning)
        table.add_row("hit_rate", f"{stats['hit_rate']:.1%}", "hits out of all reads")
        table.add_row(
            "average_load_time",
            f"{stats['average_load_time'] * 1e3:,.1f} ms",
            "an analysis, waiting for its turn included",
        )
        table.add_row("average_get_time", f"{stats['average_get_time'] * 1e3:,.4f} ms", "a read, by a sample")
        self._say(
            f"[bold]Stats of the providers[/] ({title}), as `await cache.stats()` gives them, of all workers together"
        )
        self.console.print(Padding(table, (0, 4), expand=False))
        self.console.print()

    def explain(self, passes: dict[str, Pass], workers: int) -> None:
        """Say in words what the figures mean."""
        before, memory, shared = passes["without"], passes["memory"], passes.get("Redis")
        names = len(before.answers)
        self._say(
            f"[bold]What you see.[/] The {len(before.latencies):,} requests asked for {names} different modules. "
            f"Without the cache each request did the work again: {before.analyses:,} analyses. With a cache in the "
            f"memory of each worker, {memory.analyses} were enough: whoever comes while a report is being made waits "
            f"for that one instead of making another. But each of the {workers} workers has to make its own."
        )
        if shared is None:
            self._say("There is no redis-server here, so the pass with a cache that the workers share was left out.")
        else:
            self._say(
                f"In Redis the workers share what they make: {shared.analyses} analyses for {names} modules. Who finds "
                "a report missing takes a lease on it in Redis; the other workers see that, and wait for the report. "
                "The service is the same, but for its configuration."
            )
        self._say(
            "The slowest requests (p99) are those that had to analyse: the first to ask for a module still pays, and "
            "in so short a run these are more than one in a hundred. Nothing slept in any pass. An analysis is work "
            "for the processor, so the cache ran it in a thread, which keeps the event loop free to answer the others."
        )

    def verdict(self, *, same: bool, answers: int) -> None:
        """Say whether the passes gave the same answers."""
        if same:
            self._say(f"[green]All {answers:,} answers were compared: with the cache they are the same as without.[/]")
        else:
            self._say("[bold red]With the cache, some answers differ from those without it. This is a bug.[/]")

    def draw(self, path: Path) -> None:
        """Write what was shown into a file, as a picture that asks nobody for a font."""
        path.write_text(_FONTS.sub("", self.console.export_svg(title="make demo")), "utf-8")

    def _say(self, text: str) -> None:
        self.console.print(Padding(text, (0, 2, 1, 2), expand=False), width=min(self.console.width, 100))


def _rows(passes: list[Pass]) -> Iterator[tuple[str, list[str], str]]:
    """Give the name of each figure, the figure of each pass, and what to say of the first and the last."""
    first, last = passes[0], passes[-1]
    yield "seconds", [f"{each.seconds:,.1f}" for each in passes], ""
    yield "requests/s", [f"{each.rate:,.1f}" for each in passes], _times(last.rate / first.rate, "many")
    for percent in (50, 99):
        figures = [each.percentile(percent) for each in passes]
        change = _times(figures[0] / figures[-1], "fast")
        yield f"p{percent}", [f"{figure * 1e3:,.0f} ms" for figure in figures], change
    saved = f"{1 - last.analyses / first.analyses:.0%} saved"
    yield "analyses", [f"{each.analyses:,}" for each in passes], saved
    yield "coalesced", [_of(each, "coalesced", ",.0f") for each in passes], ""
    yield "hit rate", [_of(each, "hit_rate", ".1%") for each in passes], ""


def _times(ratio: float, what: str) -> str:
    return "about the same" if 1 / _SAME < ratio < _SAME else f"{ratio:,.1f} times as {what}"


def _of(each: Pass, name: str, form: str) -> str:
    return "-" if each.stats is None else format(each.stats[name], form)
