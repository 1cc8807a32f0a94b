"""Puts the figures that were kept into the pages that show them, between their markers.

``<!-- figures: NAME -->`` and ``<!-- end -->`` stand on lines of their own; what is between them is made here and by
nobody else, so that pages and results cannot differ: a test renders the pages and compares.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from bench import record
from bench.micro.cases import CASES
from bench.redis import rows
from bench.stall.scenarios import SCENARIOS

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "explanation" / "performance.md"
PAGES: Final = (PAGE, ROOT / "README.md", ROOT / "docs" / "index.md")
_PLACE: Final = re.compile(r"(?<=^<!-- figures: )(\w+)( -->\n).*?(?=^<!-- end -->$)", re.MULTILINE | re.DOTALL)
_ORDER: Final = (
    *("micro", "memory", "stall", "stampede", "redis", "file", "ring", "freshness"),
    *("web", "http", "import", "hit_ratio"),
)
_PLAIN: Final = {"cachetools", "cachebox", "cachebox, a ttl an entry", "theine"}

Kept: TypeAlias = Mapping[str, Mapping[str, Any]]
"""What was kept of one benchmark, by version of Python."""
Outcomes: TypeAlias = Mapping[str, Kept]
"""What was kept of all of them, by name."""


def render(text: str, folder: Path = record.RESULTS) -> str:
    """Give the page with all its figures made anew from the results in the folder."""

    def figures(place: re.Match[str]) -> str:
        lines = FIGURES[place[1]](folder)
        return f"{place[1]}{place[2]}\n{chr(10).join(lines)}\n\n"

    return _PLACE.sub(figures, text)


def kept(name: str, folder: Path) -> Kept:
    """Give the results of a benchmark by version of Python, the oldest first."""
    pythons = sorted(
        (path.stem.removeprefix(f"{name}-") for path in folder.glob(f"{name}-3.*.json")),
        key=lambda python: [int(part) for part in python.split(".")],
    )
    return {python: found for python in pythons if (found := record.load(name, python, folder)) is not None}


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Give the lines of a table; all columns but the first stand to the right."""
    yield f"| {' | '.join(columns)} |"
    yield f"| --- |{' ---: |' * (len(columns) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _environment(folder: Path) -> Iterator[str]:
    """Say on what was measured, and with which versions."""
    machines: dict[str, None] = {}
    versions: dict[str, str] = {}
    for name in _ORDER:
        for found in kept(name, folder).values():
            on = found["environment"]
            build = "an optimised build" if on["optimised_build"] else "a plain build, not one optimised by profiles"
            machine = f"{on['system']}, {on['processors']} processors ({on['processor']})"
            machines[f"{on['implementation']} {on['python']}, {build}; {machine}"] = None
            versions |= found["versions"]
    yield from (f"- {machine}" for machine in machines)
    others = ", ".join(f"{name} {number}" for name, number in sorted(versions.items()) if name != "aiocache_kit")
    yield f"- {others}"


def _marks(folder: Path) -> Iterator[str]:
    """List what the library asks of itself, and what was measured."""
    for name in _ORDER:
        found = kept(name, folder)
        lines: dict[tuple[str, str], dict[str, str]] = {}
        for python, outcome in found.items():
            for mark in outcome["marks"]:
                measured = f"{mark['measured']:g}" if mark["ok"] else f"**{mark['measured']:g}**"
                lines.setdefault((mark["what"], mark["asked"]), {})[python] = measured
        if lines:
            yield from table(
                [name, "asked", *found],
                [
                    [what, asked.replace("<=", "≤").replace(">=", "≥"), *(by.get(python, "") for python in found)]
                    for (what, asked), by in lines.items()
                ],
            )
            yield ""


