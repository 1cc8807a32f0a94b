import dataclasses

from aiocache_kit.management.statistics import Recorder
from aiocache_kit.stats import Stats


def test_a_recorder_counts_what_stats_tell() -> None:
    """Each counter has its name in `Stats`, and starts at zero."""
    totals = Recorder().totals()

    assert set(totals) <= {field.name for field in dataclasses.fields(Stats)}
    assert set(totals.values()) == {0}
    assert Stats(**totals) == Stats()  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # whole numbers


def test_a_child_counts_for_its_parents() -> None:
    """What a namespace counts is part of the figures of all around it, and of no other namespace."""
    root = Recorder()
    outer = root.child()
    inner, other = outer.child(), root.child()
    inner.hits += 3
    outer.hits += 2
    root.load_time += 0.5
    inner.load_time += 0.25

    assert [each.totals()["hits"] for each in (root, outer, inner, other)] == [5, 5, 3, 0]
    assert root.totals()["load_time"] == 0.75


def test_what_a_view_counted_stays() -> None:
    """A namespace whose view is gone leaves its counts, once, and takes no room."""
    root = Recorder()
    for _ in range(100):
        child = root.child()
        child.child().misses += 1
        child.hits += 2
        root.let_go(child)

    for _ in range(2):
        assert root.totals()["hits"] == 200
        assert root.totals()["misses"] == 100
    assert root._children == set()


def test_totals_are_of_their_moment() -> None:
    """What was given does not change with what is counted later."""
    recorder = Recorder()
    totals = recorder.totals()
    recorder.hits += 1

    assert totals["hits"] == 0
