import logging

import pytest

from aiocache_kit.errors import StorageError
from aiocache_kit.management.quiet_log import QUIET, QuietLog
from aiocache_kit.testing import FakeClock


async def test_the_same_is_said_seldom(caplog: pytest.LogCaptureFixture) -> None:
    """Rule 1: a sentence comes once in ten seconds, another one in between, and what was left out is counted."""
    clock = FakeClock()
    log = QuietLog(clock)
    with caplog.at_level(logging.WARNING):
        for number in range(5):
            log.warning("part %s failed", number)
        log.warning("all failed")
        await clock.advance(QUIET)
        log.warning("part %s failed", 5)
        await clock.advance(QUIET)
        log.warning("part %s failed", 6)

    assert caplog.messages == [
        "part 0 failed",
        "all failed",
        "part 5 failed (and 4 times more since it was last said)",
        "part 6 failed",
    ]


def test_errors_of_others_are_named_by_class_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Rule 2: what an error of ours says is logged, and of all others the class."""
    told: list[tuple[str, BaseException]] = []
    log = QuietLog(FakeClock())
    log.on_failure = lambda doing, error: told.append((doing, error))
    ours, foreign = StorageError("the disk is full"), LookupError("user:secret")
    with caplog.at_level(logging.WARNING):
        log.failed("sync", "writing out %s failed: %s", "memory", error=ours)
        log.failed("tidy", "cleaning up failed: %s", error=foreign)
        log.failed("tidy", "cleaning up failed: %s", error=foreign)

    assert caplog.messages == ["writing out memory failed: the disk is full", "cleaning up failed: LookupError"]
    assert told == [("sync", ours), ("tidy", foreign), ("tidy", foreign)]
