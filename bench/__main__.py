"""``python -m bench [WORD ...] [--quick] [--traces DIR] [--results DIR]``: run benchmarks, print and keep the results.

Without a word all of them run, and at the end the page of the docs is brought up to date, which ``plots`` does alone.
With ``--quick`` each runs for a moment, to see that it works; such figures mean nothing and are kept only where
``--results`` says.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import page, record, show
from bench.catalogue import BENCHMARKS, Run

PLOTS: Final = "plots"
WIDTH: Final = 160
"""Columns where the output is no terminal."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments name; give the number of marks that were missed."""
    options = _parse(arguments)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    folder: Path | None = options.results or (None if options.quick else record.RESULTS)
    missed = 0
    for word in options.words or [*BENCHMARKS, *([] if options.quick else [PLOTS])]:
        if word == PLOTS:
            _draw(console, folder or record.RESULTS)
        else:
            missed += _run(console, word, options, folder)
    return missed


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    words = [*BENCHMARKS, PLOTS]
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("words", nargs="*", choices=words, metavar="WORD", help=", ".join(words))
    parser.add_argument("--quick", action="store_true", help="run for a moment only")
    parser.add_argument("--traces", type=Path, default=os.environ.get("TRACES"), help="a folder of trace files; TRACES")
    parser.add_argument("--results", type=Path, help="keep the results there instead of in bench/results")
    return parser.parse_args(arguments)


def _run(console: Console, word: str, options: argparse.Namespace, folder: Path | None) -> int:
    """Run one benchmark, print and keep what it found; give the number of marks that were missed."""
    with _progress(console) as progress:
        run = Run(quick=options.quick, traces=options.traces, track=_track(progress))
        outcome = asyncio.run(BENCHMARKS[word](run))
    show.outcome(console, word, outcome)
    if folder is not None:
        console.print(f"[dim]kept in {record.save(word, outcome, folder)}[/]\n")
    return sum(not mark.ok for mark in outcome.marks)


def _draw(console: Console, folder: Path) -> None:
    """Bring the pages up to date, and the images where there is what draws them."""
    for path in page.PAGES:
        path.write_text(page.render(path.read_text("utf-8"), folder), "utf-8")
        console.print(f"[dim]figures in {path}[/]")
    try:
        from bench import plots  # noqa: PLC0415  - only here, and not everybody has matplotlib
    except ModuleNotFoundError as error:
        console.print(f"[yellow]nothing is drawn, since {error.name} is not installed[/]")
        return
    for path in plots.draw(folder):
        console.print(f"[dim]drawn in {path}[/]")


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(
        *columns, console=console, transient=True, auto_refresh=False
    )  # a thread would disturb what is timed


def _track(progress: Progress) -> Callable[[str, int], Callable[[], None]]:
    def track(title: str, steps: int) -> Callable[[], None]:
        task = progress.add_task(title, total=steps)
        shown = monotonic()

        def advance() -> None:
            nonlocal shown
            progress.advance(task)
            if monotonic() - shown > 0.2:
                progress.refresh()
                shown = monotonic()

        progress.refresh()
        return advance

    return track


if __name__ == "__main__":
    main()