def _summary(folder: Path) -> Iterator[str]:
    """Give the few figures that a reader wants first, a column a Python."""
    outcomes = {name: kept(name, folder) for name in _ORDER}
    pythons = list(outcomes["micro"])
    rows = [[what, *(_or_nothing(figure, outcomes, python) for python in pythons)] for what, figure in _SUMMARY.items()]
    measured = [row for row in rows if any(row[1:])]
    yield from table(["measured", *(f"Python {python}" for python in pythons)], measured)


def _or_nothing(figure: Callable[[Outcomes, str], str], outcomes: Outcomes, python: str) -> str:
    try:
        return figure(outcomes, python)
    except KeyError:  # not measured on this Python
        return ""


def _timing(case: str, who: str = "aiocache_kit") -> Callable[[Outcomes, str], str]:
    return lambda outcomes, python: f"{outcomes['micro'][python]['results'][case][who]['ratio']:.2f}"


def _faster(rival: str) -> Callable[[Outcomes, str], str]:
    def figure(outcomes: Outcomes, python: str) -> str:
        found = outcomes["micro"][python]["results"]["get"]
        return f"{found[rival]['ratio'] / found['aiocache_kit']['ratio']:.0f}"

    return figure


_CHANGES: Final = ("expire", "clear", "prefix", "tags")


def _worst_stall(outcomes: Outcomes, python: str) -> str:
    found = outcomes["stall"][python]["results"]
    return f"{max(found[name]['aiocache_kit']['held'] for name in _CHANGES):.0f} ms"


def _on_redis(case: str, tasks: str, who: str = "redis-py") -> Callable[[Outcomes, str], str]:
    return lambda outcomes, python: f"{rows.fastest(outcomes['redis'][python]['results'], case, tasks, who):.1f}"


_SUMMARY: Final[Mapping[str, Callable[[Outcomes, str], str]]] = {
    "`get`, a hit: times an `async def` over a dict that checks the end": _timing("get"),
    "`get_or_set`, a hit: the same": _timing("get_or_set"),
    "`set` with ttl: times the same over an `OrderedDict`": _timing("set"),
    "a call of a cached function: times async-lru": _timing("decorator_default"),
    "`get`: times as fast as aiocache": _faster("aiocache"),
    "`get`: times as fast as cashews": _faster("cashews"),
    "an entry beyond its key and value": lambda outcomes, python: (
        f"{outcomes['memory'][python]['results']['aiocache_kit']['bytes']:.0f} bytes"
    ),
    "longest hold of the event loop while a million entries expire, are cleared or invalidated": _worst_stall,
    "a thousand callers of a missing key, the first one cancelled: loads": lambda outcomes, python: str(
        outcomes["stampede"][python]["results"]["first_leaves"]["aiocache_kit, get_or_set"]["calls"]
    ),
    "Redis, `get` of 64 tasks: times as fast as redis-py at its best pool, in processor time": _on_redis("get", "64"),
    "Redis, `set` of 64 tasks: the same": _on_redis("set", "64"),
    "Redis, `get` of one task: the same": _on_redis("get", "1"),
    "Redis, `get` of 64 tasks: times as fast as valkey-glide": _on_redis("get", "64", "valkey-glide"),
    "`import aiocache_kit`, beyond asyncio": lambda outcomes, python: (
        f"{outcomes['import'][python]['results']['aiocache_kit']['ms']:.0f} ms"
    ),
}


def _micro(folder: Path) -> Iterator[str]:
    for python, found in kept("micro", folder).items():
        cases = [
            case for case in CASES if case.base == "floor" and not case.variations and case.name in found["results"]
        ]
        who = _subjects(found["results"][case.name] for case in cases)
        yield f"Python {python}, times the floor; in the first column, what the floor took:"
        yield ""
        rows = [
            [
                case.title,
                f"{found['results'][case.name]['floor']['ns']:,.0f} ns",
                *(_ratio(found["results"][case.name].get(name)) for name in who if name != "floor"),
            ]
            for case in cases
        ]
        yield from table(["", "floor", *(_titled(name) for name in who if name != "floor")], rows)
        yield ""


