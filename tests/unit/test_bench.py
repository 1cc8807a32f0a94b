"""Each benchmark runs, for a moment, and gives results that can be kept, read again and put into the docs."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bench import page, record
from bench.catalogue import BENCHMARKS, Run
from bench.measure import Effort, Turns, interleave
from bench.stall.ticker import watched

pytestmark = pytest.mark.timeout(240)  # they start many processes


def silent(title: str, steps: int) -> Callable[[], None]:
    """Take no notice of progress."""
    del title, steps
    return lambda: None


@pytest.mark.parametrize("name", BENCHMARKS)
def test_each_benchmark_gives_results_that_are_read_as_they_were_kept(name: str, tmp_path: Path) -> None:
    """A quick run finds figures of aiocache_kit, has tables in step, and is the same after it was written and read."""
    outcome = asyncio.run(BENCHMARKS[name](Run(quick=True, traces=None, track=silent)))

    for title, columns, rows in outcome.tables:
        assert title
        assert rows
        assert {len(row) for row in rows} == {len(columns)}
    record.save(name, outcome, tmp_path)
    kept = record.load(name, record.python_version(), tmp_path)
    assert kept is not None
    assert kept["results"] == json.loads(json.dumps(outcome.results))
    assert [mark["ok"] for mark in kept["marks"]] == [mark.ok for mark in outcome.marks]
    assert all(place in kept for place in ("method", "environment", "versions", "settings"))
    assert "adaptive" in str(kept["results"]) if name == "hit_ratio" else "aiocache_kit" in str(kept["results"])


@pytest.mark.parametrize("path", page.PAGES, ids=lambda path: path.name)
def test_pages_show_the_results_that_are_kept(path: Path) -> None:
    """The figures of a page are those of the results: rendering it again changes nothing."""
    text = path.read_text("utf-8")

    assert page.render(text) == text


def test_page_is_whole_without_results(tmp_path: Path) -> None:
    """Where nothing was measured the page has no figures, and keeps its places for them."""
    text = page.PAGE.read_text("utf-8")
    bare = page.render(text, tmp_path)

    assert bare.count("<!-- figures: ") == text.count("<!-- figures: ") == len(page.FIGURES) - 1
    assert page.render(bare) == text


def test_marks_say_what_was_asked_and_whether_it_was_met() -> None:
    """A mark is met up to its limit, the limit included."""
    assert record.at_most("a", 1.5, 1.5).ok
    assert not record.at_most("a", 1.5, 1.51).ok
    assert record.at_least("b", 8, 8).ok
    assert not record.at_least("b", 8, 7.9).ok
    assert record.at_least("b", 8, 7.9).asked == ">= 8"


async def test_who_takes_twice_as_long_has_the_ratio_two() -> None:
    """Ratios are to the first subject, and one that does the same work twice takes about twice as long."""

    async def once(keys: Sequence[str]) -> None:
        for key in keys:
            sum(map(ord, key * 50))

    async def twice(keys: Sequence[str]) -> None:
        for key in keys:
            sum(map(ord, key * 50))
            sum(map(ord, key * 50))

    turns = [Turns(loop, ["abcdefghij"] * 500) for loop in (once, twice)]
    first, second = await interleave(turns, Effort(rounds=30, turn=0.001, keys=500), lambda: None)

    assert first.ratio == 1.0
    assert 1.7 < second.ratio < 2.3


async def test_keys_come_in_order_and_begin_again() -> None:
    """A subject is given every key in turn, in whole steps, and is made anew before the keys begin again."""
    seen: list[str] = []
    begun: list[int] = []

    async def loop(keys: Sequence[str]) -> None:
        seen.extend(keys)

    async def again() -> None:
        begun.append(len(seen))

    turns = Turns(loop, ["a", "b", "c", "d"], step=2, again=again)
    for _ in range(5):
        await turns.take()

    assert seen == ["a", "b", "c", "d", "a", "b", "c", "d", "a", "b"]
    assert begun == [4, 8]


@pytest.mark.blocking
async def test_a_loop_that_is_held_is_seen() -> None:
    """Work that holds the loop for a while makes the ticker late by about as much, and a quiet loop does not."""
    async with watched() as quiet:
        await asyncio.sleep(0)
    async with watched() as held:
        for _ in range(3_000):
            sum(range(1_000))

    assert held.held > quiet.held
    assert held.late > 3.0
