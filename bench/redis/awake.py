"""Keeps the processors awake while something is measured that waits for a server again and again.

To wake a processor that sleeps takes a virtual machine longer than the call that it wakes up for, and counts as its
processor time. A service under load does not let its processors sleep. So programs of the lowest class of all spin
meanwhile, one a processor: whoever else is ready takes its place at once.
"""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

_SPIN: Final = """
import os, sys
parent = int(sys.argv[1])
os.nice(19)
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""


@contextmanager
def awake() -> Generator[None]:
    """Let no processor sleep, where the system has such a class of programs."""
    command = [sys.executable, "-c", _SPIN, str(os.getpid())]
    count = (os.cpu_count() or 1) if hasattr(os, "SCHED_IDLE") else 0
    spinners = [subprocess.Popen(command) for _ in range(count)]  # noqa: S603  - this Python, and a text of ours
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()
