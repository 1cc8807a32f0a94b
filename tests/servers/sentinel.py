"""A master, its replica and three sentinels that watch over both.

They know each other from their configuration, so that nobody has to wait until they have found each other: five
processes answer within a fraction of a second. A master that does not answer is replaced after about two seconds.
"""

import secrets
from collections.abc import Iterable
from typing import Final, Unpack

from tests.servers.room import Room
from tests.servers.server import Options, Server

_DOWN_AFTER: Final = 500
"""Milliseconds without an answer after which a server counts as down."""


class Sentinel(Server):
    """A sentinel process."""

    _ready = "Sentinel ID is"
    _mode: str | None = "--sentinel"

    def __init__(self, room: Room, **options: Unpack[Options]) -> None:
        """Choose a name; `watch` says the rest."""
        self.name: Final = secrets.token_hex(20)
        super().__init__(room, **options)

    def _own_lines(self) -> Iterable[str]:
        return (f"sentinel myid {self.name}",)

    def watch(self, service: str, master: Server, replica: Server, others: Iterable["Sentinel"]) -> None:
        """Write down whom to watch, and who else does."""
        lines = [
            f"sentinel monitor {service} {master.host} {master.port} 2",
            f"sentinel down-after-milliseconds {service} {_DOWN_AFTER}",
            f"sentinel failover-timeout {service} 4000",
            f"sentinel known-replica {service} {replica.host} {replica.port}",
            *(f"sentinel known-sentinel {service} {other.host} {other.port} {other.name}" for other in others),
        ]
        with self._configuration.open("a", encoding="utf-8") as file:
            file.write("\n".join([*lines, ""]))


class SentinelTrio:
    """Two servers under the eyes of three sentinels."""

    service: Final = "main"
    """The name by which sentinels know the two."""

    def __init__(self, room: Room) -> None:
        """Start all, and return when the replica has what the master has and each sentinel knows both."""
        self._first, self._second = Server(room), Server(room)
        self.sentinels: Final = (Sentinel(room), Sentinel(room), Sentinel(room))
        for sentinel in self.sentinels:
            others = [other for other in self.sentinels if other is not sentinel]
            sentinel.watch(self.service, self._first, self._second, others)
        try:
            self._start()
        except BaseException:
            self.kill()
            raise

    def _start(self) -> None:
        self._first.start()
        self._second.start()
        self._second.ask("REPLICAOF", self._first.host, self._first.port)
        self._second.log.wait_for("sync: Finished with success")
        for sentinel in self.sentinels:
            sentinel.launch()
        for sentinel in self.sentinels:
            sentinel.wait_until_ready()
        self._seen = [len(sentinel.log.lines) for sentinel in self.sentinels]

    @property
    def servers(self) -> tuple[Server, Server]:
        """The two, in no order."""
        return self._first, self._second

    @property
    def master(self) -> Server:
        """The one that takes writes, in the eyes of the first sentinel that nobody has killed or frozen."""
        sentinel = next(sentinel for sentinel in self.sentinels if sentinel.is_as_started)
        _, port = sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service)
        return next(server for server in self.servers if server.port == int(port))

    @property
    def replica(self) -> Server:
        """The other one."""
        master = self.master
        return next(server for server in self.servers if server is not master)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where the sentinels are."""
        return [(sentinel.host, sentinel.port) for sentinel in self.sentinels]

    @property
    def is_as_started(self) -> bool:
        """Whether nobody was killed or frozen, and the first master still is the master."""
        everybody = (*self.servers, *self.sentinels)
        return all(server.is_as_started for server in everybody) and self.master is self._first

    def wait_for_failover(self) -> Server:
        """Return the new master when all sentinels that live know it; it counts from the last fail-over waited for."""
        for number, sentinel in enumerate(self.sentinels):
            if sentinel.is_as_started:
                sentinel.log.wait_for(r"\+switch-master", since=self._seen[number])
                self._seen[number] = len(sentinel.log.lines)
        return self.master

    def kill(self) -> None:
        """End everybody."""
        for server in (*self.sentinels, *self.servers):
            server.kill()
