"""Files that the system does not let be read or written, by rights and by mounts, where no fault is only made up."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
OBEYING = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
"""What lets root obey the rights of files, as everybody else does."""
MOUNTING = ("unshare", "--mount", "--map-root-user")
"""What lets anybody mount, for himself alone."""
over_both = pytest.mark.parametrize("mode", ["own", "shared"])


def run(path: Path, mode: str, harm: str, *way: str) -> dict[str, Any]:
    """Give what the process says whose directory is harmed."""
    command = [*way, sys.executable, "-m", "tests.integration.refused", harm, str(path), mode]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@over_both
def test_what_cannot_be_written_is_told_and_the_rest_goes_on(tmp_path: Path, mode: str) -> None:
    """Reads go on, each change says that it was not made, nothing has changed, and writing goes on when it can."""
    said = run(tmp_path, mode, "rights", *OBEYING)
    given = said["meanwhile"].pop("get")

    assert given == {"a": "x" * 1000, "b": "there", "n": 1, "tagged": "there"}
    loaded = said["meanwhile"].pop("get_or_set")
    assert loaded == ("loaded" if mode == "own" else "StorageError")  # who shares a directory needs a lease to load
    assert set(said["meanwhile"].values()) == {"StorageError"}
    assert said["after"] == {"a": "x", "b": "t", "n": 1}
    assert said["writes"] == [None, "again"]


@over_both
def test_what_cannot_be_read_is_a_miss_for_now(tmp_path: Path, mode: str) -> None:
    """Of several items the one whose file is refused is missing, and counted; it is there again when that is over."""
    said = run(tmp_path, mode, "file", *OBEYING)

    assert said["meanwhile"]["get"] == {"b": "there", "n": 1, "tagged": "there"}
    assert said["errors"] == 1
    assert said["after"] == {"a": "x", "b": "t", "n": 1}
    assert said["writes"] == [None, "again"]


@over_both
def test_a_directory_on_a_mount_that_is_read_only_is_told(tmp_path: Path, mode: str) -> None:
    """No call pretends to work; nothing is lost, and the same provider works once the directory can be written to."""
    can_mount = subprocess.run([*MOUNTING, "true"], capture_output=True, check=False).returncode == 0
    if not can_mount:  # a container may forbid it: rights are then the nearest thing
        test_what_cannot_be_written_is_told_and_the_rest_goes_on(tmp_path, mode)
        return
    said = run(tmp_path, mode, "mount", *MOUNTING)

    assert set(said["meanwhile"].values()) == {"StorageError"}
    assert said["after"] == {"a": "x", "b": "t", "n": 1}
    assert said["writes"] == [None, "again"]
