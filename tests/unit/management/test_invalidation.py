from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit.management.invalidation import TagMarks


def test_no_marks_kill_nothing() -> None:
    """Without marks everything is true, and the marks are false."""
    marks = TagMarks()

    assert not marks
    assert len(marks) == 0
    assert not marks.killed(["a"], 0.0)


def test_what_was_written_up_to_the_mark_is_dead() -> None:
    """An item written at the very instant of the mark is dead, one written later is not; any one tag suffices."""
    marks = TagMarks()
    marks.mark(["a", "b"], 10.0)

    assert marks
    assert len(marks) == 2
    assert marks.killed(["a"], 9.0)
    assert marks.killed(["x", "b"], 10.0)
    assert not marks.killed(["a", "b"], 10.5)
    assert not marks.killed(["x"], 9.0)
    assert not marks.killed([], 9.0)


def test_a_mark_never_moves_back() -> None:
    """What was dead stays dead when an older invalidation comes late."""
    marks = TagMarks()
    marks.mark(["a"], 10.0)
    marks.mark(["a"], 5.0)

    assert marks.killed(["a"], 10.0)


def test_marks_are_forgotten_up_to_an_instant() -> None:
    """Marks up to and at the instant go, younger ones stay."""
    marks = TagMarks()
    for instant, tag in enumerate("abc"):
        marks.mark([tag], float(instant))
    marks.forget(1.0)

    assert len(marks) == 1
    assert marks.killed(["c"], 2.0)
    assert not marks.killed(["a", "b"], 0.0)


def test_a_tag_marked_twice_takes_one_place() -> None:
    """What invalidation costs does not grow with how often it happens."""
    marks = TagMarks()
    for instant in range(100):
        marks.mark(["a", "a"], float(instant))

    assert len(marks) == 1


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9))),
    st.sets(st.sampled_from("abcd")),
    st.integers(0, 9),
)
def test_marks_agree_with_a_list_of_invalidations(
    invalidations: list[tuple[str, int]], tags: set[str], written: int
) -> None:
    """An item is dead exactly if some invalidation of one of its tags came no earlier than it."""
    marks = TagMarks()
    for tag, instant in invalidations:
        marks.mark([tag], float(instant))

    assert marks.killed(tags, float(written)) is any(tag in tags and at >= written for tag, at in invalidations)
