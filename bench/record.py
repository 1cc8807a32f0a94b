"""What a result is and where it is kept: one JSON file a benchmark and version of Python, in `bench/results`.

Rule 1: a file says what is needed to judge its figures: the Python, the machine without its name, the versions of what
was compared and at which settings, and how it was measured.
Rule 2: a file holds nothing that says where or when it was made, so that two runs differ in their figures alone.
"""

import json
import os
import platform
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, TypeAlias

Track: TypeAlias = Callable[[str, int], Callable[[], None]]
"""Takes a title and a number of steps, and gives what is called after each of these."""
Table: TypeAlias = tuple[str, Sequence[str], Sequence[Sequence[str]]]
RESULTS: Final = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Mark:
    """What was asked of a figure, and what was measured."""

    what: str
    asked: str
    """A limit: ``<=`` or ``>=`` before a number."""
    measured: float

    @property
    def ok(self) -> bool:
        """Whether the figure is within the limit."""
        sign, limit = self.asked.split()
        return self.measured <= float(limit) if sign == "<=" else self.measured >= float(limit)


def at_most(what: str, limit: float, measured: float) -> Mark:
    """Make a mark that is met from `limit` downwards."""
    return Mark(what, f"<= {limit:g}", round(measured, 3))


def at_least(what: str, limit: float, measured: float) -> Mark:
    """Make a mark that is met from `limit` upwards."""
    return Mark(what, f">= {limit:g}", round(measured, 3))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one benchmark found."""

    method: str
    results: Mapping[str, Any]
    """Figures by what was done, then by who did it."""
    marks: Iterable[Mark] = ()
    packages: Iterable[str] = ()
    """The distributions that took part."""
    settings: Mapping[str, str] | None = None
    """How each subject was set up, in words."""
    tables: Sequence[Table] = ()
    """The figures to read: each table with its title, its columns and its rows."""


def python_version() -> str:
    """Give the version of this Python as files are named after it: ``3.11``."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def save(name: str, outcome: Outcome, folder: Path = RESULTS) -> Path:
    """Write the outcome of the benchmark of this name and say where."""
    path = folder / f"{name}-{python_version()}.json"
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "benchmark": name,
        "method": outcome.method,
        "environment": environment(),
        "versions": {package: _version(package) for package in sorted(set(outcome.packages))},
        "settings": dict(outcome.settings or {}),
        "results": outcome.results,
        "marks": [asdict(mark) | {"ok": mark.ok} for mark in outcome.marks],
    }
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return path


def load(name: str, python: str, folder: Path = RESULTS) -> Mapping[str, Any] | None:
    """Give what was saved for this benchmark and version of Python, None where nothing was."""
    path = folder / f"{name}-{python}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def environment() -> dict[str, object]:
    """Describe the Python and the machine, without names."""
    options = sysconfig.get_config_var("CONFIG_ARGS") or ""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "optimised_build": "--enable-optimizations" in options,
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "processors": os.cpu_count(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed as a package"
