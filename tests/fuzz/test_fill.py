"""A bound in bytes, as the system sees it, in the small: the program beside this file does the same many times."""

import subprocess
import sys
from pathlib import Path


def test_a_process_takes_little_more_than_its_bound() -> None:
    """Fifteen thousand values of all kinds, twenty megabytes, pass through a cache of two without taking more."""
    command = [sys.executable, "-m", "tests.fuzz.fill", "15000", "2"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "15000 sets" in done.stdout
