"""How connections to Redis are made: redis-py connects, speaks TLS, and says who we are (HELLO, AUTH, SELECT).

Rule: the only file that knows redis-py's connections, and the private names of theirs that sending and taking one over
need.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any, Final, NamedTuple, TypeAlias, cast

from redis.asyncio import BlockingConnectionPool, Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from aiocache_kit.errors import UnsupportedError

NAME: Final = "aiocache_kit"
"""What the server shows in CLIENT LIST."""


# Telling the server the version of redis-py takes a look at the disk, and two more commands.
NAMELESS: Final[Mapping[str, None]] = (
    {"driver_info": None}
    if "driver_info" in signature(AbstractConnection).parameters
    else {"lib_name": None, "lib_version": None}
)


class Host(NamedTuple):
    """A server reached by network."""

    name: str
    port: int


Connections: TypeAlias = BlockingConnectionPool
"""Connections of redis-py, each for one at a time."""
Place: TypeAlias = Host | str
"""Where a server is: a host, or the path of a unix socket."""


class TLS(NamedTuple):
    """How to speak TLS; the certificate of the server is always verified."""

    ca_file: str | None = None
    """The authorities to believe; None: those of the system."""
    cert_file: str | None = None
    key_file: str | None = None
    check_hostname: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialer:
    """Makes connections to any server of one installation."""

    username: str | None = None
    password: str | None = None
    db: int = 0
    tls: TLS | None = None
    protocol: int = 3
    """The version of RESP: 2 or 3."""
    timeout: float = 1.0
    """Seconds that connecting, with all that is said at its beginning, may take."""
    parser: Any = None
    """The class of redis-py that takes replies apart for pools; None: hiredis, where it is installed."""

    def __repr__(self) -> str:
        return "<Dialer>"

    async def dial(self, place: Place) -> tuple[asyncio.Transport, object]:
        """Connect to `place`; give the open transport, and what must be kept for as long as it is used.

        Raises what redis-py raises, and `TimeoutError`.
        """
        kind = self._kind(place)
        connection = kind(**self._arguments(place))
        try:
            async with asyncio.timeout(self.timeout):
                await cast("Any", connection).connect()
        except BaseException:
            _drop(connection)
            raise
        return _taken_over(connection)

    def connections(self, place: Place, *, size: int) -> "Connections":
        """Give a pool of at most `size` connections to `place`, none of which is made yet; time is for its user."""
        arguments = self._arguments(place)
        if "maint_notifications_config" in signature(ConnectionPool).parameters:
            from redis.maint_notifications import MaintNotificationsConfig  # noqa: PLC0415  - newer versions have it

            arguments["maint_notifications_config"] = MaintNotificationsConfig(enabled=False)
        return BlockingConnectionPool(
            max_connections=size, timeout=None, connection_class=self._kind(place), **arguments
        )

    def _kind(self, place: Place) -> type[Connection | SSLConnection | UnixDomainSocketConnection]:
        if isinstance(place, str):
            return UnixDomainSocketConnection
        return SSLConnection if self.tls is not None else Connection

    def _arguments(self, place: Place) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "username": self.username,
            "password": self.password,
            "db": self.db,
            "protocol": self.protocol,
            "client_name": NAME,
            "socket_connect_timeout": self.timeout,
            "socket_timeout": None,  # `dial` keeps the time: redis-py would lose cancellations on Python 3.11
            "retry": Retry(NoBackoff(), 0),
            **NAMELESS,
        }
        if self.parser is not None:
            arguments["parser_class"] = self.parser
        if isinstance(place, str):
            return arguments | {"path": place}
        arguments |= {"host": place.name, "port": place.port}
        return arguments if self.tls is None else arguments | self._tls(self.tls)

    def _tls(self, tls: TLS) -> dict[str, Any]:
        return {
            "ssl_ca_certs": tls.ca_file,
            "ssl_certfile": tls.cert_file,
            "ssl_keyfile": tls.key_file,
            "ssl_check_hostname": tls.check_hostname,
            "ssl_cert_reqs": "required",
        }


_THEIRS: Final[Any] = BlockingConnectionPool
_asks_for_a_name: Final = signature(_THEIRS.get_connection).parameters["command_name"].default is Parameter.empty


async def take(connections: Connections) -> Any:  # noqa: ANN401  - one of three classes
    """Take a connection out of a pool, open and with nothing left to read; redis-py before 5.3 wants a name for it."""
    pool = cast("Any", connections)
    return await (pool.get_connection("_") if _asks_for_a_name else pool.get_connection())


async def send(connection: Any, packed: Sequence[bytes]) -> None:  # noqa: ANN401  - one of three classes
    """Send packed commands by an open connection, and return when what is left to be sent is little.

    redis-py sends by `writelines`, which on some versions of Python (3.13.0 is one) forgets to say that the buffer is
    full: then nobody waits for it, and a server that takes nothing is met with the time for reading only.
    """
    writer = connection._writer  # noqa: SLF001  - see the rule
    if writer is None:
        raise ConnectionError("the connection was closed")
    writer.write(packed[0] if len(packed) == 1 else b"".join(packed))
    await writer.drain()


def _taken_over(connection: Any) -> tuple[asyncio.Transport, object]:  # noqa: ANN401  - one of three classes
    """Take the open transport out of a connection; that must not find it when it is thrown away."""
    reader, writer = getattr(connection, "_reader", None), getattr(connection, "_writer", None)
    transport = getattr(writer, "transport", None)
    if not callable(getattr(transport, "set_protocol", None)):  # those of uvloop derive from no class of asyncio
        raise UnsupportedError("this version of redis-py lets nobody take over a connection: set multiplexed=False")
    connection._reader = connection._writer = None  # noqa: SLF001  - see the rule
    # The writer closes its transport when it is thrown away, and the reader's protocol is told by the transport.
    return cast("asyncio.Transport", transport), (reader, writer)


def _drop(connection: Any) -> None:  # noqa: ANN401  - one of three classes
    """Close what was opened, without waiting."""
    writer = getattr(connection, "_writer", None)
    if writer is not None:
        writer.transport.abort()
        connection._reader = connection._writer = None  # noqa: SLF001  - see the rule
