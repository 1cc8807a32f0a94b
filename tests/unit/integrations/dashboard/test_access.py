"""Who may read and act: tokens, and where a request comes from."""

import hmac

import pytest

from aiocache_kit import InvalidArgumentError
from aiocache_kit.integrations.dashboard.access import HEADER, Access, is_of_another_origin

READ, ACT = "to-read-" * 2, "to-act-" * 3


def bearing(token: str, scheme: str = "Bearer") -> dict[str, str]:
    return {"authorization": f"{scheme} {token}"}


def test_without_tokens_all_read_and_nobody_acts() -> None:
    """No token configured means an open page that changes nothing, whatever is sent."""
    access = Access(None, None)

    assert access.may_read({})
    assert not access.protects_reading
    assert not access.has_actions
    assert not any(access.may_act(headers) for headers in ({}, bearing(""), bearing("None"), bearing(ACT)))


def test_read_token_lets_read_alone() -> None:
    """Whoever has the token to read may read, and may not act."""
    access = Access(READ, ACT)

    assert access.may_read(bearing(READ))
    assert not access.may_act(bearing(READ))


def test_action_token_lets_read_and_act() -> None:
    """Whoever may change the cache may look at it, too."""
    access = Access(READ, ACT)

    assert access.may_act(bearing(ACT, "bearer"))
    assert access.may_read(bearing(ACT))


@pytest.mark.parametrize(
    "headers",
    [{}, bearing(""), bearing(READ[:-1]), bearing(READ + "x"), bearing(READ, "Basic"), {"authorization": READ}],
)
def test_anything_else_is_refused(headers: dict[str, str]) -> None:
    """A token that is missing, cut, longer, or sent in another way opens nothing."""
    access = Access(READ, ACT)

    assert not access.may_read(headers)
    assert not access.may_act(headers)


def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a token is the right one is asked of `hmac.compare_digest`, of digests, and its answer is what counts."""
    lengths: list[int] = []

    def compare(one: bytes, other: bytes) -> bool:
        lengths.append(len(one) + len(other))
        return False

    access = Access(READ, ACT)
    monkeypatch.setattr(hmac, "compare_digest", compare)

    assert not access.may_act(bearing(ACT))
    assert not access.may_read(bearing("x" * 1000))
    assert set(lengths) == {64}


def test_header_of_its_own_comes_first() -> None:
    """Where ``Authorization`` is for a proxy in front, the token has a header of its own, and that alone counts."""
    access = Access(READ, ACT)

    assert access.may_act({"authorization": "Basic eDp5", HEADER: ACT})
    assert not access.may_act({**bearing(ACT), HEADER: "x" * 16})


@pytest.mark.parametrize(
    "token", ["", "x" * 15, b"x" * 16, 1234567890123456, True, "é" * 16, " " * 16, "x" * 16 + "\n"]
)
def test_short_tokens_are_refused(token: object) -> None:
    """A token that could be guessed is an error when the dashboard is made, and the message does not hold it."""
    for tokens in ((token, None), (None, token)):
        with pytest.raises(InvalidArgumentError, match="must be a str of at least 16 ASCII characters") as caught:
            Access(*tokens)  # pyright: ignore[reportArgumentType]  - that is what is tested

        assert token == "" or str(token) not in str(caught.value)


def test_tokens_must_differ() -> None:
    """One token for both would let every reader act."""
    with pytest.raises(InvalidArgumentError, match="must differ"):
        Access(READ, READ)


@pytest.mark.parametrize(
    ("headers", "is_foreign"),
    [
        ({}, False),
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"origin": "https://cache.example", "host": "cache.example"}, False),
        ({"origin": "http://cache.example:8080", "host": "Cache.example:8080"}, False),
        ({"origin": "https://evil.example", "host": "cache.example"}, True),
        ({"origin": "https://cache.example.evil.example", "host": "cache.example"}, True),
        ({"origin": "https://cache.example", "host": "cache.example:8080"}, True),
        ({"origin": "null", "host": ""}, True),
        ({"origin": "http://[", "host": "["}, True),
    ],
)
def test_other_origins_are_known(headers: dict[str, str], is_foreign: bool) -> None:  # noqa: FBT001  - a parameter of the test
    """What the browser says of where a request comes from is believed; what is no browser says nothing."""
    assert is_of_another_origin(headers) is is_foreign
