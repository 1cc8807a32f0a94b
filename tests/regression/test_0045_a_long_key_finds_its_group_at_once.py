"""Finding the group of a key took a time that grew with a power of its length: half a second for 400 characters.

The power was the number of parts of a template that may be any text, and such parts may come from whoever asks.
"""

import re

from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit.management.key_groups import UNNAMED, KeyGrouping

PIECES = st.lists(st.sampled_from([None, None, "a", "b", "ab", ":", "."]), min_size=1, max_size=6)


def test_a_long_key() -> None:
    """A key of any length is looked at once by each template."""
    grouping = KeyGrouping()
    grouping.learn(["user:", None, ":", None, ":", None, ":profile"], "profile")
    grouping.learn(["user:", None], "user")
    many = "user:" + ":" * 100_000

    assert grouping.of(many) == "user"
    assert grouping.of(f"{many}profile") == "profile"


@given(PIECES, st.text("ab:.\n", max_size=8))
def test_it_fits_where_any_text_would_do(pieces: list[str | None], key: str) -> None:
    """A template fits a key if some texts in the place of its holes make that key."""
    grouping = KeyGrouping()
    grouping.learn(pieces, "template")
    fits = re.fullmatch("".join(".*" if piece is None else re.escape(piece) for piece in pieces), key, re.DOTALL)

    if any(pieces):
        assert (grouping.of(key) == "template") is (fits is not None)
    else:
        assert grouping.of(key).endswith(UNNAMED)
