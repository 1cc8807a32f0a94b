"""A redis-server of a test's own: started, killed, frozen, thawed and started again, on one and the same port.

Rule 1: `start` returns when the server answers; `kill` when it is gone; `freeze` when it stands still.
Rule 2: all of it blocks, for some milliseconds; an async test that must go on meanwhile calls it in a thread.
Rule 3: nothing is kept on disk: who comes back after `kill` is empty, unless its configuration says otherwise.
Rule 4: tests talk to `port`; `ask` goes by a socket of its own, past certificates and faults on the way.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypedDict, TypeVar, Unpack

import redis

from tests.servers.certificates import TLS
from tests.servers.log import Log
from tests.servers.room import Room, free_port

S = TypeVar("S")

LIMITED_USER: Final = "app"
"""A user of servers that were started with `limited_user`: keys and channels "app:*" alone, nothing for operators."""
LIMITED_PASSWORD: Final = "of the app"  # noqa: S105  - opens nothing but servers of tests

_PLAIN: Final = ('save ""', "appendonly no", "hz 50", "repl-diskless-sync-delay 0", "enable-debug-command local")
_LIMITS: Final = "resetchannels ~app:* &app:* +@all -flushdb -flushall -keys -script -config"


class Options(TypedDict, total=False):
    """What a server may be started with."""

    password: str
    """What everybody has to know."""
    maxmemory: str
    """Bytes that it may use for keys, such as "2mb"."""
    limited_user: bool
    """Whether there is a `LIMITED_USER`."""
    tls: TLS
    """How it talks TLS; then it talks nothing else."""
    config: Iterable[str]
    """Further lines of its configuration."""


class PortTakenError(RuntimeError):
    """Somebody was faster to listen on a port that was free."""


class Server:
    """A redis-server process; it is not started yet, and the room ends it at the latest."""

    host: Final = "127.0.0.1"

    def __init__(self, room: Room, **options: Unpack[Options]) -> None:
        """Choose a port and write the configuration."""
        self.port: Final = free_port()
        self.folder: Final = room.new_folder()
        self.socket: Final = self.folder / "socket"
        self.password: Final = options.get("password")
        self.tls: Final = options.get("tls")
        self.log: Final = Log()
        self._begun = 0
        self._harmed = False
        self._room = room
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._configuration.write_text("\n".join([*self._lines(options), ""]), "utf-8")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.port}>"

    # --- what kinds of servers differ in -----------------------------------------------------------------------------

    _ready: str = "Ready to accept connections"
    """What the log says when it answers."""
    _mode: str | None = None
    """What it is told to be beside what its configuration says."""

    def _own_lines(self) -> Iterable[str]:
        return _PLAIN

    def _lines(self, options: Options) -> Iterable[str]:
        yield from (f"bind {self.host}", f"dir {self.folder}", f"unixsocket {self.socket}")
        yield from self._own_lines()
        yield from [f"port {self.port}"] if self.tls is None else ["port 0", f"tls-port {self.port}", *self.tls.lines()]
        if self.password:
            yield f'requirepass "{self.password}"'
        if maxmemory := options.get("maxmemory"):
            yield f"maxmemory {maxmemory}"
        if options.get("limited_user"):
            yield f'user {LIMITED_USER} on ">{LIMITED_PASSWORD}" {_LIMITS}'
        yield from options.get("config", ())

    # --- its life ----------------------------------------------------------------------------------------------------

    @property
    def _configuration(self) -> Path:
        return self.folder / "redis.conf"

    @property
    def pid(self) -> int:
        """The number of its process; `RuntimeError` unless it runs or stands still."""
        if self._process is None:
            msg = f"{self!r} is not running"
            raise RuntimeError(msg)
        return self._process.pid

    @property
    def is_as_started(self) -> bool:
        """Whether it runs, and was neither killed nor frozen since it was first started."""
        return self._process is not None and self._process.poll() is None and not self._harmed

    def launch(self) -> None:
        """Begin to start: who starts several need not wait for one after the other."""
        assert self._process is None
        self._begun = len(self.log.lines)
        self._process = subprocess.Popen(
            ["redis-server", self._configuration, *filter(None, [self._mode])],  # noqa: S607  - wherever it is installed
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=self._room.group,
        )
        self._reader = threading.Thread(target=self._read, args=[self._process], daemon=True)
        self._reader.start()

    def wait_until_ready(self) -> None:
        """Return when it answers. Raises `PortTakenError`, or `RuntimeError` with its log."""
        try:
            self.log.wait_for(self._ready, since=self._begun)
        except RuntimeError as error:
            self.kill()
            if "already in use" in str(error):
                raise PortTakenError(str(error)) from None
            raise

    def start(self) -> None:
        """Start, for the first time or again, and return when it answers."""
        self.launch()
        self.wait_until_ready()

    def kill(self) -> None:
        """End it at once, as a loss of power would, whether it runs, stands still or is gone already."""
        self._harmed = True
        if self._process is not None and self._reader is not None:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            self._process = None

    def freeze(self) -> None:
        """Let it stand still: its connections stay open, and the system takes new ones, but nothing is answered."""
        self._harmed = True
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def thaw(self) -> None:
        """Let it go on from where it stood."""
        os.kill(self.pid, signal.SIGCONT)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            self.log.follow(lines)

    # --- talking to it -----------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where clients find it, as they are told in one text."""
        scheme = "redis" if self.tls is None else "rediss"
        return f"{scheme}://{f':{self.password}@' if self.password else ''}{self.host}:{self.port}/0"

    def ask(self, *command: str | int) -> Any:  # noqa: ANN401  - Redis answers what it likes
        """Give the answer to a command, as text, from the user who may do everything."""
        client: Any = redis.Redis(  # as if it had no types: those that it has are loose
            unix_socket_path=str(self.socket), password=self.password, decode_responses=True, socket_timeout=10
        )
        with client:
            return client.execute_command(*command)

    def info(self, section: str) -> dict[str, str]:
        """Give the fields of a section of what it tells of itself."""
        answer: dict[str, object] = self.ask("INFO", section)
        return {name: str(value) for name, value in answer.items()}


def started(start: Callable[[], S]) -> S:
    """Give what `start` starts, trying again with other ports where one was taken meanwhile."""
    for _ in range(2):
        with suppress(PortTakenError):
            return start()
    return start()
