import math
from datetime import timedelta
from fractions import Fraction
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aiocache_kit.errors import InvalidTTLError
from aiocache_kit.management.eviction.policy import NIL
from aiocache_kit.management.expiration import ExpiryBuckets, life_of, ttl_of

ALLOWED = 'a positive number of seconds, a timedelta, text such as "1h30m", or None for never'


class Seconds(float):
    pass


@pytest.mark.parametrize(
    ("ttl", "life"),
    [
        (None, math.inf),
        (1, 1.0),
        (0.001, 0.001),
        (5e-324, 5e-324),
        (10**15, 1e15),
        (1.7e308, 1.7e308),
        (Seconds(2.5), 2.5),
        (timedelta(minutes=1, milliseconds=500), 60.5),
        (timedelta(microseconds=1), 1e-6),
        ("30", 30.0),
        ("0.5", 0.5),
        ("250ms", 0.25),
        ("45s", 45.0),
        ("1h30m", 5400.0),
        (" 1H 30M ", 5400.0),
        ("1.5h", 5400.0),
        ("2d", 172_800.0),
        ("1w", 604_800.0),
        ("1w2d3h4m5s6ms", 788_645.006),
        ("1m1m", 120.0),
        ("1ms1m", 60.001),
        ("30m1h", 5400.0),
    ],
)
def test_what_a_ttl_may_be(ttl: object, life: float) -> None:
    """Seconds, a `timedelta`, text with units in any order and case, or None for ever."""
    assert life_of(ttl) == pytest.approx(life)


@pytest.mark.parametrize(
    "ttl",
    [
        0,
        0.0,
        -0.0,
        -1,
        -1e-9,
        math.nan,
        math.inf,
        -math.inf,
        True,
        False,
        10**400,
        -(10**5000),
        timedelta(0),
        timedelta(seconds=-1),
        "",
        "   ",
        "0",
        "0s",
        "0h0m",
        "-5",
        "-5s",
        "+5",
        "5 parsecs",
        "h",
        "1h30",
        "1,5h",
        ".5s",
        "5.s",
        "1e3",
        "nan",
        "inf",
        "never",
        "9" * 400,
        "PT1H",
        "1h\0",
    ],
    ids=lambda ttl: repr(ttl)[:12] if not isinstance(ttl, int) or abs(ttl) < 10**9 else "huge",
)
def test_what_a_ttl_may_not_be(ttl: object) -> None:
    """Whatever is not positive and finite, or text of no known form, is refused with what is allowed."""
    with pytest.raises(InvalidTTLError) as caught:
        life_of(ttl)
    assert str(caught.value).startswith(f"ttl must be {ALLOWED}, not ")


@pytest.mark.parametrize(
    "ttl", [[], {}, b"5", 5j, object(), Fraction(1, 2), life_of], ids=lambda ttl: type(ttl).__name__
)
def test_other_types_are_named(ttl: object) -> None:
    """What is of no allowed type is named by its type alone."""
    with pytest.raises(InvalidTTLError) as caught:
        life_of(ttl)
    assert str(caught.value) == f"ttl must be {ALLOWED}, not {type(ttl).__name__}"


@given(st.floats(min_value=0, exclude_min=True, allow_infinity=False, allow_nan=False))
def test_seconds_are_themselves(seconds: float) -> None:
    """Each positive finite number is a life of that many seconds, and comes back as the ttl to show."""
    assert ttl_of(life_of(seconds)) == seconds


@given(st.text(max_size=8) | st.text("0123456789.hms wd-", max_size=8))
def test_no_text_gives_anything_else(text: str) -> None:
    """Any text is a positive finite life or an `InvalidTTLError`, and nothing else happens."""
    try:
        life = life_of(text)
    except InvalidTTLError:
        return
    assert 0.0 < life < math.inf


def test_no_ttl_is_shown_as_none() -> None:
    """The life of what never ends is shown as None."""
    assert ttl_of(math.inf) is None
    assert ttl_of(5.0) == 5.0


# --- buckets ----------------------------------------------------------------------------------------------------------


def buckets_with(slots: int, now: float = 0.0) -> ExpiryBuckets:
    buckets = ExpiryBuckets(now)
    for _ in range(slots):
        buckets.add_slot()
    return buckets


def all_due(buckets: ExpiryBuckets, now: float) -> list[int]:
    found: list[int] = []
    while (slot := buckets.next_due(now)) != NIL:
        found.append(slot)
    return found


def all_due_of(due: dict[int, float], buckets: ExpiryBuckets, now: float) -> list[int]:
    """Give all slots whose seconds in `due` are over, and put those that were found early in again."""
    found: list[int] = []
    while (slot := buckets.next_due(now)) != NIL:
        if due[slot] > now:
            buckets.schedule(slot, due[slot] - 1.0)
        else:
            found.append(slot)
    return found


@pytest.mark.parametrize("deadline", [1000.0, 1000.1, 1000.999, 1001.0, 2.0**31 - 3.5])
def test_found_within_a_second_of_its_end(deadline: float) -> None:
    """A slot whose deadline is near is found never before it, and a second after it at the latest."""
    buckets = buckets_with(1, deadline - 999.0)
    buckets.schedule(0, deadline)

    assert all_due(buckets, math.nextafter(deadline, 0.0)) == []
    assert all_due(buckets, deadline + 1.0) == [0]
    assert all_due(buckets, math.inf) == []


