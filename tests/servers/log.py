"""What a server writes, line by line: its log tells what it has come to, so that nobody has to ask again and again."""

import re
import threading
from collections.abc import Iterable


class Log:
    """The lines of a server, which a thread takes in while tests wait for one of them."""

    def __init__(self) -> None:
        """Start empty."""
        self.lines: list[str] = []
        self._open = True
        self._grown = threading.Condition()

    def follow(self, lines: Iterable[str]) -> None:
        """Take in lines until they end."""
        self._open = True
        for line in lines:
            with self._grown:
                self.lines.append(line.rstrip("\n"))
                self._grown.notify_all()
        with self._grown:
            self._open = False
            self._grown.notify_all()

    def wait_for(self, pattern: str, *, since: int = 0, timeout: float = 20.0) -> str:
        """Give the first line, from number `since` on, in which `pattern` is found; wait for it if need be.

        Raises `RuntimeError`, with the end of the log, where the server is gone or `timeout` seconds have passed.
        """
        found: list[str] = []

        def is_there() -> bool:
            found.extend(line for line in self.lines[since:] if re.search(pattern, line))
            return bool(found) or not self._open

        with self._grown:
            self._grown.wait_for(is_there, timeout)
        if found:
            return found[0]
        msg = "\n".join([f"no line with {pattern!r} was written:", *self.lines[-20:]])
        raise RuntimeError(msg)