def _subjects(results: Iterable[Mapping[str, object]]) -> list[str]:
    return list(dict.fromkeys(name for found in results for name in found))


def _titled(name: str) -> str:
    return f"{name} *" if name in _PLAIN else name


def _ratio(timing: Mapping[str, float] | None) -> str:
    return "" if timing is None else f"{timing['ratio']:.2f}" if timing["ratio"] < 10 else f"{timing['ratio']:.0f}"


def _of_cases(prefix: str) -> Callable[[Path], Iterator[str]]:
    """Make what gives a table of the cases whose names begin so: a line a subject, a column a case and Python."""

    def lines(folder: Path) -> Iterator[str]:
        found = kept("micro", folder)
        cases = [case for case in CASES if case.name.startswith(prefix)]
        columns = [(case, python) for case in cases for python in found if case.name in found[python]["results"]]
        who = _subjects(found[python]["results"][case.name] for case, python in columns)
        rows = [
            [name, *(_ratio(found[python]["results"][case.name].get(name)) for case, python in columns)] for name in who
        ]
        yield from table(["", *(f"{case.title.partition(', in the')[0]}, {python}" for case, python in columns)], rows)

    return lines


def _memory(folder: Path) -> Iterator[str]:
    for python, found in kept("memory", folder).items():
        columns = [f"Python {python}", "bytes an entry", "filling, µs an entry", "full collection, ms"]
        rows = [
            [who, *(f"{each[key]:,.{digits}f}" for key, digits in (("bytes", 0), ("fill_us", 1), ("gc_ms", 0)))]
            for who, each in found["results"].items()
        ]
        yield from table(columns, rows)
        yield ""


def _stall(folder: Path) -> Iterator[str]:
    for python, found in kept("stall", folder).items():
        results = found["results"]
        rows = [
            [who, *(f"{results[name][who]['late']:,.0f}" if who in results[name] else "" for name in SCENARIOS)]
            for who in _subjects(results[name] for name in SCENARIOS)
        ]
        yield from table([f"Python {python}, ms", *(scenario.title for scenario in SCENARIOS.values())], rows)
        yield ""


def _stampede(folder: Path) -> Iterator[str]:
    for python, found in kept("stampede", folder).items():
        stories = found["results"]
        rows = [
            [
                who,
                f"{stories['crowd'][who]['calls']:,}",
                f"{stories['crowd'][who]['ms']:,.0f}",
                f"{stories['first_leaves'][who]['calls']:,}",
                f"{stories['first_leaves'][who]['values']:,}",
                f"{stories['raises'][who]['calls']:,}",
                "yes" if stories["all_leave"][who]["cancelled"] else "no",
            ]
            for who in stories["crowd"]
        ]
        columns = [
            "all stay: loads",
            "ms",
            "first leaves: loads",
            "who get the value",
            "raises: loads",
            "all leave: load ended",
        ]
        yield from table([f"Python {python}", *columns], rows)
        yield ""


def _redis(folder: Path) -> Iterator[str]:
    for python, found in kept("redis", folder).items():
        results = found["results"]
        yield found["method"]
        yield ""
        for of, title in (("cpu", "processor time"), ("wall", "wall time")):
            yield from table(rows.columns(results, f"Python {python}, {title}"), rows.calls(results, of))
            yield ""


def _redis_cancelled(folder: Path) -> Iterator[str]:
    for python, found in kept("redis", folder).items():
        columns = ["calls", "cancelled", "wrong replies", "errors", "new connections", "µs a call"]
        yield from table([f"Python {python}", *columns], rows.cancelled(found["results"]))
        yield ""


def _redis_beside(folder: Path) -> Iterator[str]:
    for python, found in kept("redis", folder).items():
        columns = ["p50 alone", "p99 alone", "p50 beside", "p99 beside", "large reads a second"]
        yield from table([f"Python {python}, ms", *columns], rows.beside(found["results"]))
        yield ""


