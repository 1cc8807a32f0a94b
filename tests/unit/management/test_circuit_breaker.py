from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.management.circuit_breaker import CircuitBreaker, CircuitState

PLAIN: dict[str, Any] = {"failures": 3, "wait": 1.0, "longest_wait": 8.0, "jitter": 0.0}
"""Opens after 3 failures, for 1 second at first and 8 at most, without chance."""


def breaker(**options: Any) -> CircuitBreaker:  # noqa: ANN401  - each of its own type
    """Make a plain breaker that differs in some options."""
    return CircuitBreaker(**(PLAIN | options))


def opened(**options: Any) -> CircuitBreaker:  # noqa: ANN401  - as above
    """Make one that has opened at 0."""
    made = breaker(**options)
    made.trip(0.0)
    return made


def test_a_closed_circuit_lets_everything_through() -> None:
    """A new circuit is closed, and nobody has to wait."""
    made = breaker()

    assert made.state(0.0) is CircuitState.CLOSED
    assert made.retry_after(0.0) == 0.0
    assert all(made.allows(0.0) for _ in range(100))
    assert repr(made) == "<CircuitBreaker closed, 0 failures in a row, opened 0 times>"


def test_failures_in_a_row_open_it() -> None:
    """The third failure in a row opens the circuit, and nobody may go then."""
    made = breaker()
    made.failed(0.0)
    made.failed(0.0)
    assert made.state(0.0) is CircuitState.CLOSED
    made.failed(0.0)

    assert made.state(0.5) is CircuitState.OPEN
    assert made.retry_after(0.25) == 0.75
    assert not made.allows(0.5)
    assert "open" in repr(made)


def test_a_success_begins_the_row_anew() -> None:
    """Failures count as a row only where nothing succeeds between them."""
    made = breaker()
    for _ in range(3):
        made.failed(0.0)
        made.failed(0.0)
        made.succeeded(0.0)

    assert made.state(0.0) is CircuitState.CLOSED


def test_a_share_of_failures_opens_it() -> None:
    """Half of the calls of the window failing opens it, though never two in a row do; too few calls do not."""
    made = breaker(ratio=0.5, calls=10, window=10.0)
    for second in range(9):
        (made.succeeded if second % 2 else made.failed)(float(second) / 10)
    assert made.state(1.0) is CircuitState.CLOSED
    made.failed(1.0)

    assert made.state(1.0) is CircuitState.OPEN


def test_old_calls_are_forgotten() -> None:
    """Failures older than the window no longer count."""
    made = breaker(failures=100, ratio=0.5, calls=4, window=10.0)
    for _ in range(3):
        made.failed(0.0)
    for second in range(20, 40):
        made.succeeded(float(second))
    made.failed(40.0)

    assert made.state(40.0) is CircuitState.CLOSED


def test_one_probe_at_a_time() -> None:
    """Once its wait is over one call may go, and the next one only when that one was heard of."""
    made = opened()

    assert made.state(1.0) is CircuitState.HALF_OPEN
    assert [made.allows(1.0) for _ in range(3)] == [True, False, False]
    assert made.retry_after(1.5) == 0.5


def test_a_probe_that_succeeds_closes_it() -> None:
    """A success of the probe lets everybody through again."""
    made = opened()
    assert made.allows(1.0)
    made.succeeded(1.1)

    assert made.state(1.1) is CircuitState.CLOSED
    assert made.allows(1.1)
    assert made.allows(1.1)


def test_a_probe_that_fails_opens_it_for_longer() -> None:
    """Each failed probe doubles the wait, up to the longest one."""
    made = opened()
    now, waits = 0.0, list[float]()
    for _ in range(5):
        waits.append(made.retry_after(now))
        now += waits[-1]
        assert made.allows(now)
        made.failed(now)

    assert waits == [1.0, 2.0, 4.0, 8.0, 8.0]
    assert made.openings == 6


def test_a_cancelled_probe_lets_the_next_one_in() -> None:
    """A probe that was cancelled changes nothing, but for making room for another."""
    made = opened()
    assert made.allows(1.0)
    made.abandoned(1.0)

    assert made.state(1.0) is CircuitState.HALF_OPEN
    assert made.allows(1.0)
    assert not made.allows(1.0)


