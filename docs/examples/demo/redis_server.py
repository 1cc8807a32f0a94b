"""A redis-server for the demo: on a free port, keeping nothing, and gone when the block or this process ends."""

import shutil
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Final

_READY: Final = "Ready to accept connections"
_GUARD: Final = 'redis-server "$@" & read -r _; kill $!; wait'
"""Waits for the end of its input, which comes with the end of this process at the latest."""


@contextmanager
def redis_server() -> Generator[str | None]:
    """Run a server and give its address; None where this machine has no redis-server, or where it does not start."""
    if shutil.which("redis-server") is None or shutil.which("sh") is None:
        yield None
        return
    with TemporaryDirectory(prefix="demo-") as folder:
        port = _free_port()
        options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"]
        with subprocess.Popen(  # noqa: S603  - a list of our own
            ["sh", "-c", _GUARD, "sh", *options],  # noqa: S607  - wherever it is installed
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,  # Ctrl-C is for the demo, which then ends the server
        ) as process:
            try:
                yield f"127.0.0.1:{port}" if _is_ready(process) else None
            finally:
                process.communicate("\n")


def _is_ready(process: subprocess.Popen[str]) -> bool:
    for line in process.stdout or ():
        if _READY in line:
            return True
        if "Failed" in line:
            break
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