def _web(folder: Path) -> Iterator[str]:
    for python, found in kept("web", folder).items():
        rows = [[who, f"{each['us']:.0f}", f"{each['ratio']:.2f}"] for who, each in found["results"].items()]
        yield from table([f"Python {python}", "µs", "times"], rows)
        yield ""


def _http(folder: Path) -> Iterator[str]:
    for python, found in kept("http", folder).items():
        timings = found["results"]["hit"]
        rows = [[who, f"{each['ns'] / 1000:.1f}", f"{each['ratio']:.2f}"] for who, each in timings.items()]
        yield from table([f"Python {python}", "µs", "times"], rows)
        yield ""


def _imports(folder: Path) -> Iterator[str]:
    for python, found in kept("import", folder).items():
        rows = [[who, f"{each['ms']:.1f}", f"{each['modules']:g}"] for who, each in found["results"].items()]
        yield from table([f"Python {python}", "ms", "modules"], rows)
        yield ""


def _hit_ratio(folder: Path) -> Iterator[str]:
    for found in kept("hit_ratio", folder).values():
        cells = found["results"]["by_entries"]
        all_of_them = _subjects(cell for sizes in cells.values() for cell in sizes.values())
        policies = [name for name in all_of_them if "," not in name]
        rows = [
            [f"{name}, {int(size):,}", *(f"{cell[policy]:.1f}" for policy in policies)]
            for name, sizes in cells.items()
            for size, cell in sizes.items()
        ]
        yield from table(["requests, entries", *policies], rows)
        yield ""
        yield from _by_bytes(found["results"]["by_bytes"])
        return  # a simulation tells the same on each Python


def _by_bytes(cells: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]]) -> Iterator[str]:
    if not cells:
        return
    policies = _subjects(cell for shares in cells.values() for cell in shares.values())
    yield "Bounded in bytes, as a share of those of all objects; per cent of the requests / of the bytes:"
    yield ""
    rows = [
        [f"{name}, {share}", *(" / ".join(f"{ratio:.1f}" for ratio in cell[policy]) for policy in policies)]
        for name, shares in cells.items()
        for share, cell in shares.items()
    ]
    yield from table(["requests, bound", *policies], rows)


def _grid(name: str, rows_of: Callable[[Any], Mapping[str, Mapping[str, float]]]) -> Callable[[Path], Iterator[str]]:
    """Make what writes a table of the figures that `rows_of` finds in the results of a benchmark, by row and column."""

    def lines(folder: Path) -> Iterator[str]:
        for python, found in kept(name, folder).items():
            rows = rows_of(found["results"])
            columns = _subjects(rows.values())
            figures = [
                [row, *(f"{each[one]:,.4g}" if one in each else "" for one in columns)] for row, each in rows.items()
            ]
            yield from table([f"Python {python}", *columns], figures)
            yield ""

    return lines


def _of_files(results: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, float]]:
    return {case: each for case, each in results.items() if case != "many"}


def _of_many_files(results: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, float]]:
    return {case: each["aiocache_kit"] for case, each in results["many"].items()}


FIGURES: Final[Mapping[str, Callable[[Path], Iterator[str]]]] = {
    "summary": _summary,
    "environment": _environment,
    "marks": _marks,
    "micro": _micro,
    "variations": _of_cases("variations"),
    "decorators": _of_cases("decorator"),
    "memory": _memory,
    "stall": _stall,
    "stampede": _stampede,
    "redis": _redis,
    "redis_cancelled": _redis_cancelled,
    "redis_beside": _redis_beside,
    "files": _grid("file", _of_files),
    "many_files": _grid("file", _of_many_files),
    "ring": _grid("ring", lambda results: results),
    "web": _web,
    "http": _http,
    "imports": _imports,
    "hit_ratio": _hit_ratio,
}