@pytest.mark.parametrize("deadline", [2.0**31, 2.0**31 + 5, 2.0**40, 1e300, 1.7e308])
def test_far_deadlines_are_kept(deadline: float) -> None:
    """What ends after more than 2**31 seconds is held, found no earlier than 68 years from the zero of the clock."""
    buckets = buckets_with(1, 2.0**31 - 1000.0)
    buckets.schedule(0, deadline)

    assert all_due(buckets, 2.0**31 - 3.0) == []
    assert all_due(buckets, 2.0**31) == [0]


def test_what_never_ends_is_in_no_bucket() -> None:
    """Infinity asks for nothing."""
    buckets = buckets_with(1)
    buckets.schedule(0, math.inf)

    assert all_due(buckets, math.inf) == []


def test_a_deadline_that_moves_away_leaves_the_slot() -> None:
    """A later deadline costs nothing, and whoever finds the slot early puts it in again; a nearer one moves it."""
    buckets = buckets_with(2)
    buckets.schedule(0, 10.0)
    buckets.schedule(0, 50.0)
    assert all_due(buckets, 11.0) == [0]
    buckets.schedule(0, 50.0)
    buckets.schedule(0, 20.0)

    assert all_due(buckets, 21.0) == [0]
    assert all_due(buckets, 100.0) == []


def test_removing_what_is_in_no_bucket_is_fine() -> None:
    """A slot may be taken out twice, or without having been in."""
    buckets = buckets_with(1)
    buckets.remove(0)
    buckets.schedule(0, 1.0)
    buckets.remove(0)
    buckets.remove(0)

    assert all_due(buckets, math.inf) == []


def test_ten_thousand_writes_of_one_key_leave_one_bucket() -> None:
    """A hot key that is written over and over costs nothing here: its bucket stays the only one."""
    buckets = buckets_with(1)
    for instant in range(10_000):
        buckets.schedule(0, 60.0 + instant)

    assert len(buckets._first) == len(buckets._order) == 1


@pytest.mark.parametrize("left", [4097.0, 86_400.0, 2_592_000.5, 2.0**31 - 2000.5])
def test_what_is_far_off_is_found_a_few_times_before_its_end(left: float) -> None:
    """Found early is never more than a sixteenth of the time that was left, and so seldom more than a few times."""
    now, deadline, found = 1000.0, 1000.0 + left, 0
    buckets = buckets_with(1, now)
    while now < deadline:
        buckets.schedule(0, deadline)
        second = buckets._order[0]
        assert all_due(buckets, second - 0.5) == []
        assert all_due(buckets, float(second)) == [0]
        assert second - deadline <= 1.0
        assert deadline - second <= (deadline - now) / 16
        now, found = float(second), found + 1

    assert found <= 8


def test_what_comes_and_goes_before_its_end_leaves_few_buckets() -> None:
    """Entries of long lives that are evicted at once leave no bucket each behind."""
    buckets, random = buckets_with(1), Random(4)  # noqa: S311  - seeded, to repeat a run
    for written in range(20_000):
        buckets.next_due(float(written))
        buckets.schedule(0, written + random.uniform(0.8, 1.0) * 2_592_000.0)
        buckets.remove(0)

    assert len(buckets._first) == len(buckets._order) < 200


SLOTS = 5
STEPS = st.lists(
    st.tuples(st.just("schedule"), st.integers(0, SLOTS - 1), st.floats(0, 50) | st.floats(2.0**31 - 10, 2.0**33))
    | st.tuples(st.just("remove"), st.integers(0, SLOTS - 1), st.just(0.0))
    | st.tuples(st.just("due"), st.just(0), st.floats(0, 20) | st.just(2.0**31)),
    max_size=60,
)


@given(STEPS)
@example([("schedule", 0, 5.0), ("remove", 0, 0.0), ("schedule", 1, 5.5), ("schedule", 0, 5.2), ("due", 0, 7.0)])
@example([("schedule", 0, 5.0), ("remove", 0, 0.0), ("due", 0, 1.0), ("schedule", 0, 5.0), ("due", 0, 10.0)])
def test_buckets_agree_with_a_naive_model(steps: list[tuple[str, int, float]]) -> None:
    """Whatever is scheduled, moved and taken out: found is exactly what the plainest model finds, and no slot twice.

    But for what is found early because it was far off, and put in again.
    """
    buckets, model, now = buckets_with(SLOTS), dict[int, float](), 0.0
    for step, slot, instant in steps:
        if step == "schedule":
            buckets.schedule(slot, now + instant)
            due = float(int(now + instant) + 1)
            model[slot] = min(due, model.get(slot, due))
        elif step == "remove":
            buckets.remove(slot)
            model.pop(slot, None)
        else:
            now += instant
            found = all_due_of(model, buckets, now)
            assert sorted(found) == sorted(slot for slot, due in model.items() if due <= now)
            model = {slot: due for slot, due in model.items() if due > now}
    assert sorted(all_due_of(model, buckets, 2.0**40)) == sorted(model)
