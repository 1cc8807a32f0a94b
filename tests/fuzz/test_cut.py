"""Connections that are cut in the middle of calls, in the small: the program beside this file does so at every byte."""

import pytest

from tests.fuzz.cut import KINDS, cut_everywhere, drawn
from tests.servers.server import Server


@pytest.mark.parametrize("kind", KINDS)
async def test_cut_calls_do_nothing_by_halves_or_twice(redis_server: Server, kind: str) -> None:
    """Cut at a byte by chance, and before the last one, every call ends, and those after it have their answers."""
    draw = drawn(1, 7)
    cuts = await cut_everywhere(
        redis_server.host, redis_server.port, lambda length: {length - 1, *draw(length)} if length else (), [kind]
    )
    assert cuts > 60
