"""The types as strangers see them: the samples beside this file are compiled, never run.

A sample calls the public face and states with `assert_type` what comes back; where a call must be refused, it says so
with a ``type: ignore[code]`` and a ``pyright: ignore[rule]``, each of which is an error where nothing is refused. The
house tests compile them for the oldest Python with this project's settings; here it is the newest, with a stranger's.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

import aiocache_kit.storage.base
import aiocache_kit.testing

ROOT = Path(__file__).parents[2]
SAMPLES = sorted(path for path in Path(__file__).parent.glob("*.py") if not path.name.startswith("test_"))
NEWEST = "3.13"

pytestmark = pytest.mark.timeout(400)


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a module of this Python, which comes first in PATH because pyright looks there, and keep what it says."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    arguments = [sys.executable, "-m", *command]
    return subprocess.run(arguments, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_samples_are_there() -> None:
    """There are samples, and each states the type of something."""
    assert SAMPLES
    assert [path.name for path in SAMPLES if "assert_type" not in path.read_text("utf-8")] == []


def test_mypy_reads_samples_as_a_stranger(tmp_path: Path) -> None:
    """A project that checks itself with mypy --strict on the newest Python finds every statement true."""
    options = (
        "--strict",
        "--no-incremental",
        "--config-file=",
        f"--python-version={NEWEST}",
        "--follow-imports=silent",
    )
    done = run("mypy", *options, *map(str, SAMPLES), cwd=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr


def test_pyright_reads_samples_as_a_stranger(tmp_path: Path) -> None:
    """A project that checks itself with pyright's strict mode on the newest Python finds every statement true, too."""
    settings = {
        "include": [str(path.parent) for path in SAMPLES[:1]],
        "exclude": ["**/test_*.py"],
        "extraPaths": [str(ROOT)],
        "pythonVersion": NEWEST,
        "typeCheckingMode": "strict",
        "enableTypeIgnoreComments": False,
        "reportUnnecessaryTypeIgnoreComment": "error",
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), "utf-8")
    done = run("pyright", "--project", str(tmp_path), cwd=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_face_has_types() -> None:
    """Whatever users import is of types that are said, not guessed, so that every checker reads them alike."""
    done = run("pyright", "--verifytypes", "aiocache_kit", "--ignoreexternal", "--outputjson", cwd=ROOT)
    symbols: list[dict[str, Any]] = json.loads(done.stdout)["typeCompleteness"]["symbols"]
    face = {
        f"{value.__module__}.{value.__qualname__}"
        for module in (aiocache_kit, aiocache_kit.testing, aiocache_kit.storage.base)
        for value in vars(module).values()
        if isinstance(value, type | FunctionType) and value.__module__.startswith("aiocache_kit")
    }
    ours = [symbol for symbol in symbols if any(f"{symbol['name']}.".startswith(f"{name}.") for name in face)]
    unclear = [
        f"{symbol['name']}: {[diagnostic['message'] for diagnostic in symbol['diagnostics']]}"
        for symbol in ours
        if not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"]
    ]

    assert len(ours) > len(face) > 0
    assert unclear == []