def test_a_probe_that_is_lost_lets_the_next_one_in() -> None:
    """A probe of which nothing is heard for the time of the wait does not keep the circuit open for ever."""
    made = opened()
    assert made.allows(1.0)

    assert not made.allows(1.9)
    assert made.allows(2.0)


def test_late_answers_change_nothing_while_it_is_open() -> None:
    """Calls of before the opening that end while the circuit is open neither close it nor prolong its wait."""
    made = opened()
    made.succeeded(0.5)
    made.failed(0.5)
    made.abandoned(0.5)

    assert made.state(0.9) is CircuitState.OPEN
    assert made.state(1.0) is CircuitState.HALF_OPEN
    assert made.openings == 1


def test_what_comes_and_goes_is_asked_ever_more_seldom() -> None:
    """Opening soon after closing goes on with longer waits; after a long quiet time they are short again."""
    made = opened()
    made.succeeded(1.0)
    made.trip(2.0)
    assert made.retry_after(2.0) == 2.0
    made.succeeded(4.0)
    made.trip(5.0)
    assert made.retry_after(5.0) == 4.0
    made.succeeded(9.0)
    made.trip(17.0)
    assert made.retry_after(17.0) == 1.0
    made.succeeded(18.0)
    made.succeeded(26.0)
    made.trip(26.5)

    assert made.retry_after(26.5) == 1.0


@given(st.integers(), st.floats(0.0, 0.9))
def test_chance_stays_within_its_bounds(seed: int, jitter: float) -> None:
    """The wait is at most the share `jitter` away from what it would be, and a seed repeats it."""
    waits = {
        opened(jitter=jitter, random=Random(seed)).retry_after(0.0)  # noqa: S311  - a test
        for _ in range(2)
    }

    assert len(waits) == 1
    assert 1.0 - jitter <= waits.pop() <= 1.0 + jitter


@given(st.lists(st.tuples(st.sampled_from(["allows", "succeeded", "failed", "abandoned"]), st.floats(0.0, 5.0))))
def test_it_always_lets_somebody_in_again(calls: list[tuple[str, float]]) -> None:
    """Whatever happened, a call may go once the longest wait is over, and one only while the circuit is half open."""
    made, now = breaker(), 0.0
    for name, passed in calls:
        now += passed
        half = made.state(now) is CircuitState.HALF_OPEN
        went = getattr(made, name)(now)
        assert not (half and went and made.allows(now))

    assert made.allows(now + 16.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"failures": 0},
        {"calls": 0},
        {"ratio": 0.0},
        {"ratio": 1.5},
        {"window": 0.0},
        {"wait": 0.0},
        {"longest_wait": 0.5},
        {"jitter": 1.0},
    ],
    ids=str,
)
def test_wrong_bounds_are_refused(wrong: dict[str, Any]) -> None:
    """Bounds that make no sense are refused in words that name them."""
    with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
        breaker(**wrong)


def test_changes_of_state_are_told_once() -> None:
    """Whoever wants to know hears of each state that is another one than before, and of no other call."""
    told: list[CircuitState] = []
    breaker = CircuitBreaker(failures=2, wait=1.0, longest_wait=1.0, jitter=0.0)
    breaker.on_change = told.append
    breaker.succeeded(0.0)
    for now in (0.0, 0.1, 0.2):
        breaker.failed(now)
    assert told == [CircuitState.OPEN]
    assert breaker.allows(1.5)
    breaker.abandoned(1.5)
    assert breaker.allows(1.6)
    breaker.failed(1.7)
    assert breaker.allows(3.0)
    breaker.succeeded(3.0)

    assert told[1:] == [CircuitState.HALF_OPEN, CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED]


def test_who_knows_better_closes_the_circuit() -> None:
    """`restore` closes an open circuit at once, is told, and does nothing to a closed one."""
    told: list[CircuitState] = []
    breaker = CircuitBreaker(failures=1, wait=10.0)
    breaker.on_change = told.append
    breaker.restore(0.0)
    breaker.failed(1.0)
    assert not breaker.allows(1.5)
    breaker.restore(1.5)

    assert breaker.allows(1.5)
    assert told == [CircuitState.OPEN, CircuitState.CLOSED]
