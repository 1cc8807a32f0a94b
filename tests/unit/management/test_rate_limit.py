from datetime import timedelta
from typing import Any

import pytest

from aiocache_kit.errors import InvalidArgumentError, InvalidTTLError
from aiocache_kit.management.rate_limit import MICRO, Buckets, Level, Rate, check_whole, rate_of, take


def test_a_rate_is_counted_in_the_smallest_unit_that_is_exact() -> None:
    """A token and a microsecond's refill have no common divisor, so that all is as small as can be."""
    assert rate_of(100, 1, None) == Rate(burst=100, token=10_000, refill=1)
    assert rate_of(3, timedelta(seconds=1), 5) == Rate(burst=5, token=1_000_000, refill=3)
    assert rate_of(1_000_000, "1d", None) == Rate(burst=1_000_000, token=86_400, refill=1)
    assert rate_of(100, 1, 200).fill_time == 2 * MICRO
    assert rate_of(3, 1, 1).fill_time == 333_334


@pytest.mark.parametrize(
    ("rate", "per", "burst", "said"),
    [
        (0, 1, None, "rate must be a whole number from 1 up, not 0"),
        (1.5, 1, None, "rate must be a whole number"),
        (True, 1, None, "rate must be a whole number"),
        (1, 1, 0, "burst must be a whole number from 1 up"),
        (1, None, None, "per must be a time from a microsecond up, and not for ever"),
        (1, 1e-9, None, "per must be a time"),
        (999_999_937, "365d", None, "too large to be counted exactly"),
        (10**16, 1, None, "too large to be counted exactly"),
    ],
)
def test_what_cannot_be_a_rate_is_refused(rate: Any, per: Any, burst: Any, said: str) -> None:  # noqa: ANN401  - wrong on purpose
    """Each argument is named."""
    with pytest.raises(InvalidArgumentError, match=said):
        rate_of(rate, per, burst)


def test_a_time_that_is_none_is_refused() -> None:
    """`per` is a duration as everywhere."""
    with pytest.raises(InvalidTTLError):
        rate_of(1, "soon", None)


def test_a_bucket_is_full_at_first_and_refilled_evenly() -> None:
    """So many at once, then one each time that one has come back; not before, and at that instant."""
    rate = rate_of(2, 1, 3)
    level: Level | None = None
    for left in (2, 1, 0):
        made, level = take(rate, level, 0, 1, 0)
        assert (made.allowed, made.remaining) == (True, left)
    made, level = take(rate, level, 0, 1, 0)
    assert (made.allowed, made.retry_after, made.reset_after, made.limit) == (False, 0.5, 1.5, 3)

    made, level = take(rate, level, MICRO // 2 - 1, 1, 0)
    assert (made.allowed, made.retry_after) == (False, 1e-6)
    made, level = take(rate, level, MICRO // 2, 1, 0)
    assert made.allowed
    made, level = take(rate, level, 10 * MICRO, 3, 0)
    assert (made.allowed, made.remaining, made.window) == (True, 0, 1.5)


def test_a_third_of_a_second_thrice_is_a_second() -> None:
    """What does not go evenly into microseconds is counted exactly: no rounding adds up."""
    rate = rate_of(3, 1, 1)
    level: Level | None = None
    given, now = 0, 0
    while now <= 1000 * MICRO:
        made, level = take(rate, level, now, 1, 0)
        given += made.allowed
        now += 333_333  # a third of a microsecond short each time
    assert given <= 1 + 3 * 1000
    assert take(rate, Level(rate.room, 0), MICRO // 3, 1, 0)[0].allowed is False
    assert take(rate, Level(rate.room, 0), MICRO // 3 + 1, 1, 0)[0].allowed is True


def test_who_waits_has_a_time_of_his_own() -> None:
    """Those who are ready to wait are given times one after the other, and who is not ready for it gets none."""
    rate = rate_of(1, 1, 1)
    level: Level | None = None
    delays: list[float] = []
    for _ in range(4):
        made, level = take(rate, level, 0, 1, 3 * MICRO)
        delays.append(made.delay)
    assert delays == [0.0, 1.0, 2.0, 3.0]
    made, level = take(rate, level, 0, 1, 3 * MICRO)
    assert (made.allowed, made.retry_after, made.remaining) == (False, 4.0, 0)
    made, _ = take(rate, level, 4 * MICRO, 1, 0)
    assert made.allowed


def test_a_clock_that_goes_back_refills_nothing_for_a_while() -> None:
    """Nothing comes back until the clock is where it was, and after a long way back for a full refill at most."""
    rate = rate_of(1, 1, 2)
    spent = Level(2 * MICRO, 100 * MICRO)
    made, level = take(rate, spent, 99 * MICRO, 1, 0)
    assert (made.allowed, made.retry_after) == (False, 2.0)
    assert take(rate, level, 101 * MICRO, 1, 0)[0].allowed

    made, level = take(rate, spent, 0, 1, 0)
    assert (made.allowed, made.retry_after) == (False, 3.0)
    assert not take(rate, level, 3 * MICRO - 1, 1, 0)[0].allowed
    assert take(rate, level, 3 * MICRO, 1, 0)[0].allowed


def test_callers_are_bounded_and_the_one_away_for_longest_is_forgotten() -> None:
    """Beyond the bound the oldest goes; that it had not been refilled is counted, for whoever watches."""
    buckets = Buckets(rate_of(1, 1, 1), most=2)
    assert buckets.take("a", 0, 1, 0).allowed
    assert buckets.take("b", 0, 1, 0).allowed
    assert not buckets.take("a", 0, 1, 0).allowed
    assert buckets.take("c", 0, 1, 0).allowed
    assert (len(buckets), buckets.forgotten) == (2, 1)
    assert not buckets.take("a", 0, 1, 0).allowed
    assert buckets.take("b", 2 * MICRO, 1, 0).allowed
    assert (len(buckets), buckets.forgotten) == (2, 1)


def test_a_whole_number_is_given_back() -> None:
    """The check gives what it has checked, and knows other bounds than one."""
    assert check_whole("n", 0, least=0) == 0
    with pytest.raises(InvalidArgumentError, match="n must be a whole number from 2 up, not 1"):
        check_whole("n", 1, least=2)
