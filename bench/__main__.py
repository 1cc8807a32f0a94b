"""``python -m bench [WORD ...] [--quick] [--traces DIR] [--results DIR]``: run benchmarks, print and keep what they find.

Without a word all of them run, and the plots are drawn. With ``--quick`` each of them runs for a moment, to see that it
works; such figures mean nothing, so they are kept only where ``--results`` says.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import record, show
from bench.catalogue import BENCHMARKS, Run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments name; give the number of marks that were missed."""
    options = _parse(arguments)
    console = Console()
    missed = 0
    for name in options.words or [*BENCHMARKS]:
        with _progress(console) as progress:
            run = Run(quick=options.quick, traces=options.traces, track=_track(progress))
            outcome = asyncio.run(BENCHMARKS[name](run))
        show.outcome(console, name, outcome)
        missed += sum(not mark.ok for mark in outcome.marks)
        folder = options.results or (None if options.quick else record.RESULTS)
        if folder is not None:
            console.print(f"[dim]kept in {record.save(name, outcome, folder)}[/]")
    return missed


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("words", nargs="*", choices=[*BENCHMARKS], metavar="WORD", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="run for a moment only")
    parser.add_argument("--traces", type=Path, help="a folder of trace files for hit_ratio")
    parser.add_argument("--results", type=Path, help="keep the results there instead of in bench/results")
    return parser.parse_args(arguments)


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)


def _track(progress: Progress) -> Callable[[str, int], Callable[[], None]]:
    def track(title: str, steps: int) -> Callable[[], None]:
        task = progress.add_task(title, total=steps)
        return lambda: progress.advance(task)

    return track


if __name__ == "__main__":
    sys.exit(0 if main() >= 0 else 1)
