"""Processes that are killed while they write, in the small: the program beside this file does the same many times."""

import subprocess
import sys
from pathlib import Path


def test_killed_writers_leave_old_new_or_nothing() -> None:
    """Of 30 processes killed at random moments each leaves every key old, new or missing, and nothing half written."""
    command = [sys.executable, "-m", "tests.fuzz.kill", "30", "7"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "30 killed" in done.stdout
