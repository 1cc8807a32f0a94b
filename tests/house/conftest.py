"""What the house tests share: where the repository is, its files, and a way to run a tool that shows what it said."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEFT_BEHIND = {".git", "__pycache__", "build", "dist"}


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def files() -> list[Path]:
    """Every file of the repository, sorted; what tools leave behind is not among them."""
    return sorted(walk(ROOT))


def walk(folder: Path) -> Iterator[Path]:
    """Give the files below a folder without entering hidden folders, where environments and caches are."""
    for path in folder.iterdir():
        if path.name in LEFT_BEHIND or (path.is_dir() and path.name.startswith(".") and path.name != ".ci"):
            continue
        if path.is_dir():
            yield from walk(path)
        else:
            yield path


@pytest.fixture(scope="session")
def tool() -> Callable[..., str]:
    """Give a function that runs this Python at the root, returns what it printed, and fails the test if it fails.

    This Python comes first in PATH, because that is where pyright looks for the packages to read.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            pytest.fail(f"python {' '.join(arguments)}\n{done.stdout}{done.stderr}", pytrace=False)
        return done.stdout

    return run
