"""A redis-server for the benchmark: on a free port, keeping nothing, and gone when the block or this process ends."""

import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Final

_READY: Final = "Ready to accept connections"
_GUARD: Final = 'redis-server "$@" & read -r _; kill $!; wait'
"""Waits for the end of its input, which comes with the end of this process at the latest."""


class ServerError(RuntimeError):
    """Raised with the words of a server that did not start."""


@contextmanager
def redis_server() -> Generator[int]:
    """Run a server and give its port. Raises `ServerError`."""
    with TemporaryDirectory(prefix="bench-") as folder:
        port = _free_port()
        options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"]
        with subprocess.Popen(  # noqa: S603  - a list of our own
            ["sh", "-c", _GUARD, "sh", *options],  # noqa: S607  - wherever it is installed
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                _wait(process)
                yield port
            finally:
                process.communicate("\n")


def _wait(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    said: list[str] = []
    for line in process.stdout:
        if _READY in line:
            return
        said.append(line)
        if "not found" in line or "Failed" in line:
            break
    raise ServerError("redis-server did not start:\n" + "".join(said))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
