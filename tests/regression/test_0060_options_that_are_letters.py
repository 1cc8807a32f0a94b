"""One header given as a text was taken for a set of letters, and no request was personal any more."""

from typing import Any

import pytest

from aiocache_kit import Config, InvalidArgumentError, new_provider
from aiocache_kit.integrations.http import ResponseCache, ResponseCacheOptions

FLAGS = ("trust_forwarded", "sort_query", "client_control", "etag", "x_cache", "expose_tags")
WRONG: dict[str, list[object]] = {
    "personal_headers": [None, 5, b"x", ["X-Api-Key "], [""], ["x:y"], [b"x"], [None], ["ü"]],
    "ignore_query": [None, 5, b"page", [""], ["a=b"], ["a b"], ["ü"], [b"page"], [1]],
    "allowed_hosts": [5, b"x", ["https://example.org"], ["*.example.org"], ["a b"], [""], [5]],
    "statuses": [None, 200, "200", ["200"], [99], [600], [True], [200.0], [[]]],
    "heuristic_ratio": ["x", True, None, -0.1, float("nan")],
    "cache_status": [5, b"x", True],
    **{flag: ["no", 1, None] for flag in FLAGS},
}


@pytest.mark.parametrize("option", ["personal_headers", "ignore_query", "allowed_hosts"])
def test_a_text_is_no_collection(option: str) -> None:
    """The option is named, and what to do about it."""
    options: dict[str, Any] = {option: "x-api-key"}
    with pytest.raises(
        InvalidArgumentError, match=rf"^{option} must be a collection of .*, not str: put it into a list$"
    ):
        ResponseCacheOptions(**options)


@pytest.mark.parametrize(("option", "wrong"), [(option, each) for option, wrong in WRONG.items() for each in wrong])
def test_what_can_never_be_meant(option: str, wrong: object) -> None:
    """Whatever is wrong about an option is told by an error of ours that names it."""
    options: dict[str, Any] = {option: wrong}
    with pytest.raises(InvalidArgumentError, match=rf"^{option} "):
        ResponseCacheOptions(**options)


def test_any_collection_will_do() -> None:
    """What is right is brought into the form that requests are compared with."""
    options = ResponseCacheOptions(
        personal_headers={"X-Api-Key"},
        ignore_query=("utm_source", "a%20b", "a[]"),
        allowed_hosts=["Example.org", "example.org:8080", "[::1]:80", "localhost"],
        statuses=range(200, 203),
    )
    assert options.personal == {b"x-api-key"}
    assert options.ignored == {"utm_source", "a%20b", "a[]"}
    hosts: object = options.hosts
    assert hosts == {"example.org", "example.org:8080", "[::1]:80", "localhost"}
    assert options.statuses == {200, 201, 202}
    assert ResponseCacheOptions(personal_headers=[], allowed_hosts=[]).hosts == frozenset[str]()


@pytest.mark.parametrize("wrong", [{}, {"default_ttl": 1}, "1m", ResponseCacheOptions])
def test_options_that_are_none(wrong: Any) -> None:  # noqa: ANN401  - what callers without types hand over
    """A mapping in the place of the options is refused, an empty one, too."""
    with pytest.raises(InvalidArgumentError, match=r"^options must be ResponseCacheOptions"):
        ResponseCache(new_provider(Config()), wrong)
