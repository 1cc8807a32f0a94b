"""What the house tests share: where the repository is, its files, and a way to run a tool that shows what it said."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IGNORED = {"__pycache__", "build", "dist", "results"}


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def files() -> list[Path]:
    """Every file of the repository, sorted: hidden folders hold caches and are left out, except ``.ci``."""
    found = (path for path in ROOT.rglob("*") if path.is_file())
    return sorted(path for path in found if belongs(path.relative_to(ROOT)))


def belongs(path: Path) -> bool:
    """Tell whether a path, relative to the root, is part of the project rather than left there by a tool."""
    hidden = any(part.startswith(".") for part in path.parts) and path.parts[0] not in {".ci", ".gitignore"}
    return not hidden and not IGNORED.intersection(path.parts)


@pytest.fixture(scope="session")
def tool() -> Callable[..., str]:
    """Give a function that runs this Python at the root, returns what it printed, and fails the test if it fails."""

    def run(*arguments: str) -> str:
        done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.fail(f"python {' '.join(arguments)}\n{done.stdout}{done.stderr}", pytrace=False)
        return done.stdout

    return run
