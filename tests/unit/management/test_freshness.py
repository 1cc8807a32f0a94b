import math
import weakref
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit.errors import InvalidArgumentError, LoadFailedError, LoadTimeoutError
from aiocache_kit.item import Item
from aiocache_kit.management.freshness import OF_FRESHNESS, Freshness, FreshnessOptions, checked, judge

PLAIN = Freshness()
BOTH = Freshness(stale_while_revalidate=50.0, stale_if_error=500.0, refresh_ahead=0.8)
FRACTION = st.floats(0.0, 1.0, exclude_max=True)


def item(*, ttl: float | None = 100.0, is_stale: bool = False) -> Item[object]:
    """An item that was written at 0."""
    return Item(key="k", value="v", ttl=ttl, expiration=ttl, is_stale=is_stale)


def verdict(policy: Freshness, it: Item[object] | None, now: float, load_time: float = 0.0, draw: float = 1.0) -> str:
    return judge(policy, it, now, load_time=load_time, draw=draw).value


@pytest.mark.parametrize(
    ("policy", "now", "expected"),
    [
        (PLAIN, 99.9, "fresh"),
        (PLAIN, 100.0, "gone"),
        (PLAIN, 1e9, "gone"),
        (BOTH, 0.0, "fresh"),
        (BOTH, 79.9, "fresh"),
        (BOTH, 80.1, "ageing"),
        (BOTH, 100.0, "stale"),
        (BOTH, 149.9, "stale"),
        (BOTH, 150.0, "fallback"),
        (BOTH, 599.9, "fallback"),
        (BOTH, 600.0, "gone"),
        (Freshness(stale_while_revalidate=50.0), 150.0, "gone"),
        (Freshness(stale_if_error=50.0), 100.0, "fallback"),
        (Freshness(stale_if_error=math.inf), 1e12, "fallback"),
        (Freshness(stale_while_revalidate=math.inf), 1e12, "stale"),
    ],
)
def test_what_becomes_of_a_value(policy: Freshness, now: float, expected: str) -> None:
    """A value is fresh, ages, is old, is only a fall-back, and is gone, each in its time."""
    assert verdict(policy, item(is_stale=now >= 100.0), now) == expected


def test_a_clock_that_was_set_back_makes_nothing_fresh() -> None:
    """What was over when it was looked at is over, though the wall clock says that it is not."""
    assert verdict(PLAIN, item(is_stale=True), 50.0) == "gone"
    assert verdict(BOTH, item(is_stale=True), 50.0) == "stale"


def test_nothing_is_gone() -> None:
    """Where there is no item, there is nothing to give."""
    assert verdict(BOTH, None, 0.0) == "gone"


def test_what_has_no_end_never_ages() -> None:
    """An item without a ttl is fresh, whatever the policy is."""
    assert verdict(BOTH._replace(early_beta=1e9), item(ttl=None), 1e12, load_time=1e9, draw=1e-9) == "fresh"


@pytest.mark.parametrize("policy", [PLAIN, BOTH, Freshness(stale_while_revalidate=math.inf)])
@given(now=st.floats(0.0, 1000.0))
def test_what_was_ended_by_hand_is_no_more_than_a_fall_back(policy: Freshness, now: float) -> None:
    """Rule 2: an item with a ttl of zero is never given at once."""
    ended: Item[object] = Item(key="k", value="v", ttl=0.0, expiration=0.0, is_stale=True)

    assert verdict(policy, ended, now) == ("fallback" if now < policy.stale_if_error else "gone")


def test_chance_grows_towards_the_end() -> None:
    """XFetch: loads that take longer begin sooner, and nearly none begins long before the end."""
    draw = Random(1)  # noqa: S311  - repeatable

    def share(now: float, load_time: float, beta: float = 1.0) -> float:
        policy = Freshness(early_beta=beta)
        found = [verdict(policy, item(), now, load_time, 1.0 - draw.random()) for _ in range(2000)]
        return found.count("ageing") / 2000

    assert share(10.0, 1.0) == 0.0
    assert share(99.0, 1.0) == pytest.approx(math.exp(-1.0), abs=0.05)
    assert share(99.0, 10.0) == pytest.approx(math.exp(-0.1), abs=0.05)
    assert share(99.0, 1.0, beta=2.0) == pytest.approx(math.exp(-0.5), abs=0.05)
    assert share(99.0, 1.0, beta=0.0) == 0.0


