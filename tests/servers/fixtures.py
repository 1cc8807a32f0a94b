"""The servers that tests ask for by name; tests/conftest.py hands them to all tests.

Rule 1: nothing is started before a test asks for it.
Rule 2: `redis_server`, `sentinel_trio` and `redis_cluster` are shared by the tests of a process, each of which keeps to
its `fresh_prefix` and changes no setting. They may be killed and frozen: the next test gets new ones.
Rule 3: whoever wants settings, or to kill, has `start_server` start servers of his own; that takes some milliseconds.
"""

import secrets
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar, Unpack

import pytest

from tests.servers.certificates import Certificates, make_certificates
from tests.servers.cluster import Cluster
from tests.servers.room import Room
from tests.servers.sentinel import SentinelTrio
from tests.servers.server import Options, Server, started


class Group(Protocol):
    """Servers that belong together."""

    @property
    def is_as_started(self) -> bool:
        """Whether nobody harmed it."""
        ...

    def kill(self) -> None:
        """End everybody."""
        ...


G = TypeVar("G", bound=Group)


class StartServer(Protocol):
    """Starts a server with the options of `Server`, and returns it when it answers."""

    def __call__(self, **options: Unpack[Options]) -> Server:
        """Start it; it is ended when the test is over."""
        ...


@pytest.fixture(scope="session")
def server_room() -> Iterator[Room]:
    """Where all servers of this process live."""
    with Room() as room:
        yield room


@pytest.fixture
def fresh_prefix() -> str:
    """What the keys of this test begin with, and no other's."""
    return f"{secrets.token_hex(6)}:"


@pytest.fixture
def start_server(server_room: Room) -> Iterator[StartServer]:
    """Give a function that starts servers of this test's own."""
    servers: list[Server] = []

    def start(**options: Unpack[Options]) -> Server:
        servers.append(started(lambda: _start(server_room, options)))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.fixture(scope="session")
def redis_servers(server_room: Room) -> Iterator[Callable[[], Server]]:
    """Give a function that gives a server in order."""
    yield from _supply(lambda: _start(server_room, {}))


@pytest.fixture
def redis_server(redis_servers: Callable[[], Server]) -> Server:
    """A server with nothing special about it."""
    return redis_servers()


@pytest.fixture(scope="session")
def certificates(server_room: Room) -> Certificates:
    """Certificates for servers that talk TLS, and for their clients."""
    return make_certificates(server_room.new_folder())


@pytest.fixture(scope="session")
def sentinel_trios(server_room: Room) -> Iterator[Callable[[], SentinelTrio]]:
    """Give a function that gives a trio in order."""
    yield from _supply(lambda: SentinelTrio(server_room))


@pytest.fixture
def sentinel_trio(sentinel_trios: Callable[[], SentinelTrio]) -> SentinelTrio:
    """A master and a replica that three sentinels watch over; a test may kill and freeze them."""
    return sentinel_trios()


@pytest.fixture(scope="session")
def redis_clusters(server_room: Room) -> Iterator[Callable[[], Cluster]]:
    """Give a function that gives a cluster in order."""
    yield from _supply(lambda: Cluster(server_room))


@pytest.fixture
def redis_cluster(redis_clusters: Callable[[], Cluster]) -> Cluster:
    """Three masters and three replicas that share the slots; a test may kill and freeze them."""
    return redis_clusters()


def _start(room: Room, options: Options) -> Server:
    server = Server(room, **options)
    server.start()
    return server


def _supply(make: Callable[[], G]) -> Iterator[Callable[[], G]]:
    last: list[G] = []

    def give() -> G:
        if not last or not last[0].is_as_started:
            for group in last:
                group.kill()
            last[:] = [started(make)]
        return last[0]

    yield give
    for group in last:
        group.kill()
