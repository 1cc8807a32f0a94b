"""The demo as users run it: a process that starts a server, sends real requests, and shows what came of it."""

import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from analysis import FunctionReport, ModuleReport, analyse, modules
from traffic import Pass, agree, zipf
from view import View

ROOT = Path(__file__).parents[2]
MAIN = ROOT / "docs" / "examples" / "demo" / "main.py"


@contextmanager
def demo(*arguments: str) -> Generator[subprocess.Popen[str]]:
    """Run the demo in a group of processes of its own, as a terminal would."""
    command = [sys.executable, "-u", str(MAIN), *arguments]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def number(output: str, name: str) -> int:
    """Give the figure that the demo shows beside a name of `Stats`."""
    found = re.search(rf"^ +{name} +([\d,]+) ", output, re.MULTILINE)
    assert found, output
    return int(found[1].replace(",", ""))


def test_demo_compares_and_finds_the_same_answers() -> None:
    """A short run with all passes ends well, and its figures add up: each request hit, loaded or joined.

    Workers that share Redis analyse each module once among them.
    """
    with demo("--quick", "--null") as process:
        output, errors = process.communicate()

    assert (process.returncode, errors) == (0, "")
    assert "All 96 answers were compared: with the cache they are the same" in output
    assert number(output, "hits") + number(output, "misses") == 24
    assert number(output, "loads") + number(output, "coalesced") == number(output, "misses")
    shared = re.search(r"what they make: (\d+) analyses +for (\d+) modules", " ".join(output.split()))
    assert shared, output
    assert shared[1] == shared[2] == str(number(output, "loads"))
    assert number(output, "load_failures") == number(output, "errors") == 0
    assert {"without", "null", "memory", "Redis"} <= set(re.split(r" {2,}", output))
    assert "\x1b" not in output


def test_interrupted_demo_says_so_and_leaves_nothing() -> None:
    """Ctrl-C ends the demo and its server, with the status that shells expect and no traceback.

    Pressed again where it was lost, as Python 3.11 may lose a cancellation that comes while a connection is made.
    """
    errors = ""
    with demo() as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("aiocache_kit")
        for _ in range(5):
            os.killpg(process.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                _, errors = process.communicate(timeout=8)  # which returns when nobody is left who could write
                break

    assert process.returncode == 130
    assert errors.strip().endswith("Interrupted; the service was stopped.")
    assert "Traceback" not in errors


@pytest.mark.parametrize("wrong", ["0", "-1", "1.5", "many", "²"])
def test_wrong_count_is_refused(wrong: str) -> None:
    """A number of requests that is none is refused in one sentence, before anything starts."""
    with demo("--requests", wrong) as process:
        output, errors = process.communicate()

    assert (process.returncode, output) == (2, "")
    assert f"argument --requests: must be a whole number above zero, not {wrong!r}" in errors


def test_different_answers_are_noticed() -> None:
    """Passes agree where each name has the same answer in all of them, at every time it was asked for."""
    one = Pass(1.0, [0.1], {"ast": b"1", "json": b"2"}, 0, 2, None)
    same = replace(one, answers={"json": b"2", "ast": b"1"}, seconds=2.0)

    assert agree([one, same, one])
    assert not agree([one, replace(one, answers={"ast": b"1", "json": b"3"})])
    assert not agree([one, replace(one, answers={"ast": b"1"})])
    assert not agree([one, replace(one, changed=1)])


def test_disagreement_is_shown() -> None:
    """Where answers differ, the demo says that this is a bug."""
    console = Console(file=StringIO(), width=100)
    View(console).verdict(same=False, answers=10)

    assert isinstance(console.file, StringIO)
    assert "This is a bug." in console.file.getvalue()


def test_what_the_demo_shows_can_be_drawn(tmp_path: Path) -> None:
    """The picture loads nothing from elsewhere: the two addresses in it are the name of its format and a comment."""
    view = View(Console(file=StringIO(), record=True, force_terminal=True, width=104))
    view.begin(300, 24, 4)
    view.draw(tmp_path / "demo.svg")
    picture = (tmp_path / "demo.svg").read_text("utf-8")

    assert "processors" in picture
    assert set(re.findall(r"https?://[\w./]+", picture)) == {"http://www.w3.org/2000/svg", "https://www.textualize.io"}
    assert "url(http" not in picture.replace('"', "")


def test_report_counts_what_is_in_a_module(tmp_path: Path) -> None:
    """Lines, docstrings, imports and branches are those that one would count by hand."""
    path = tmp_path / "small.py"
    path.write_text(
        textwrap.dedent('''\
            """A module."""

            import os
            from collections import abc  # for types


            class Empty:
                """Nothing."""


            def plain():
                return os.name


            def branched(a, b):
                """Say one of three things."""
                # one
                if a and b:
                    return [x for x in a]

                def inner():
                    return 1 if a else 2

                return inner
        ''')
    )

    branched = FunctionReport("branched", line=15, lines=10, complexity=4)
    assert analyse("small", path) == ModuleReport(
        module="small",
        lines=24,
        lines_of_code=14,
        lines_of_comment=2,
        classes=1,
        functions=3,
        documented=0.5,
        mean_complexity=2.33,
        longest=branched,
        most_complex=branched,
        imports=["collections", "os"],
    )


def test_every_module_can_be_analysed() -> None:
    """There are enough modules for a skewed popularity to mean something, and each has functions and lines of code."""
    found = modules()

    assert len(found) > 30
    reports = [analyse(name, path) for name, path in list(found.items())[:20]]
    assert all(0 < report.lines_of_code <= report.lines and 0 <= report.documented <= 1 for report in reports)


def test_popularity_is_skewed_and_repeatable() -> None:
    """The same requests are drawn each time, and the most popular tenth gets more than half of them."""
    names = [f"module{number}" for number in range(100)]
    drawn = zipf(names, 10_000)

    assert drawn == zipf(names, 10_000)
    counts = sorted((drawn.count(name) for name in names), reverse=True)
    assert sum(counts[:10]) > 5000


def test_percentiles_are_those_of_the_sorted_latencies() -> None:
    """Half of the requests took at most p50, and 99 of 100 at most p99."""
    measured = Pass(2.0, [each / 100 for each in range(100)], {}, 0, 100, None)

    assert (measured.percentile(50), measured.percentile(99), measured.rate) == (0.5, 0.99, 50.0)
