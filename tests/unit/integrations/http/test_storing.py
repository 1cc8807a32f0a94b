"""Stored forms, validators, `Cache-Status`, options, and what is remembered of refusals."""

import json
from typing import Any

import http_sf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit import InvalidArgumentError, InvalidTTLError
from aiocache_kit.integrations.http import ResponseCacheOptions, status, stored, unshared, validation, vary
from aiocache_kit.integrations.http.asked import Asked
from aiocache_kit.integrations.http.status import Told
from aiocache_kit.integrations.http.stored import Stored

TOKENS = st.text("abcxyz-", min_size=1, max_size=5).map(str.encode)
VALUES = st.binary(max_size=8).filter(lambda value: not set(value) & {10, 13})


@given(st.lists(st.tuples(TOKENS, VALUES), max_size=4), st.binary(max_size=40), st.booleans())
def test_a_response_comes_back_as_it_was(headers: list[tuple[bytes, bytes]], body: bytes, leaves: bool) -> None:  # noqa: FBT001  - drawn
    """Headers of any bytes but line ends, and a body of any, survive JSON, in the form that leaves and in the other."""
    block = stored.block_of(headers)
    assert block is not None
    made = Stored(200, block, *stored.text_of(body, leaves=leaves), 1.0, 60.0, 0.0, 0.0, 0, ["a"])
    found = stored.unpacked(json.loads(json.dumps(made.packed())))

    assert found is not None
    assert (found.headers, found.body, found) == (headers, body, made)


@pytest.mark.parametrize("bad", [b"a\nb", b"a\rb", b"a\r\nset-cookie: x"])
def test_a_header_with_a_line_end_is_not_stored(bad: bytes) -> None:
    """Nobody smuggles a header in by the value of another."""
    assert stored.block_of([(b"x-a", bad)]) is None


@given(st.lists(st.none() | st.text(max_size=3) | st.integers() | st.floats() | st.just([]), max_size=11) | st.text())
def test_nothing_else_is_taken_for_a_response(value: object) -> None:
    """What somebody else has written is neither a response nor an index, whatever it is."""
    assert stored.unpacked(value) is None
    assert vary.unpacked(value) is None


@pytest.mark.parametrize("place", range(1, 11))
@pytest.mark.parametrize("wrong", [None, [1], {}, 1.5, True])
def test_a_response_with_one_wrong_part_is_none(place: int, wrong: object) -> None:
    """Each part is looked at."""
    made: list[object] = Stored(200, "a\nb", "text", "body", 1.0, 1.0, 1.0, 1.0, 0, []).packed()
    if type(wrong) is not type(made[place]):
        made[place] = wrong

        assert stored.unpacked(made) is None


@pytest.mark.parametrize("place", range(1, 4))
@pytest.mark.parametrize("wrong", [None, 1, {}, [1], ["a", None], [["a"]]])
def test_an_index_with_one_wrong_part_is_none(place: int, wrong: object) -> None:
    """Each part is looked at, and each name: what is none would be asked for as the name of a header."""
    made: list[object] = vary.Index("identity", ("accept",), ("variant",)).packed()
    assert vary.unpacked(made) is not None
    made[place] = wrong

    assert vary.unpacked(made) is None


@given(st.lists(st.tuples(TOKENS, VALUES), min_size=1, max_size=4))
def test_a_variant_is_what_was_said(headers: list[tuple[bytes, bytes]]) -> None:
    """Requests that differ in a field that counts ask for different variants, and in one that does not for the same."""
    name = headers[0][0].decode()
    other = [*headers, (b"unseen", b"1")]
    more = [*headers, (name.encode(), b"more")]

    assert vary.digest([name], headers) == vary.digest([name], other)
    assert vary.digest([name], headers) != vary.digest([name], more)
    assert vary.digest([name], []) != vary.digest([name], [(name.encode(), b"")])


@given(st.binary(max_size=9), st.binary(max_size=9), st.sampled_from([b"", b"gzip"]), st.sampled_from([b"", b"gzip"]))
def test_two_bodies_have_one_validator_only_if_they_are_equal(
    one: bytes, other: bytes, coded: bytes, too: bytes
) -> None:
    """Body and coding are told apart, and the validator is a strong one."""
    first = validation.make_etag([(b"content-encoding", coded)], one)
    second = validation.make_etag([(b"content-encoding", too)], other)

    assert (first == second) == ((one, coded) == (other, too))
    assert validation.is_strong(first.decode())


@given(
    st.builds(
        Told,
        st.sampled_from([None, "uri-miss", "stale", "bypass"]),
        st.none() | st.integers(-(2**31), 2**31),
        st.booleans(),
        st.booleans(),
        st.none() | st.integers(100, 599),
        st.none() | st.sampled_from(["private", "no-store", "set-cookie"]),
    )
)
def test_cache_status_is_a_structured_field(told: Told) -> None:
    """An independent reader finds one member with the parameters of RFC 9211."""
    ((_, line),) = status.lines("aiocache_kit", told, x_cache=False)
    parsed: Any = http_sf.parse(line, tltype="list")
    ((name, parameters),) = parsed

    assert str(name) == "aiocache_kit"
    assert parameters.get("hit", False) == (told.forwarded is None)
    assert [parameters.get(key) for key in ("ttl", "fwd-status")] == [told.ttl, told.status]
    assert (parameters.get("stored", False), parameters.get("collapsed", False)) == (told.stored, told.collapsed)
    assert [str(parameters.get(key)) for key in ("fwd", "detail")] == [str(told.forwarded), str(told.detail)]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"default_ttl": -1}, InvalidTTLError),
        ({"keep_stale": "soon"}, InvalidTTLError),
        ({"wait_timeout": True}, InvalidTTLError),
        ({"max_body": 0}, InvalidArgumentError),
        ({"max_variants": 1.5}, InvalidArgumentError),
        ({"max_background": True}, InvalidArgumentError),
        ({"heuristic_ratio": 2}, InvalidArgumentError),
        ({"cache_status": "two words"}, InvalidArgumentError),
        ({"cache_status": "line\n"}, InvalidArgumentError),
        ({"cache_status": ""}, InvalidArgumentError),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], error: type[Exception]) -> None:
    """Each is named by an error of ours."""
    with pytest.raises(error):
        ResponseCacheOptions(**options)


def test_options_are_brought_into_one_form() -> None:
    """Durations are seconds, zero and None mean none, and what can never be stored is left out."""
    options = ResponseCacheOptions(default_ttl="1m", keep_stale=None, wait_timeout=0, statuses={200, 206, 304})

    assert [options.life(name) for name in ("default_ttl", "keep_stale", "wait_timeout")] == [60.0, 0.0, 0.0]
    assert options.statuses == {200}


def test_what_is_remembered_of_refusals_is_bounded() -> None:
    """The oldest goes; time, a response that is for all, and a passing reason leave nothing."""
    known = unshared.Unshared(10.0)

    def asked(number: int) -> Asked:
        return Asked("GET", [], str(number), None)

    for number in range(unshared.MOST + 5):
        known.note(asked(number), "private", 0.0)
    known.note(asked(-1), "status", 0.0)

    assert len(known) == unshared.MOST
    assert [known.knows(asked(number), 9.0) for number in (0, 5, -1)] == [False, True, False]
    assert not known.knows(asked(5), 10.0)
    known.forget(asked(6))
    assert not known.knows(asked(6), 0.0)
