"""A tag of a response that is none was found out when the response was stored, or never."""

from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from aiocache_kit import InvalidTagError
from aiocache_kit.integrations import aiohttp_response_cache, asgi


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize(
    ("wrong", "told"),
    [(["a", "b"], "list: give each tag by itself"), (5, "int"), ("", "an empty one"), (None, "NoneType")],
)
@pytest.mark.parametrize("door", ["asgi", "aiohttp"])
def test_a_wrong_tag_is_told_at_once(door: str, wrong: Any, told: str, cached: bool) -> None:  # noqa: ANN401, FBT001  - of a test
    """Whether a cache is in front or not; the tags beside it are not taken either."""
    request: Any = {} if door == "asgi" else make_mocked_request("GET", "/")
    module: Any = asgi if door == "asgi" else aiohttp_response_cache
    if cached:
        request[module.TAGS] = []
    with pytest.raises(InvalidTagError, match=f"^a tag must be a non-empty str, not {told}$"):
        module.add_tags(request, "right", wrong)
    assert not request.get(module.TAGS)

    module.add_tags(
        request, *map(str, range(2000))
    )  # too many are no error: the response is not stored, and that is told
    assert len(request.get(module.TAGS, [])) == 2000 * cached
