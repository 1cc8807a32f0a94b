"""Draws the results that were kept, as SVG for the page of the docs; the same results give the same files.

What rivals need no `await` for is drawn paler.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt

from bench import record
from bench.page import PAGE, kept
from bench.redis.rows import BARS

IMAGES: Final = PAGE.parent / "images"
STYLE: Final[Any] = {
    "svg.hashsalt": "aiocache_kit",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
OURS: Final = "#1f6f8b"
FLOOR: Final = "#9aa5b1"
AWAITED: Final = "#d9822b"
PLAIN: Final = "#f0d3b0"
OPTIMUM: Final = "#5b8c5a"
_PLAIN: Final = {"cachetools", "cachebox", "cachebox, a ttl an entry", "theine"}
DECORATED: Final = {"decorator_default"}
_MICRO: Final = (
    ("get", "get, a hit"),
    ("miss", "get, a miss"),
    ("set", "set with ttl, over a value"),
    ("decorator_default", "decorator"),
)


def draw(folder: Path = record.RESULTS, images: Path = IMAGES) -> list[Path]:
    """Draw everything that there are results for, those of the newest Python, and say where."""
    images.mkdir(parents=True, exist_ok=True)
    drawn: list[Path] = []
    for name, paint in (
        ("micro", _micro),
        ("memory", _memory),
        ("stall", _stall),
        ("redis", _redis),
        ("hit_ratio", _hit_ratio),
    ):
        found = list(kept(name, folder).items())
        if not found:
            continue
        python, outcome = found[0]
        with mpl.rc_context(STYLE):
            figure = paint(outcome["results"], python)
            path = images / f"{name}.svg"
            figure.savefig(path, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
            plt.close(figure)
        path.write_text("\n".join(line.rstrip() for line in path.read_text("utf-8").splitlines()) + "\n", "utf-8")
        drawn.append(path)
    return drawn


def _colour(name: str, *, decorated: bool = False) -> str:
    if name == "floor":
        return FLOOR
    if name.startswith("aiocache_kit"):
        return OURS
    return PLAIN if name in _PLAIN and not decorated else AWAITED


def _bars(axes: Any, values: Mapping[str, float], *, log: bool, decorated: bool = False) -> None:  # noqa: ANN401  - untyped
    names = list(values)[::-1]
    bars = axes.barh(
        names,
        [values[name] for name in names],
        color=[_colour(name, decorated=decorated) for name in names],
        height=0.7,
    )
    axes.bar_label(bars, labels=[f"{values[name]:,.0f}" for name in names], padding=3, fontsize=8)
    if log:
        axes.set_xscale("log")
    axes.margins(x=0.15)
    axes.xaxis.set_visible(False)  # each bar has its figure
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _micro(results: Mapping[str, Any], python: str) -> Any:  # noqa: ANN401  - untyped
    figure, grid = plt.subplots(2, 2, figsize=(9, 5.2), layout="constrained")
    for axes, (case, title) in zip(grid.flat, _MICRO, strict=True):
        _bars(
            axes, {name: timing["ns"] for name, timing in results[case].items()}, log=True, decorated=case in DECORATED
        )
        axes.set_title(f"{title}: ns, Python {python}", fontsize=9, loc="left")
    return figure


def _memory(results: Mapping[str, Any], python: str) -> Any:  # noqa: ANN401  - untyped
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    _bars(axes, {name: each["bytes"] for name, each in results.items()}, log=False)
    axes.axvline(200, color=FLOOR, linewidth=0.8, linestyle="--")
    axes.set_title(f"bytes an entry beyond key and value, a million entries, Python {python}", fontsize=9, loc="left")
    return figure


def _stall(results: Mapping[str, Any], python: str) -> Any:  # noqa: ANN401  - untyped
    figure, grid = plt.subplots(1, 3, figsize=(9, 2.4), layout="constrained", sharex=True)
    titles = {"fill": "filled in", "expire": "all expire", "clear": "clear"}
    for axes, (name, title) in zip(grid.flat, titles.items(), strict=True):
        _bars(axes, {who: max(each["late"], 0.1) for who, each in results[name].items()}, log=True)
        axes.set_title(f"{title}: worst delay, ms", fontsize=9, loc="left")
    figure.suptitle(f"a million entries, Python {python}", fontsize=9)
    return figure


def _redis(results: Mapping[str, Any], python: str) -> Any:  # noqa: ANN401  - untyped
    figure, grid = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
    for axes, (case, title) in zip(grid.flat, BARS, strict=True):
        _bars(axes, {name: timing["cpu_us"] for name, timing in results[case]["64"].items()}, log=False)
        axes.set_title(f"{title}, 64 tasks: µs of processor time, Python {python}", fontsize=9, loc="left")
    return figure


def _hit_ratio(results: Mapping[str, Any], _: str) -> Any:  # noqa: ANN401  - untyped
    cells = list(_cells(results["by_entries"]))
    figure, grid = plt.subplots(-(-len(cells) // 3), 3, figsize=(9, 1.9 * -(-len(cells) // 3)), layout="constrained")
    for axes in grid.flat[len(cells) :]:
        axes.set_axis_off()
    for axes, (title, cell) in zip(grid.flat, cells, strict=False):
        names = list(cell)
        colours = [OPTIMUM if name == "OPT" else OURS if name == "adaptive" else FLOOR for name in names]
        axes.bar(names, list(cell.values()), color=colours)
        axes.tick_params(axis="x", rotation=90, labelsize=7, length=0)
        axes.tick_params(axis="y", labelsize=7)
        axes.set_title(title, fontsize=8, loc="left")
    return figure


def _cells(by_entries: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Iterator[tuple[str, Mapping[str, float]]]:
    """Give one size of each workload: the middle one, without what only tells shards apart."""
    for name, sizes in by_entries.items():
        chosen: Sequence[str] = list(sizes)
        size = chosen[len(chosen) // 2]
        yield f"{name}, {int(size):,} entries", {who: ratio for who, ratio in sizes[size].items() if "," not in who}
