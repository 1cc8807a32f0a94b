import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.events import Event, Failure, Hit, Load, Miss, Refresh, Removal, RemovalCause, StaleHit
from aiocache_kit.management.key_groups import (
    MOST_GROUPS,
    OTHER,
    UNNAMED,
    GroupFigures,
    GroupRule,
    KeyGrouping,
    KeyGroups,
)

# --- from keys to groups ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "group"),
    [
        ("user:123", "user:*"),
        ("user:123:orders", "user:*"),
        ("api/v1/users", "api/*"),
        ("shop.users:load(user_id=1)", "shop.users:*"),
        ("settings", UNNAMED),
        ("123:settings", UNNAMED),
        ("user7:settings", UNNAMED),
        ("bob@example.com:settings", UNNAMED),
        (f"{'a' * 33}:1", UNNAMED),
        (":", UNNAMED),
        ("", UNNAMED),
    ],
)
def test_without_a_rule_the_word_at_the_beginning_counts(key: str, group: str) -> None:
    """Only a word before a separator names a group; all else could be data, and is in the group of such keys."""
    assert KeyGrouping().of(key) == group


@given(st.text())
def test_a_group_is_never_the_key(key: str) -> None:
    """Whatever the key is: its group is another text, and a short one."""
    group = KeyGrouping().of(key)

    assert group != key or key == UNNAMED
    assert len(group) <= 33


@given(st.lists(st.text(alphabet="abc:", min_size=1), max_size=300))
def test_groups_are_bounded_in_number(keys: list[str]) -> None:
    """There are never more than as many as may be, and the one of all others."""
    grouping = KeyGrouping(most=5)

    assert len({grouping.of(key) for key in keys} - {OTHER}) <= 5


def test_templates_name_groups() -> None:
    """The template of a decorator names the keys that it makes; of those that fit, the one that says most."""
    grouping = KeyGrouping()
    grouping.learn(["user:", None], "user:{id}")
    grouping.learn(["user:", None, ":orders"], "user:{id}:orders")
    grouping.learn(["user:", None], "user:{id}")

    assert grouping.of("user:1") == "user:{id}"
    assert grouping.of("user:1\n2:orders") == "user:{id}:orders"
    assert grouping.of("users:1") == "users:*"


def test_a_template_without_text_names_nothing() -> None:
    """A template of holes alone would fit each and every key."""
    grouping = KeyGrouping()
    grouping.learn([None], "{id}")

    assert grouping.of("user:1") == "user:*"


def test_templates_are_bounded_in_number() -> None:
    """No more are learnt than there may be groups."""
    grouping = KeyGrouping(most=2)
    for number in range(5):
        grouping.learn([f"t{number}(", None], f"t{number}")

    assert grouping.of("t4(1") == UNNAMED
    assert [grouping.of("t0(1"), grouping.of("t1(1")] == ["t0", OTHER]


def test_a_function_names_groups() -> None:
    """A rule is what decides, with templates or without; what it does not name, or fails at, is other."""
    names: dict[str, Any] = {"a": "first", "b": "", "c": 3}
    grouping = KeyGrouping(lambda key: names[key])
    grouping.learn(["a"], "template")

    assert [grouping.of(key) for key in "abcd"] == ["first", OTHER, OTHER, OTHER]


def test_patterns_name_groups() -> None:
    """The first pattern that the whole key matches decides."""
    grouping = KeyGrouping([(r"user:\d+", "user"), (re.compile(r"user:.*"), "somebody")])

    assert [grouping.of(key) for key in ("user:1", "user:1x", "item:1")] == ["user", "somebody", OTHER]


@pytest.mark.parametrize("rule", [[("(", "a")], [1], ["ab", "abc"], 5])
def test_what_is_no_rule_is_refused(rule: GroupRule) -> None:
    """Only functions and pairs of a pattern and a name are rules."""
    with pytest.raises(InvalidArgumentError, match="must be a function, or pairs"):
        KeyGrouping(rule)


# --- hot and slow ones -----------------------------------------------------------------------------------------------


def test_figures_of_a_group() -> None:
    """Each event counts for its group, as much as it stands for; those about no key count for nothing."""
    groups = KeyGroups()
    of: dict[str, Any] = {"at": 1.0, "group": "g"}
    events: list[Event] = [
        Hit(**of, weight=5),
        StaleHit(**of, weight=2),
        Miss(**of, weight=3),
        Load(**of, seconds=0.5),
        Load(**of, seconds=1.5, error="KeyError"),
        Refresh(**of),
        Removal(**of, cause=RemovalCause.EVICTED),
        Failure(at=1.0, doing="tidy", error="OSError"),
        Refresh(at=1.0, group="unheard"),
    ]
    for event in events:
        groups.note(event)

    (figures,) = groups.all()
    assert figures == GroupFigures(
        group="g",
        hits=7,
        stale_hits=2,
        misses=3,
        loads=2,
        load_failures=1,
        load_seconds=2.0,
        slowest_load=1.5,
        refreshes=1,
        removals=1,
    )
    assert (figures.reads, figures.hit_rate, figures.average_load_time) == (10, 0.7, 1.0)
    assert (GroupFigures(group="x").hit_rate, GroupFigures(group="x").average_load_time) == (0.0, 0.0)
    groups.clear()
    assert groups.all() == []


def test_the_hottest_and_the_slowest() -> None:
    """Groups are given in the order that is asked for, no more than that many."""
    groups = KeyGroups()
    for number in range(1, 6):
        groups.note(Hit(at=1.0, group=f"g{number}", weight=number))
        groups.note(Load(at=1.0, group=f"g{number}", seconds=6.0 - number))

    assert [each.group for each in groups.top(2)] == ["g5", "g4"]
    assert [each.group for each in groups.top(2, by="load_seconds")] == ["g1", "g2"]


@given(st.lists(st.sampled_from([f"g{number}" for number in range(30)]), max_size=400))
def test_whatever_is_hot_is_kept(order: list[str]) -> None:
    """However many there are, few are kept; one with more than its share of all reads is among them."""
    groups = KeyGroups(most=4)
    for group in order:
        groups.note(Miss(at=1.0, group=group))
    kept = {each.group for each in groups.all()}

    assert len(groups) == len(kept) <= 4
    assert {group for group in order if order.count(group) > len(order) / 4} <= kept


def test_slow_and_hot_are_kept_apart() -> None:
    """A flood of hot groups does not drive out a slow one, nor the other way round."""
    groups = KeyGroups(most=2)
    groups.note(Load(at=1.0, group="slow", seconds=9.0))
    for number in range(100):
        groups.note(Hit(at=1.0, group=f"g{number}"))
        groups.note(Hit(at=1.0, group="hot"))

    assert {"slow", "hot"} <= {each.group for each in groups.all()}
    assert len(groups) <= 4


def test_groups_need_room() -> None:
    """There is room for one at least, and by default for as many groups as there may be."""
    with pytest.raises(InvalidArgumentError, match="most must be 1 or more"):
        KeyGroups(0)
    groups = KeyGroups()
    for number in range(2 * MOST_GROUPS):
        groups.note(Hit(at=1.0, group=str(number)))

    assert len(groups) == MOST_GROUPS
