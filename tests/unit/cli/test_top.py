"""What two readings of a server say about the time between them."""

from aiocache_kit.cli.readings import Names, fields_in
from aiocache_kit.cli.tables import Table
from aiocache_kit.cli.top import History, between, frame
from tests.unit.cli.facts import reading


def test_rates_are_differences_a_second() -> None:
    """Counters of two readings, the seconds between them, and the share of hits in between."""
    before = reading({"keyspace_hits": "100", "keyspace_misses": "50", "evicted_keys": "7"})
    after = reading({"keyspace_hits": "160", "keyspace_misses": "70", "evicted_keys": "7"})

    rates = between(before, after, 2.0)

    assert rates.per_second["hits"] == 30
    assert rates.per_second["misses"] == 10
    assert rates.per_second["evicted"] == 0
    assert rates.hit_rate == 0.75


def test_a_server_that_was_started_again_counts_from_zero() -> None:
    """What it has counted since is what it did, and never less than nothing."""
    rates = between(reading({"keyspace_hits": "900"}), reading({"keyspace_hits": "4"}), 2.0)

    assert rates.per_second["hits"] == 2


def test_no_time_is_no_rate() -> None:
    """Two readings at one instant say nothing, and divide by nothing."""
    rates = between(reading(), reading(), 0.0)

    assert rates.hit_rate is None
    assert set(rates.per_second.values()) == {0.0}


def test_several_servers_have_a_sum() -> None:
    """One row more than there are servers, and those that are away above the table."""
    rates = [between(reading(name=name), reading(name=name), 1.0) for name in ("one:1", "two:2")]
    history = History()
    history.note(rates)

    parts = frame(rates, {"three:3": "nothing answers in time"}, history, what="redis at one", interval=2.0)
    table = parts[-1]

    assert isinstance(table, Table)
    assert len(table.rows) == 3
    assert "three:3: nothing answers in time" in str(parts[1])


def test_a_key_of_a_node_is_not_obeyed_by_the_terminal() -> None:
    """A name comes from outside as well, and is made safe."""
    each = between(reading(name="a\x1b[2J:1"), reading(name="a\x1b[2J:1"), 1.0)

    assert "\x1b" not in str(frame([each], {}, History(), what="redis", interval=1.0))


def test_names_are_told_apart() -> None:
    """Items by namespace, nested ones too, and what the library keeps for itself."""
    names = Names()
    for rest in ("a", "@@odd", "@users:1", "@a:@b%3A:x", "@:t:tag", "@:l:{00}", "@:s:key", "@:z:"):
        names.take(rest)

    assert names.items == {"": 2, "users": 1, "a/b:": 1}
    assert names.own == {"tags": 1, "locks": 1, "leases": 1, "other": 1}


def test_what_a_server_tells_is_read_line_by_line() -> None:
    """Heads of sections, empty lines and what is no UTF-8 do no harm."""
    assert fields_in(b"# Server\r\na:1\r\n\r\nb:x:y\r\nodd\r\nc:\xff\r\n") == {"a": "1", "b": "x:y", "c": "\ufffd"}
