"""The pictures in the docs show what the command line shows; ``--write-pictures`` writes them."""

import pytest

from tests.unit.cli.pictures import FOLDER, PICTURES, drawn, words


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_shows_what_is_shown_now(name: str, pytestconfig: pytest.Config) -> None:
    """If not, look at what has changed, and have them written anew."""
    if pytestconfig.getoption("--write-pictures"):
        (FOLDER / f"{name}.svg").write_text(drawn(name), "utf-8")
    kept = (FOLDER / f"{name}.svg").read_text("utf-8")

    assert words(kept) == words(drawn(name))
    assert drawn(name) == drawn(name)
    assert "url(" not in kept.replace("url(#", "")
