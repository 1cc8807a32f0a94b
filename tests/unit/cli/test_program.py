"""What a dashboard tells, laid out, whatever it is."""

import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from aiocache_kit.cli.program import History, frame
from aiocache_kit.cli.screen import Screen

NAMES = (
    *(
        "name",
        "error",
        "points",
        "totals",
        "layers",
        "groups",
        "hot",
        "slow",
        "group",
        "depth",
        "health",
        "hits",
        "misses",
    ),
    *("hit_rate", "get_time", "load_time", "loads", "items", "size", "reads", "average_load_time", "evictions"),
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=8)
)
caches = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES[:6], anything))


@given(st.lists(caches, max_size=3) | anything)
def test_whatever_a_program_says_is_shown_without_harm(providers: Any) -> None:  # noqa: ANN401  - whatever
    """Nothing that comes from outside ends the command, or reaches the terminal as a control character."""
    told = {"providers": providers}
    history = History()
    history.note(told)
    out = io.StringIO()
    console = Console(file=out, width=100, highlight=False)

    Screen(console, console).show(*frame(told, history, interval=2.0))

    assert all(each.isprintable() for each in out.getvalue().splitlines())


def test_a_cache_without_reads_has_no_rates() -> None:
    """What is not known is a dash and no zero."""
    out = io.StringIO()
    console = Console(file=out, width=140, highlight=False)
    told: dict[str, Any] = {"providers": [{"name": "users", "points": [{"hit_rate": None, "hits": 0}], "totals": {}}]}

    Screen(console, console).show(*frame(told, History(), interval=2.0))

    row = next(line for line in out.getvalue().splitlines() if line.startswith("users"))
    assert row.split() == ["users", "0", "-", "-", "0", "-", "0", "0", "0", "0", "-"]
