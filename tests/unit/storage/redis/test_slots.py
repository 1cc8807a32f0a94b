from typing import Any

import pytest
from hiredis import ReplyError
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from aiocache_kit.storage.redis.dial import Host
from aiocache_kit.storage.redis.slots import Share, redirection, shares_in, slot_of

HERE = Host("here", 7000)


@given(st.binary(max_size=30) | st.text("{}ab", max_size=12).map(str.encode))
def test_slots_are_those_of_redis(key: bytes) -> None:
    """A key has the slot that redis-py finds for it, whatever braces it holds."""
    assert slot_of(key) == key_slot(key)


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("MOVED 3999 127.0.0.1:6381", Host("127.0.0.1", 6381)),
        ("ASK 3999 node.example:6381", Host("node.example", 6381)),
        ("MOVED 3999 :6381", Host("here", 6381)),
        ("MOVED 3999 ::1:6381", Host("::1", 6381)),
        ("MOVED 3999 ?:6381", None),
        ("MOVED 3999 host:", None),
        ("MOVED", None),
        ("TRYAGAIN Multiple keys request during rehashing of slot", None),
    ],
)
def test_redirections_are_read(said: str, place: Host | None) -> None:
    """What MOVED and ASK point to is found, beside the node that said so where it names none."""
    assert redirection(ReplyError(said), HERE) == place


def test_shares_are_read() -> None:
    """Nodes are where they say they are, or where one was asked; slots of a node that nobody can reach are left out."""
    reply: list[list[Any]] = [
        [0, 9, [b"a", 1, b"id"], [b"b", 2, b"id", []]],
        [10, 19, [b"", 3, b"id"], [b"?", 4, b"id"]],
        [20, 29, [None, 5, b"id"]],
        [30, 39, [b"?", 6, b"id"]],
        [40, 49],
    ]
    assert shares_in(reply, HERE) == [
        Share(0, 9, Host("a", 1), (Host("b", 2),)),
        Share(10, 19, Host("here", 3), ()),
        Share(20, 29, Host("here", 5), ()),
    ]
