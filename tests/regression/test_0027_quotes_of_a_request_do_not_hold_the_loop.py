"""A header of quotes that are never closed took a time growing with the square of its length: a second for 16 KiB."""

from aiocache_kit.integrations.http.directives import NOTHING_SAID, of_request
from aiocache_kit.integrations.http.fields import members

MANY = 200_000
"""That many took ten minutes; what lies between a client and an application seldom lets so many through."""


def test_quotes_that_are_never_closed() -> None:
    """Lists are taken apart in one go, however many quotes are in them."""
    escaped = '"' + '\\"' * MANY

    assert len(members(escaped)) == 1
    assert len(members('"a\\"",' * MANY)) == MANY
    assert of_request(f"x={escaped}") == NOTHING_SAID
    assert of_request(f"x={escaped}, no-cache").no_cache
