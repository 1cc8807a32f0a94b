"""Directories with very many items, in the small: the program beside this file opens some with a million."""

from pathlib import Path

from tests.fuzz.many_files import run


async def test_a_start_looks_at_nothing_before_it_is_asked(tmp_path: Path) -> None:
    """Opening two thousand items reads none and no directory, and what follows leaves the event loop to others."""
    taken = await run(2000, str(tmp_path))

    assert set(taken) == {"after a close", "after a crash"}
