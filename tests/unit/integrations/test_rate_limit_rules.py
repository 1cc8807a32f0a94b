import json

import pytest

from aiocache_kit import Provider, RateLimiter
from aiocache_kit.errors import InvalidArgumentError, StorageUnavailableError
from aiocache_kit.integrations.rate_limits.answers import Answers, Refusal
from aiocache_kit.integrations.rate_limits.clients import Clients
from aiocache_kit.management.rate_limit import Rate, RateDecision
from aiocache_kit.storage.agreements import SharedRates
from aiocache_kit.storage.null import NullStorage
from aiocache_kit.testing import FakeClock

NOBODY: tuple[str, ...] = ()
OURS = ("10.0.0.0/8", "2001:db8::1", "unix")


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "caller"),
    [
        (NOBODY, "203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        (NOBODY, "127.0.0.1", ["198.51.100.1"], "127.0.0.1"),
        (NOBODY, None, ["198.51.100.1"], "unix"),
        (OURS, "203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        (OURS, "10.0.0.1", [], "10.0.0.1"),
        (OURS, "10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        (OURS, None, ["203.0.113.7"], "203.0.113.7"),
        (OURS, "10.0.0.1", ["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        (OURS, "10.0.0.1", ["198.51.100.1", "203.0.113.7 , 10.0.0.2"], "203.0.113.7"),
        (OURS, "10.0.0.1", ["10.9.9.9, 10.0.0.2"], "10.9.9.9"),
        (OURS, "10.0.0.1", ["203.0.113.7, unknown"], "10.0.0.1"),
        (OURS, "10.0.0.1", ["203.0.113.7, <script>, 10.0.0.2"], "10.0.0.2"),
        (OURS, "10.0.0.1", [""], "10.0.0.1"),
        (OURS, "10.0.0.1", ["203.0.113.7:4711"], "203.0.113.7"),
        (OURS, "10.0.0.1", ["[2001:db8:1:2:3::4]:4711"], "2001:db8:1:2::/64"),
        (OURS, "2001:db8::1", ["203.0.113.7"], "203.0.113.7"),
        (NOBODY, "2001:db8:1:2:aaaa::1", [], "2001:db8:1:2::/64"),
        (NOBODY, "2001:db8:1:2:bbbb::9", [], "2001:db8:1:2::/64"),
        (NOBODY, "fe80::1%eth0", [], "fe80::/64"),
        (NOBODY, "::ffff:203.0.113.7", [], "203.0.113.7"),
        (OURS, "::ffff:10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        (NOBODY, "testclient", [], "testclient"),
        (OURS, "10.0.0.1", [", ".join(["203.0.113.9"] + ["10.0.0.2"] * 500)], "10.0.0.2"),
    ],
)
def test_a_caller_is_who_trusted_proxies_say(
    trusted: tuple[str, ...], peer: str | None, forwarded: list[str], caller: str
) -> None:
    """A header counts only as far as trusted proxies wrote it, and of IPv6 the network does."""
    assert Clients(trusted).caller(peer, forwarded) == caller


@pytest.mark.parametrize("given", ["10.0.0.1", ["proxy.local"], ["10.0.0.1/33"], [None], [""], ["*"]])
def test_what_is_no_proxy_is_refused(given: list[str]) -> None:
    """Names and stars are no addresses."""
    with pytest.raises(InvalidArgumentError, match="trusted_proxies must be"):
        Clients(given)


async def test_what_a_client_is_told() -> None:
    """The fields are of the draft's form, and seconds are rounded up."""
    clock = FakeClock()
    answers = Answers(RateLimiter(2, per=3, burst=4, clock=clock), 'a "b\\')
    made = await answers.ask("x")
    assert isinstance(made, RateDecision)
    name = r'"a \"b\\"'
    assert answers.fields(made) == [("RateLimit-Policy", f"{name};q=4;w=6"), ("RateLimit", f"{name};r=3;t=2")]
    for _ in range(3):
        await answers.ask("x")
    refused = await answers.ask("x")
    assert isinstance(refused, Refusal)
    assert refused.status == 429
    assert dict(refused.headers) == {
        "Content-Type": "application/problem+json",
        "Cache-Control": "no-store",
        "Retry-After": "2",
        "RateLimit-Policy": f"{name};q=4;w=6",
        "RateLimit": f"{name};r=0;t=6",
        "Content-Length": str(len(refused.body)),
    }
    assert json.loads(refused.body) == {
        "title": "Too many requests",
        "status": 429,
        "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
        "violated-policies": ['a "b\\'],
    }


async def test_a_limit_that_fails_closed_is_an_answer_of_its_own() -> None:
    """Where the storage is away and nobody is to pass, clients are told that it is not their fault."""

    class Away(SharedRates):
        async def take(self, name: str, rate: Rate, tokens: int, patience: int) -> RateDecision:
            del name, rate, tokens, patience
            raise StorageUnavailableError("away")

    storage = NullStorage()
    storage.rates = Away()
    async with Provider(storage) as cache:
        refused = await Answers(cache.rate_limiter("x", 1, on_unavailable="raise"), "x").ask("a")
        assert isinstance(refused, Refusal)
        assert refused.status == 503
        assert "Retry-After" not in dict(refused.headers)


@pytest.mark.parametrize("name", ["", "a\nb", "ü", "x" * 65])
def test_a_name_that_cannot_be_told_is_refused(name: str) -> None:
    """What goes into a field is printable ASCII."""
    with pytest.raises(InvalidArgumentError, match="name must be 1 to 64 printable"):
        Answers(RateLimiter(1), name)


def test_what_is_no_limiter_is_refused() -> None:
    """A provider, or its configuration, is no limiter."""
    with pytest.raises(InvalidArgumentError, match=r"limiter must be a RateLimiter, or what .* gives, not int"):
        Answers(5, "x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  - what is tested
