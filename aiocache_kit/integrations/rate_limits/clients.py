"""Who a request is from: the other end of its connection, or what proxies that are trusted say of it.

Rule 1: without trusted proxies no header is looked at, for anybody can write one.
Rule 2: with them ``X-Forwarded-For`` is read from its end, where each proxy adds whom it was asked by, up to the first
address that is none of theirs. What stands before that was written by strangers.
Rule 3: one customer has a network of IPv6, not an address: the first 64 bits are the caller.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from aiocache_kit.errors import InvalidArgumentError

UNIX: Final = "unix"
"""Stands for the other end of a unix socket, which has no address."""
_WITH_PORT: Final = re.compile(r"\[([0-9a-fA-F:.]+)\](?::\d{1,5})?|([0-9.]+):\d{1,5}")
_OF_A_CUSTOMER: Final = 64
_LONGEST: Final = 100
"""Addresses of one request that are looked at."""

Address: TypeAlias = IPv4Address | IPv6Address


class Clients:
    """Tells who requests are from."""

    __slots__ = ("_networks", "_trusts_unix")

    def __init__(self, trusted_proxies: Iterable[str] = ()) -> None:
        """Trust these proxies: addresses, networks such as ``"10.0.0.0/8"``, or ``"unix"`` for what comes by a socket.

        Raises `InvalidArgumentError` for anything else.
        """
        if isinstance(trusted_proxies, str):
            raise InvalidArgumentError("trusted_proxies must be a collection of addresses, not a str")
        given = list(trusted_proxies)
        self._trusts_unix = UNIX in given
        try:
            self._networks = [ip_network(each) for each in given if each != UNIX]
        except (ValueError, TypeError):
            raise InvalidArgumentError(
                f'trusted_proxies must be addresses, networks such as "10.0.0.0/8", or "{UNIX}"'
            ) from None

    @property
    def trusts_anybody(self) -> bool:
        """Whether headers have to be looked at."""
        return self._trusts_unix or bool(self._networks)

    def caller(self, peer: str | None, forwarded: Iterable[str] = ()) -> str:
        """Give who asks, by the other end of the connection and the values of ``X-Forwarded-For``."""
        client = None if peer is None else _address(peer)
        if not (self._trusts_unix if peer is None else self._trusts(client)):
            return UNIX if peer is None else _name(client, peer)
        chain = [each for line in forwarded for each in line.split(",")]
        for text in reversed(chain[-_LONGEST:]):
            found = _address(text.strip())
            if found is None:
                break
            client = found
            if not self._trusts(found):
                break
        return _name(client, peer or UNIX)

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


def _address(text: str) -> Address | None:
    found = _WITH_PORT.fullmatch(text)
    try:
        address = ip_address((found[1] or found[2]) if found else text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _name(address: Address | None, otherwise: str) -> str:
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _OF_A_CUSTOMER), strict=False))
    return otherwise if address is None else str(address)