def test_jitter_spreads_the_ends() -> None:
    """Ten thousand ends with one ttl lie in every second of the jitter, and none holds more than a twentieth."""
    policy, draw = Freshness(jitter=0.1), Random(1)  # noqa: S311  - repeatable
    lives = [policy.spread(600.0, draw.random()) for _ in range(10_000)]
    ticks = [math.ceil(life) for life in lives]

    assert min(lives) > 540.0
    assert max(lives) <= 600.0
    assert len(set(ticks)) >= 60
    assert max(map(ticks.count, set(ticks))) < 500
    assert policy.spread(math.inf, 0.5) == math.inf
    assert PLAIN.spread(600.0, 0.5) == 600.0


@given(jitter=FRACTION, life=st.floats(1e-6, 1e9), draw=FRACTION)
def test_jitter_never_prolongs(jitter: float, life: float, draw: float) -> None:
    """A life is shortened by at most its share, and stays one."""
    assert 0.0 < Freshness(jitter=jitter).spread(life, draw) <= life


def test_what_a_failure_is() -> None:
    """Errors are chosen by class or by a function; giving up and taking too long are failures in any case."""

    def is_lookup(error: Exception) -> bool:
        return isinstance(error, LookupError)

    for policy in (
        Freshness(stale_on=LookupError),
        Freshness(stale_on=(LookupError, OSError)),
        Freshness(stale_on=is_lookup),
    ):
        assert policy.is_failure(KeyError())
        assert not policy.is_failure(ValueError())
        assert policy.is_failure(LoadTimeoutError())
        assert policy.is_failure(LoadFailedError("x"))
    assert PLAIN.is_failure(ValueError())


def test_the_nearest_wins() -> None:
    """Options take the place of what was there, one by one."""
    configured = checked({"stale_if_error": "1h", "jitter": 0.1}, PLAIN)

    assert checked({}, configured) is configured
    assert checked({"tags": ("t",)}, configured) is configured
    assert checked({"stale_if_error": 0, "refresh_ahead": 0.5}, configured) == Freshness(jitter=0.1, refresh_ahead=0.5)
    assert checked({"throttle": None}, configured).throttle == math.inf


def test_every_option_is_known() -> None:
    """What may be said, what is checked and what is held are the same."""
    assert set(FreshnessOptions.__annotations__) == set(Freshness._fields) == OF_FRESHNESS


def test_what_a_policy_needs() -> None:
    """A policy knows whether fresh values must be looked at, and whether old ones are of use."""
    for policy, looks_ahead, keeps_old in (
        (PLAIN, False, False),
        (Freshness(jitter=0.5, timeout=1.0, negative_ttl=5.0), False, False),
        (Freshness(refresh_ahead=0.5), True, True),
        (Freshness(early_beta=1.0), True, True),
        (Freshness(stale_if_error=1.0), False, True),
        (Freshness(stale_while_revalidate=1.0), False, True),
    ):
        assert (policy.looks_ahead, policy.keeps_old) == (looks_ahead, keeps_old)


@pytest.mark.parametrize("value", [-1, "x", True, float("nan"), []])
def test_a_wrong_duration_says_which(value: object) -> None:
    """The message names the option and says what it may be, and shows no value."""
    with pytest.raises(InvalidArgumentError, match=r"^timeout must be seconds from 0 up, a timedelta, text such as"):
        checked({"timeout": value}, PLAIN)


def test_what_was_checked_once_is_checked_again_where_it_differs() -> None:
    """That a policy is known lets no value pass that only equals one of it, and none that cannot be hashed."""
    for _ in range(2):
        assert checked({"timeout": 1, "jitter": 0, "cache_none": True}, PLAIN).timeout == 1.0
        wrongs: list[dict[str, object]] = [{"timeout": True}, {"jitter": False}, {"cache_none": 1}, {"timeout": [1]}]
        for wrong in wrongs:
            with pytest.raises(InvalidArgumentError):
                checked({"timeout": 1, "jitter": 0, "cache_none": True, **wrong}, PLAIN)
    assert checked({"timeout": 1}, BOTH).refresh_ahead == 0.8


def test_no_function_is_kept_for_its_policy() -> None:
    """What decides of errors may be made for each call: it is not kept when the call is over."""

    class Decides:
        def __call__(self, error: Exception) -> bool:
            return bool(error.args)

    decides = Decides()
    assert checked({"timeout": 1, "stale_on": decides}, PLAIN).stale_on is decides
    gone = weakref.ref(decides)
    del decides
    assert gone() is None
