"""Which node of a cluster has which keys: slots, and what nodes tell about them. Decides, and asks nobody.

Rule: what a node tells of itself without a name is at the place where it was asked.
"""

from binascii import crc_hqx
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from hiredis import ReplyError

from aiocache_kit.storage.redis.dial import Host

SLOTS: Final = 16384
_NOWHERE: Final = "?"
"""What a node says that does not know its own name."""


def slot_of(key: bytes) -> int:
    """Give the slot of a key: that of what stands in its first braces, if anything does; so keys can be together."""
    start = key.find(b"{")
    if start >= 0:
        end = key.find(b"}", start + 1)
        if end > start + 1:
            key = key[start + 1 : end]
    return crc_hqx(key, 0) % SLOTS


class Share(NamedTuple):
    """Slots from `first` to `last`, and who has them."""

    first: int
    last: int
    primary: Host
    replicas: tuple[Host, ...]


def shares_in(reply: Sequence[Any], asked: Host) -> list[Share]:
    """Read the reply of CLUSTER SLOTS by the node that was `asked`; slots whose primary has no address are left out."""
    return list(_shares(reply, asked))


def _shares(reply: Sequence[Any], asked: Host) -> Iterator[Share]:
    for first, last, *nodes in reply:
        hosts = [_host(node, asked) for node in nodes]
        if hosts and hosts[0] is not None:
            yield Share(int(first), int(last), hosts[0], tuple(host for host in hosts[1:] if host is not None))


def _host(node: Sequence[Any], asked: Host) -> Host | None:
    name = b"" if node[0] is None else bytes(node[0])
    if name.decode() == _NOWHERE:
        return None
    return Host(name.decode() or asked.name, int(node[1]))


def redirection(refused: ReplyError, asked: Host) -> Host | None:
    """Give where a MOVED or ASK of the node that was `asked` points to; None where it is none, or says nothing."""
    words = str(refused).split(" ")
    name, _, port = words[-1].rpartition(":")
    if words[0] not in {"MOVED", "ASK"} or not port.isdigit() or name == _NOWHERE:
        return None
    return Host(name.strip("[]") or asked.name, int(port))
