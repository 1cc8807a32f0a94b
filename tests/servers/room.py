"""Where the servers of a test run live: one folder and one process group, both gone when the run is, however it ends.

A shell leads the group and waits for the end of its input, which only this process can bring about: by closing it, or
by ceasing to be. Then it removes the folder and kills the group with all servers in it, those that stand still too. As
the group is none of the terminal's, Ctrl-C reaches the tests alone, and they can still ask their servers.
"""

import secrets
import shutil
import socket
import subprocess
import tempfile
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_LEADER: Final = 'read -r _; rm -rf -- "$0"; kill -KILL 0'
_FIRST_PORT: Final = 10_000
_TRIES: Final = 1000


class Room:
    """A folder and a process group for servers; leaving the context, or the end of the process, ends them all."""

    def __init__(self) -> None:
        """Make both; nobody is in them."""
        self.folder: Final = Path(tempfile.mkdtemp(prefix="servers-"))  # short: sockets' paths end at 107 bytes
        self._leader = subprocess.Popen(
            ["sh", "-c", _LEADER, self.folder],  # noqa: S607  - the shell of whoever runs the tests
            stdin=subprocess.PIPE,
            process_group=0,
        )
        self._numbers = count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def group(self) -> int:
        """The process group that servers have to join."""
        return self._leader.pid

    def new_folder(self) -> Path:
        """Make a folder for one server."""
        folder = self.folder / str(next(self._numbers))
        folder.mkdir()
        return folder

    def close(self) -> None:
        """End all servers, and remove what they wrote."""
        assert self._leader.stdin is not None
        self._leader.stdin.close()
        self._leader.wait()
        shutil.rmtree(self.folder, ignore_errors=True)  # what a server wrote while the shell was removing


def free_port() -> int:
    """Give a port of this machine that nobody listens on, chosen by chance.

    It lies below the ports that the system gives to outgoing connections. Otherwise a client that tries to reach a dead
    server again and again would now and then be given the very port that it calls, and be connected with itself.
    """
    for _ in range(_TRIES):
        port = _FIRST_PORT + secrets.randbelow(_first_outgoing_port() - _FIRST_PORT)
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    msg = "no port is free"
    raise RuntimeError(msg)


def _first_outgoing_port() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    except OSError:  # no Linux: what IANA says
        return 49_152
