"""The soak itself: what it takes for wrong, and that a short one finds nothing wrong."""

from pathlib import Path
from typing import Any

import pytest

from aiocache_kit import MISSING
from tests.soak.__main__ import soak
from tests.soak.model import ON_ITS_WAY, UNDONE, Register, number_in, value_of
from tests.soak.report import Process, lines, verdict


def test_a_change_that_was_answered_is_certain() -> None:
    """After it the key holds that value, and not an older one; nothing only where values may vanish."""
    for may_vanish in (False, True):
        register = Register(may_vanish)
        register.done(0.0, 1)
        register.done(1.0, 2)

        assert register.allows(2)
        assert not register.allows(1)
        assert register.allows(None) is may_vanish


def test_a_change_that_failed_may_have_been_made() -> None:
    """Until it cannot be under way any more, it may come even over a later one."""
    register = Register(may_vanish=False)
    register.done(0.0, 1)
    register.failed(1.0, 2)
    register.done(2.0, 3)

    assert register.allows(2)
    register.done(2.0 + ON_ITS_WAY, 4)
    assert not register.allows(2)
    assert not register.allows(3)


def test_a_fail_over_may_undo_what_was_last_said() -> None:
    """What was overwritten shortly before may come back, and what was long before may not."""
    register = Register(may_vanish=False)
    register.done(0.0, 1)
    register.done(10.0, 2)
    register.done(10.0 + UNDONE + 1, 3)
    register.undone(10.0 + UNDONE + 2)

    assert register.allows(2)
    assert not register.allows(1)


@pytest.mark.parametrize("value", ["", {}, {**value_of("a", 1, 5), "fill": ""}, value_of("b", 1, 5)])
def test_what_is_not_whole_or_of_another_key_is_wrong(value: object) -> None:
    """A value says whose it is and how long."""
    assert number_in("a", value_of("a", 1, 5)) == 1
    assert number_in("a", MISSING) is None
    with pytest.raises((ValueError, KeyError)):
        number_in("a", value)


def ended(**changes: Any) -> Process:  # noqa: ANN401  - what a process tells
    """Give a process that was right, but for `changes` of what it told."""
    held = {"memory": 0, "files": 3, "tasks": 1, "threads": 1}
    end = {"counted": {"x": 5}, "unsure": {"x": 1}, "before": held, "after": held, **changes}
    return Process("worker 1", samples=[{**held, "calls": number} for number in range(20)], end=end)


def test_counts_that_do_not_meet_are_wrong() -> None:
    """A counter lies between the increments that were answered and those that may have been made."""
    assert verdict([ended()], {"x": 5}) == verdict([ended()], {"x": 6}) == []
    assert len(verdict([ended()], {"x": 4})) == len(verdict([ended()], {"x": 7})) == 1


def test_growth_and_what_is_left_are_wrong() -> None:
    """A process that holds ever more, or something after it has closed everything, is told of."""
    growing = ended()
    growing.samples = [{**each, "memory": number * 2**20} for number, each in enumerate(growing.samples)]

    assert ["grew" in each for each in verdict([growing], {})] == [True]
    left = ended(after={"memory": 0, "files": 9, "tasks": 1, "threads": 1})
    assert verdict([left], {}) == ["worker 1 left 6 files"]


@pytest.mark.timeout(120)
async def test_a_short_soak_finds_nothing_wrong(tmp_path: Path) -> None:
    """All storages are used for some seconds while servers and processes are killed."""
    report = await soak(12.0, workers=1, seed=2, folder=tmp_path)

    assert report["wrong"] == []
    assert report["calls"] > 500
    assert report["faults"]
    assert "wrong: 0" in "\n".join(lines(report))
