"""Header fields, directives and addresses: read as they are meant, or so that the cache does less."""

import math
from collections.abc import Iterable
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit.integrations.http import directives, fields, keys
from aiocache_kit.integrations.http.directives import RequestControl, ResponseControl

NOW = 1_700_000_000.0
PATHS = st.text(st.sampled_from("/ab%2Fq?;=&|. 5c\u00e4"), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Tue, 14 Nov 2023 22:13:20 GMT", NOW),
        ("tue, 14 nov 2023 22:13:20 gmt", NOW),
        ("Tuesday, 14-Nov-23 22:13:20 GMT", NOW),
        ("Tue Nov 14 22:13:20 2023", NOW),
        ("Thu Jan  1 00:00:00 1970", 0.0),
        ("Friday, 01-Jan-99 00:00:00 GMT", 915_148_800.0),
        ("Tue, 14 Nov 2023 22:13:60 GMT", NOW + 40),
        *(
            (text, None)
            for text in ("", "0", "-1", "now", "Tue, 14 Nov 2023 22:13:20", "Tue, 14 Nov 2023 22:13:20 +0100")
        ),
        *((text, None) for text in ("Tue, 14 Nov 23 22:13:20 GMT", "Tue, 14  Nov 2023 22:13:20 GMT")),
        *(
            (text, None)
            for text in ("Tue, 14 Nov 2023 24:13:20 GMT", "Tue, 00 Nov 2023 22:13:20 GMT", " Tue, 14 Nov 2023")
        ),
    ],
)
def test_dates(text: str, seconds: float | None) -> None:
    """Each of the three forms is read, in any case; whatever else is none."""
    assert fields.instant(text, NOW) == seconds


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("a,b", ["a", "b"]),
        (" a , ,b\t,", ["a", "b"]),
        ('a="1,2", b', ['a="1,2"', "b"]),
        ('a="1\\",2", b', ['a="1\\",2"', "b"]),
        ('a="1,b', ['a="1', "b"]),
        ("", []),
    ],
)
def test_lists(text: str, members: list[str]) -> None:
    """Commas part members unless they stand in quotes, and quotes that are never closed are none."""
    assert fields.members(text) == members


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("60", 60),
        ("2147483648", 2**31),
        ("9" * 9999, 2**31),
        *((bad, None) for bad in ("", "-1", "1.0", " 1", "\u0661")),
    ],
)
def test_seconds(text: str, seconds: int | None) -> None:
    """Digits are seconds, up to a limit; nothing else is."""
    assert fields.seconds(text) == seconds


@given(
    st.lists(st.sampled_from(["no-store", "private", "max-age=1", 'x="a', "b,c", '"', "\\", "public", ",", "=", " "]))
)
def test_what_forbids_is_seen_wherever_it_stands(parts: list[str]) -> None:
    """A directive that stands for itself between commas counts, whatever surrounds it."""
    control = directives.of_response(",".join([*parts, "", "no-store"]))
    closed = '"' in ",".join(parts) and ",".join(parts).count('"') % 2 == 0

    assert control.no_store or closed


def test_what_a_response_says() -> None:
    """Every directive is read; arguments may stand in quotes, and the first of two counts."""
    text = 'Public, MAX-AGE="10", max-age=20, s-maxage=5, must-revalidate, no-cache="X-A, x-b", stale-if-error=z'

    assert directives.of_response(text) == ResponseControl(
        public=True, max_age=10, s_maxage=5, must_revalidate=True, withheld=("x-a", "x-b"), stale_if_error=0
    )


def test_what_a_request_says() -> None:
    """`max-stale` without seconds means however stale."""
    assert directives.of_request("max-stale, min-fresh=5") == RequestControl(max_stale=math.inf, min_fresh=5)
    assert directives.of_request("max-stale=x, max-age=x") == RequestControl(max_stale=0.0, max_age=0)


@given(PATHS, PATHS)
def test_two_paths_have_one_key_only_if_they_are_the_same(one: str, other: str) -> None:
    """Paths that an application can tell apart, decoded or as they came, have keys of their own."""
    first, second = (keys.path_of(unquote(raw), raw) for raw in (one, other))
    if unquote(one) != unquote(other) or {"/", "?"} & differing(one, other):
        assert (first != second) == (unquote(one) != unquote(other) or slashes(one) != slashes(other))


def differing(one: str, other: str) -> set[str]:
    return set(one) ^ set(other)


def slashes(raw: str) -> list[bool]:
    """Tell of each slash in the decoded path whether it came as one."""
    import re  # noqa: PLC0415  - of this function alone

    return [found == "/" for found in re.findall("/|%2[Ff]", raw)]


@given(st.lists(st.tuples(PATHS, PATHS, st.sampled_from(["a", "b.c", "b.c:8"])), min_size=2, max_size=2, unique=True))
def test_no_part_of_an_address_reaches_into_another(addresses: Iterable[tuple[str, str, str]]) -> None:
    """Keys hold two spaces' worth of parts at most, so that path, query and host cannot be taken for each other."""
    for path, query, host in addresses:
        plain = keys.query_of(query, ordered=False, ignored=frozenset())
        key = keys.key_of(keys.path_of(path, None), plain, "http", host, {})

        assert key.split(" ") == [f"{keys.path_of(path, None)}?{plain}", f"http://{host}"]
        assert "?" not in keys.path_of(path, None)


@pytest.mark.parametrize(
    ("host", "plain"),
    [
        ("Example.ORG", "example.org"),
        ("example.org:80", "example.org"),
        ("example.org:", "example.org"),
        ("example.org:8080", "example.org:8080"),
        ("[::1]:80", "[::1]"),
        *((bad, None) for bad in ("", "a b", "a/b", "a?b", "user@a", "a,b", "[::1", "a:port", "a\n")),
    ],
)
def test_hosts(host: str, plain: str | None) -> None:
    """A host is in small letters and without the port that goes without saying; whatever else is none."""
    assert keys.host_of(host, "http") == plain


def test_an_address_rewritten_on_its_way_is_another_one() -> None:
    """Where something between wire and application has changed the path, both count."""
    assert (
        len({keys.path_of("/a", "/a"), keys.path_of("/a", "/b"), keys.path_of("/b", "/a"), keys.path_of("/b", "/b")})
        == 4
    )
    assert keys.path_of("/x", "/m/x", "/m") == keys.path_of("/m/x", "/m/x") == "/m/x"


def test_queries() -> None:
    """Parameters are sorted by name alone, and dropped by name alone."""
    assert keys.query_of("b=2&a=1&b=1&c", ordered=True, ignored=frozenset("c")) == "a=1&b=2&b=1"
    assert keys.query_of("b=2&a=1", ordered=False, ignored=frozenset("x")) == "b=2&a=1"
    assert keys.query_of("a b", ordered=False, ignored=frozenset()) == "a%20b"
