"""Three masters that share the slots, and a replica of each.

They are given the list of all nodes and of who has which slots, as if they had been together before: what is left to
wait for is that masters hold back for two seconds after a start, in case that somebody took their place.
"""

import secrets
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

from tests.servers.room import Room, free_port
from tests.servers.server import Server

_SLOTS: Final = 16384
_BOUNDS: Final = [_SLOTS * number // 3 for number in range(4)]
"""The first slot of each master, and one more than the last of all."""
_NODE_TIMEOUT: Final = 1000
"""Milliseconds without an answer after which a node is asked about, and then replaced."""


class Node(Server):
    """A node of a cluster: a master, or the replica of one."""

    def __init__(self, room: Room, *, whole: bool) -> None:
        """Choose a name and a second port, by which nodes talk to each other."""
        self.name: Final = secrets.token_hex(20)
        self.bus_port: Final = free_port()
        self._whole = whole
        super().__init__(room)

    def _own_lines(self) -> Iterable[str]:
        return (
            *super()._own_lines(),
            "cluster-enabled yes",
            "cluster-config-file nodes.conf",
            f"cluster-port {self.bus_port}",
            f"cluster-node-timeout {_NODE_TIMEOUT}",
            f"cluster-require-full-coverage {'yes' if self._whole else 'no'}",
        )

    def line(self, rest: str) -> str:
        """Give the line for it in the list of nodes."""
        return f"{self.name} {self.host}:{self.port}@{self.bus_port} {rest}"

    def know(self, lines: Iterable[str]) -> None:
        """Write down the list of nodes, in which it finds itself."""
        own = [line.replace(" master ", " myself,master ").replace(" slave ", " myself,slave ") for line in lines]
        text = [mine if line.startswith(self.name) else line for line, mine in zip(lines, own, strict=True)]
        file = self.folder / "nodes.conf"
        file.write_text("\n".join([*text, "vars currentEpoch 3 lastVoteEpoch 0", ""]), "utf-8")


class Cluster:
    """Six nodes. While one master is being replaced, the others serve their slots, unless `whole` is asked for."""

    def __init__(self, room: Room, *, whole: bool = False) -> None:
        """Start all, and return when each finds the cluster in order and every replica has what its master has.

        A replica that never had it would not take its master's place.
        """
        self.masters: Final = tuple(Node(room, whole=whole) for _ in range(3))
        """The masters that it begins with."""
        self.replicas: Final = tuple(Node(room, whole=whole) for _ in range(3))
        """The replicas that it begins with, in the order of their masters."""
        self.nodes: Final = (*self.masters, *self.replicas)
        lines = self._lines()
        for node in self.nodes:
            node.know(lines)
        try:
            self._start()
        except BaseException:
            self.kill()
            raise

    def _lines(self) -> list[str]:
        lines: list[str] = []
        for number, (master, replica) in enumerate(zip(self.masters, self.replicas, strict=True)):
            slots = f"{_BOUNDS[number]}-{_BOUNDS[number + 1] - 1}"
            lines.append(master.line(f"master - 0 0 {number + 1} connected {slots}"))
            lines.append(replica.line(f"slave {master.name} 0 0 {number + 1} connected"))
        return lines

    def _start(self) -> None:
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.wait_until_ready()
        for node in self.nodes:
            node.log.wait_for("Cluster state changed: ok")
        for replica in self.replicas:
            replica.log.wait_for("sync: Finished with success")

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where the nodes are."""
        return [(node.host, node.port) for node in self.nodes]

    @property
    def is_as_started(self) -> bool:
        """Whether nobody was killed or frozen, and every master still is one."""
        return all(node.is_as_started for node in self.nodes) and all(
            node.info("replication")["role"] == "master" for node in self.masters
        )

    def owner_of(self, key: str) -> Node:
        """Give the first master of the slot of `key`."""
        slot: int = self.masters[0].ask("CLUSTER", "KEYSLOT", key)
        return self.masters[bisect_right(_BOUNDS, slot) - 1]

    def replica_of(self, master: Node) -> Node:
        """Give the replica of one of the first masters."""
        return self.replicas[self.masters.index(master)]

    def wait_for_failover(self, master: Node) -> Node:
        """Return the replica of `master` when it has taken its place."""
        replica = self.replica_of(master)
        replica.log.wait_for("Failover election won")
        return replica

    def kill(self) -> None:
        """End everybody."""
        for node in self.nodes:
            node.kill()
