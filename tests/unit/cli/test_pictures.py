"""The pictures in the docs show what the command line shows."""

import pytest

from tests.unit.cli.pictures import FOLDER, PICTURES, drawn, words


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_shows_what_is_shown_now(name: str) -> None:
    """If not, look at what has changed, and write them anew: python -m tests.unit.cli.pictures."""
    kept = (FOLDER / f"{name}.svg").read_text("utf-8")

    assert words(kept) == words(drawn(name))
    assert drawn(name) == drawn(name)
    assert "url(" not in kept.replace("url(#", "")
