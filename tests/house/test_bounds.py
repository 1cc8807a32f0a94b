"""The oldest packages that are allowed, which somebody has to have tried."""

import json

from tests.oldest import NOTED, bounds


def test_the_oldest_versions_allowed_were_tried() -> None:
    """Each lower bound is one that the tests were run with; after a change of one, run `python -m tests.oldest`."""
    assert json.loads(NOTED.read_text("utf-8")) == bounds()
