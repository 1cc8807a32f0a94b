"""Who is the master, by what the sentinels say.

Rule 1: they are asked one after the other, first the one that was right last; one that is silent, or names a server
that says itself that it is no master, is asked last the next time.
Rule 2: they are asked before each attempt to connect, so a lost connection, and one that was ended because its server
takes no writes any more (READONLY), leads to the new master as soon as one sentinel knows it.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from aiocache_kit.errors import CacheError, StorageUnavailableError
from aiocache_kit.storage.redis.dial import Dialer, Host, Place
from aiocache_kit.storage.redis.question import ask
from aiocache_kit.storage.redis.replies import failure

_MASTER: Final = b"master"


class Sentinels:
    """Finds the master of one service."""

    def __init__(self, hosts: Sequence[Host], service: str, *, own: Dialer, masters: Dialer, timeout: float) -> None:
        """Ask the sentinels at `hosts`, dialling by `own`, and the master itself by `masters`.

        All of it, with every sentinel, takes `timeout` seconds at most.
        """
        self._hosts = list(hosts)
        self._service = service
        self._own = own
        self._masters = masters
        self._timeout = timeout / len(self._hosts)

    async def locate(self) -> Place:
        """Give the place of the master; raise why there is none."""
        error: CacheError = StorageUnavailableError("no sentinel was asked")
        for host in list(self._hosts):
            try:
                async with asyncio.timeout(self._timeout):
                    place = await self._by(host)
            except BaseException as wrong:
                self._ask_last(host)
                if not isinstance(wrong, Exception):
                    raise
                error = failure(wrong)
                error.__cause__ = None if error is wrong else wrong
            else:
                return place
        raise error

    def _ask_last(self, host: Host) -> None:
        self._hosts.remove(host)
        self._hosts.append(host)

    async def _by(self, host: Host) -> Place:
        named = await ask(
            self._own, host, (b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", self._service), timeout=self._timeout
        )
        if named is None:
            raise StorageUnavailableError(
                "the sentinels know no master by the name of redis_config.sentinel.service_name"
            )
        master = Host(bytes(named[0]).decode(), int(named[1]))
        role = await ask(self._masters, master, (b"ROLE",), timeout=self._timeout)
        if role[0] != _MASTER:
            raise StorageUnavailableError("the server that a sentinel named is no master, or not any more")
        return master
