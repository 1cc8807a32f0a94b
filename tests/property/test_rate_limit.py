"""Any sequence of asking and of a clock that goes on, back and on again, against what a limit promises.

The oracle keeps a log of what was given and when, and knows nothing of levels: in every stretch of time there may be no
more than a full bucket, and what that time refills.
"""

from fractions import Fraction
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit.management.rate_limit import MICRO, Buckets, Level, Rate, rate_of, take

rates = st.builds(
    rate_of,
    st.integers(1, 1000),
    st.sampled_from([0.001, 0.3, 1, 7, 60, "1h"]),
    st.one_of(st.none(), st.integers(1, 50)),
)


class Question(NamedTuple):
    """Somebody asks, some time after the one before."""

    after: float
    """In times of a full refill; negative where the clock goes back."""
    tokens: float
    """The share of a full bucket."""
    patience: float
    """In times of a full refill."""


forward = st.builds(
    Question, st.one_of(st.just(0.0), st.floats(0, 2)), st.floats(0, 1), st.one_of(st.just(0.0), st.floats(0, 3))
)
anyhow = st.builds(Question, st.floats(-3, 3), st.floats(0, 1), st.one_of(st.just(0.0), st.floats(0, 3)))


class Given(NamedTuple):
    """Tokens that somebody has, and from when on."""

    tokens: int
    at: int


def replay(rate: Rate, questions: list[Question]) -> tuple[list[Given], list[int]]:
    """Ask; give what was given, by a time that only goes on, and the readings of the clock."""
    level: Level | None = None
    clock, since, log, readings = 10**15, 0, list[Given](), list[int]()
    for question in questions:
        moved = int(question.after * rate.fill_time)
        clock, since = clock + moved, since + max(moved, 0)
        tokens = max(int(question.tokens * rate.burst), 1)
        made, level = take(rate, level, clock, tokens, int(question.patience * rate.fill_time))
        if made.allowed:
            log.append(Given(tokens, since + round(made.delay * MICRO)))
        readings.append(clock)
    return log, readings


def is_within(rate: Rate, log: list[Given], *, slack: int = 0) -> bool:
    """Whether in no stretch of time more was given than a full bucket, and what was refilled meanwhile.

    Times to wait are rounded up to microseconds, so that a stretch between two of them may be `slack` too short.
    """
    log = sorted(log, key=lambda each: each.at)
    for first, start in enumerate(log):
        total = 0
        for each in log[first:]:
            total += each.tokens
            if total > rate.burst + Fraction((each.at - start.at + slack) * rate.refill, rate.token):
                return False
    return True


@given(rates, st.lists(forward, max_size=30))
def test_no_stretch_of_time_has_more_than_the_limit(rate: Rate, questions: list[Question]) -> None:
    """Whoever asks how much and when, ready to wait or not, at once or at the edge of a window: never above it."""
    log, _ = replay(rate, questions)

    assert is_within(rate, log, slack=any(each.patience for each in questions))


@given(rates, st.lists(anyhow, max_size=30))
def test_a_clock_that_goes_back_gives_nothing_away(rate: Rate, questions: list[Question]) -> None:
    """However often the clock goes back, only the time in which it goes on refills."""
    log, _ = replay(rate, questions)
    waiters = [each for each in questions if each.patience]
    if not waiters:
        assert is_within(rate, log)
    total = sum(each.tokens for each in log)
    on = sum(max(int(each.after * rate.fill_time), 0) for each in questions[1:])
    overdrawn = max((int(each.patience * rate.fill_time) for each in questions), default=0)
    assert total <= rate.burst + Fraction((on + overdrawn) * rate.refill, rate.token)


@given(rates, st.lists(forward, max_size=20), st.floats(0, 1), st.integers(0, 10**9))
def test_who_is_refused_is_told_the_first_time_that_would_do(
    rate: Rate, questions: list[Question], share: float, later: int
) -> None:
    """At the time that `retry_after` says there are enough tokens, and a microsecond before there were not."""
    level: Level | None = None
    clock = 10**15
    for question in questions:
        clock += int(question.after * rate.fill_time)
        _, level = take(rate, level, clock, max(int(question.tokens * rate.burst), 1), 0)
    clock += later % rate.fill_time
    tokens = max(int(share * rate.burst), 1)
    made, level = take(rate, level, clock, tokens, 0)
    if not made.allowed:
        wait = round(made.retry_after * MICRO)
        assert take(rate, level, clock + wait, tokens, 0)[0].allowed
        assert not take(rate, level, clock + wait - 1, tokens, 0)[0].allowed
    full = round(made.reset_after * MICRO)
    assert take(rate, level, clock + full, rate.burst, 0)[0].allowed


@given(rates, st.lists(anyhow, max_size=20))
def test_nobody_is_shut_out_for_longer_than_a_full_refill(rate: Rate, questions: list[Question]) -> None:
    """Whatever the clock has done, and however far a bucket was overdrawn, it is full in a known time."""
    level: Level | None = None
    clock, most = 10**15, 0
    for question in questions:
        clock += int(question.after * rate.fill_time)
        patience = int(question.patience * rate.fill_time)
        _, level = take(rate, level, clock, 1, patience)
        most = max(most, patience)
    made, _ = take(rate, level, clock, rate.burst, 0)
    assert made.retry_after * MICRO <= 3 * rate.fill_time + most + 1


@given(rates, st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 0.3)), max_size=60))
def test_callers_have_buckets_of_their_own(rate: Rate, calls: list[tuple[str, float]]) -> None:
    """Of callers that are all kept, each is decided for as if it were alone."""
    buckets, alone = Buckets(rate, 6), dict[str, Level | None]()
    clock = 10**15
    for caller, after in calls:
        clock += int(after * rate.fill_time)
        expected, alone[caller] = take(rate, alone.get(caller), clock, 1, 0)
        assert buckets.take(caller, clock, 1, 0) == expected
    assert buckets.forgotten == 0
