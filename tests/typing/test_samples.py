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

import pytest

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


def test_every_public_name_has_a_type() -> None:
    """Whatever can be imported from the package has a known type, all the way down."""
    done = run("pyright", "--verifytypes", "aiocache_kit", "--ignoreexternal", cwd=ROOT)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Type completeness score: 100%" in done.stdout
