"""Each command against a real server, in the process of the test."""

import asyncio
import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from aiocache_kit import FileConfig, Provider, RedisConfig, new_layered, new_provider
from aiocache_kit.config import Config
from tests.integration.cli.conftest import Run, fill, found
from tests.servers.server import Server

SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff0"  # noqa: S105  - hides nothing

# --- keys and values ------------------------------------------------------------------------------------------------


def test_keys_are_listed_and_counted(aiocache_kit: Run, url: str) -> None:
    """One a line, those that begin with a prefix, as many as were asked for, of a namespace."""
    fill(url, {"user:1": 1, "user:2": 2, "page": 3})
    fill(url, {"inner": 1}, namespace="users")

    assert sorted(aiocache_kit("keys", "--url", url).out.splitlines()) == ["page", "user:1", "user:2"]
    assert sorted(aiocache_kit("keys", "user:", "--url", url).out.splitlines()) == ["user:1", "user:2"]
    assert len(aiocache_kit("keys", "--limit", 2, "--url", url).out.splitlines()) == 2
    assert aiocache_kit("keys", "--limit", 0, "--url", url).out == ""
    assert aiocache_kit("keys", "--namespace", "users", "--url", url).out == "inner\n"
    assert aiocache_kit("keys", "--count", "--url", url).out == "3\n"
    assert aiocache_kit("keys", "--count", "--json", "--url", url).json == {"count": 3}


def test_a_key_does_not_rule_the_terminal(aiocache_kit: Run, url: str) -> None:
    """Control characters and line ends in keys are shown as escapes; in JSON as JSON has it."""
    key = "a\x1b[2J\nb\\"
    fill(url, {key: 1})

    assert aiocache_kit("keys", "--url", url).out == "a\\x1b[2J\\nb\\\\\n"
    assert aiocache_kit("keys", "--json", "--url", url).json == {"key": key}


def test_a_value_is_shown(aiocache_kit: Run, url: str) -> None:
    """As JSON, with what is known of it, or text as it is; a miss is told by the exit code."""
    fill(url, {"user": {"name": "Ada ä\x9b", "age": 36}, "text": "a\x1bb"}, tags=("users",))

    shown = aiocache_kit("get", "user", "--url", url)
    assert shown.code == 0
    assert json.loads(shown.out.replace("\\x9b", "\x9b")) == {"name": "Ada ä\x9b", "age": 36}
    whole = aiocache_kit("get", "user", "--json", "--url", url).json
    assert whole["value"] == {"name": "Ada ä\x9b", "age": 36}
    assert whole["tags"] == ["users"]
    assert whole["ttl"] == 600
    assert set(whole) == {"key", "value", "parts", "ttl", "expiration", "created_at", "tags", "version"}
    assert whole["parts"] is False
    assert aiocache_kit("get", "text", "--raw", "--url", url).out == "a\x1bb"
    assert aiocache_kit("get", "user", "--raw", "--url", url).code == 2
    missed = aiocache_kit("get", "nobody", "--url", url)
    assert (missed.code, missed.out) == (1, "")
    assert "nothing is stored under this key" in missed.err


def test_a_value_of_another_configuration_is_told_to_be_one(aiocache_kit: Run, url: str) -> None:
    """It is there and cannot be read, which is no miss; a list of keys says what it left out."""
    fill(f"{url}&encryption_keys={SECRET}", {"user": "hidden"})

    shown = aiocache_kit("get", "user", "--url", url)
    assert shown.code == 6
    assert "cannot be read with this configuration" in shown.err
    listed = aiocache_kit("keys", "--url", url)
    assert listed.out == ""
    assert "1 item could not be read with this configuration" in listed.err
    assert SECRET not in shown.err + listed.err


def test_bytes_are_given_as_they_are(aiocache_kit: Run, url: str) -> None:
    """Bytes stand in base64 in JSON."""
    packed = f"{url}&serialization_format=msgpack"
    fill(packed, {"picture": b"\x00\xff"})

    assert aiocache_kit("get", "picture", "--url", packed).json == {"base64": "AP8="}


@dataclass
class User:
    """What a program stores."""

    name: str
    born: date


@pytest.mark.parametrize("form", ["json", "msgpack"])
def test_parts_of_objects_are_shown(aiocache_kit: Run, url: str, form: str) -> None:
    """What a class of the program is needed for is shown as plain data, and said to be parts."""
    packed = f"{url}&serialization_format={form}"
    fill(packed, {"user": User("Ada", date(1815, 12, 10))}, tags=("users",))

    shown = aiocache_kit("get", "user", "--url", packed)
    assert (shown.code, shown.json) == (0, {"name": "Ada", "born": "1815-12-10"})
    assert "these are the parts of objects" in shown.err
    whole = aiocache_kit("get", "user", "--json", "--url", packed).json
    assert (whole["value"], whole["parts"]) == ({"name": "Ada", "born": "1815-12-10"}, True)
    assert (whole["tags"], whole["ttl"]) == (["users"], 600)


def test_what_is_not_known_of_a_counter_is_null(aiocache_kit: Run, url: str) -> None:
    """A bare number in Redis has no date: not how long it was to live, only when it ends."""

    async def count(cache: Provider) -> None:
        async with cache:
            await cache.increment("visits", 5)

    asyncio.run(count(new_provider(url)))
    whole = aiocache_kit("get", "visits", "--json", "--url", url).json
    assert (whole["value"], whole["ttl"], whole["created_at"]) == (5, None, None)
    assert whole["expiration"] > 0


# --- removing -------------------------------------------------------------------------------------------------------


def test_items_are_deleted(aiocache_kit: Run, url: str) -> None:
    """One without a question, several with one; the exit code tells whether any was there."""
    fill(url, {"a": 1, "b": 2, "c": 3})

    assert aiocache_kit("delete", "a", "--url", url).out == "deleted 1 of 1\n"
    assert aiocache_kit("delete", "a", "--url", url).code == 1
    assert aiocache_kit("delete", "--yes", "b", "c", "d", "--json", "--url", url).json == {"asked": 3, "deleted": 2}
    assert aiocache_kit("keys", "--count", "--url", url).out == "0\n"


def test_tags_and_prefixes_are_invalidated(aiocache_kit: Run, url: str) -> None:
    """A tag takes no question; both can be given."""
    fill(url, {"a": 1}, tags=("old",))
    fill(url, {"user:1": 1, "page": 1})

    assert aiocache_kit("invalidate", "--tag", "old", "--url", url).out == "invalidated tag old\n"
    done = aiocache_kit("invalidate", "--prefix", "user:", "--yes", "--json", "--url", url)
    assert done.json == {"tags": [], "prefix": "user:"}
    assert aiocache_kit("keys", "--url", url).out == "page\n"
    assert aiocache_kit("invalidate", "--url", url).code == 2


def test_a_namespace_is_cleared_and_nothing_else(aiocache_kit: Run, url: str) -> None:
    """Other namespaces stay, and so does what is in none."""
    fill(url, {"outer": 1})
    fill(url, {"inner": 1}, namespace="users")

    assert aiocache_kit("clear", "--yes", "-n", "users", "--url", url).out == "cleared\n"
    assert found(url, "outer") == 1
    assert aiocache_kit("clear", "--yes", "--json", "--url", url).json == {"cleared": True}
    assert found(url, "outer") is None


@pytest.mark.parametrize("command", [["clear"], ["delete", "a", "b"], ["invalidate", "--prefix", "a"]])
def test_nothing_is_removed_where_nobody_can_be_asked(aiocache_kit: Run, url: str, command: list[str]) -> None:
    """Without a terminal and without --yes, it is refused before anything happens."""
    fill(url, {"a": 1, "b": 2})

    refused = aiocache_kit(*command, "--url", url)

    assert refused.code == 2
    assert "give --yes" in refused.err
    assert aiocache_kit("keys", "--count", "--url", url).out == "2\n"


# --- servers --------------------------------------------------------------------------------------------------------


def test_servers_tell_of_themselves(aiocache_kit: Run, url: str, redis_server: Server) -> None:
    """In a table, and in JSON whose names stay; names under the prefix are counted on request."""
    fill(url, {"a": 1}, tags=("t",))
    fill(url, {"b": 1}, namespace="users")

    table = aiocache_kit("stats", "--count", "--url", url).out
    assert f"127.0.0.1:{redis_server.port}" in table
    assert "items in users" in table
    told = aiocache_kit("stats", "--count", "--json", "--url", url).json
    (place,) = told["places"]
    (server,) = place["servers"]
    assert told["kind"] == place["kind"] == "redis"
    assert place["names"] == {"items": 2, "by_namespace": {"": 1, "users": 1}, "own": {"tags": 1}}
    assert server["role"] == "master"
    assert server["max_memory"] is None
    assert {"hits", "misses", "hit_rate", "evicted", "expired", "memory", "ping", "keys"} <= set(server)


def test_top_shows_rates(aiocache_kit: Run, url: str) -> None:
    """As often as was asked for, in a table or one object a line."""
    shown = aiocache_kit("top", "--count", 2, "--interval", 0.1, "--url", url)
    assert shown.code == 0
    assert shown.out.count("hit rate") == 2

    lines = aiocache_kit("top", "--json", "--count", 2, "--interval", 0.1, "--url", url).out.splitlines()
    for line in lines:
        (server,) = json.loads(line)["servers"]
        assert server["operations_per_second"] > 0
    assert len(lines) == 2


@pytest.mark.parametrize("where", ["memory", "redis"])
def test_bench_measures_and_leaves_nothing(aiocache_kit: Run, url: str, where: str) -> None:
    """Each row has calls that took time; a stampede is one load; what was stored is gone."""
    used = url if where == "redis" else "memory://"
    measured = aiocache_kit("bench", "--seconds", 0.01, "--tasks", 4, "--json", "--url", used)

    assert measured.code == 0
    assert all(row["calls"] >= 1 and 0 < row["median"] <= row["p99"] for row in measured.json["rows"])
    stampede = measured.json["stampede"]
    assert stampede["loads"] == stampede["rounds"] >= 1
    if where == "redis":
        assert aiocache_kit("stats", "--count", "--json", "--url", url).json["places"][0]["names"]["items"] == 0


def test_bench_shows_a_table(aiocache_kit: Run) -> None:
    """With what a stampede caused, and how short calls were timed."""
    shown = aiocache_kit("bench", "--seconds", 0.01, "--url", "memory://").out

    assert "get, a hit" in shown
    assert "100 callers of a missing key caused 1 load of 5 ms." in shown


# --- what cannot be -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["keys"], ["get", "a"], ["delete", "a"], ["clear", "-y"], ["stats"], ["top"]])
def test_another_processs_memory_cannot_be_looked_at(aiocache_kit: Run, command: list[str]) -> None:
    """That is said, with an exit code of its own, instead of showing an empty cache."""
    refused = aiocache_kit(*command, "--url", "memory://")

    assert refused.code == 5
    assert "process that made it" in refused.err


def test_keys_that_are_hashed_cannot_be_listed(aiocache_kit: Run, url: str) -> None:
    """But read, where they are known."""
    hashed = f"{url}&key_hash_secret={SECRET}"
    fill(hashed, {"user": 1})

    assert aiocache_kit("keys", "--url", hashed).code == 5
    assert aiocache_kit("get", "user", "--url", hashed).out == "1\n"


# --- layers and nodes -----------------------------------------------------------------------------------------------


async def test_a_removal_through_layers_reaches_other_processes(
    aiocache_kit: Run, redis_server: Server, fresh_prefix: str
) -> None:
    """Who names the layers as the program does tells it of the change: its copy in memory is gone."""
    url = f"redis://127.0.0.1:{redis_server.port}/0?key_prefix={fresh_prefix}"
    async with new_layered("memory://", url) as cache:
        await cache.set("user", 1)
        assert await cache.get("user") == 1

        done = await asyncio.to_thread(aiocache_kit, "delete", "user", "--layer", "memory://", "--layer", url)

        assert done.out == "deleted 1 of 1\n"
        while await cache.get("user") is not None:  # noqa: ASYNC110  - news come when they come, and nothing tells of it
            await asyncio.sleep(0)


def test_nodes_are_looked_at_together(aiocache_kit: Run, redis_server: Server, fresh_prefix: str) -> None:
    """Keys are found wherever they lie, and each node tells of itself; one that is away hides none of the others."""
    urls = [f"redis://127.0.0.1:{redis_server.port}/{db}?key_prefix={fresh_prefix}" for db in range(2)]
    nodes = [text for number, url in enumerate(urls) for text in ("--node", f"n{number}={url}")]
    fill(urls[0], {"a": 1})

    told = aiocache_kit("stats", "--json", *nodes).json
    assert [place["name"] for place in told["places"]] == ["n0", "n1"]
    away = aiocache_kit("stats", "--json", *nodes[:2], "--node", "n1=redis://127.0.0.1:1?dial_timeout=0.2")
    assert away.code == 3
    assert away.json["places"][1]["error"] == "nothing listens at this address"
    assert aiocache_kit("clear", "--yes", *nodes).code == 0


# --- files ----------------------------------------------------------------------------------------------------------


def file_url(path: Path) -> str:
    """Give the URL of a directory."""
    return f"file://{path}"


def test_a_directory_can_be_looked_at(aiocache_kit: Run, tmp_path: Path) -> None:
    """Keys, values and sizes, and items can be removed."""
    url = file_url(tmp_path / "cache")
    fill(url, {"user": 1, "page": 2})

    assert sorted(aiocache_kit("keys", "--url", url).out.splitlines()) == ["page", "user"]
    assert aiocache_kit("get", "user", "--url", url).out == "1\n"
    (place,) = aiocache_kit("stats", "--json", "--url", url).json["places"]
    assert place["items"] == 2
    assert "held" in aiocache_kit("stats", "--url", url).out
    assert aiocache_kit("delete", "user", "--url", url).code == 0
    assert found(url, "page") == 2


def test_a_look_from_outside_removes_nothing(aiocache_kit: Run, tmp_path: Path) -> None:
    """Neither other bounds nor missing secrets empty a directory, as they would that of its owner."""
    path = tmp_path / "cache"
    sealed = f"{file_url(path)}?encryption_keys={SECRET}"
    fill(sealed, {f"key:{number}": number for number in range(20)})

    told = aiocache_kit("keys", "--url", f"{file_url(path)}?max_entries=3")
    assert told.out == ""
    assert "was written under other secrets" in told.err
    assert aiocache_kit("doctor", "--url", f"{file_url(path)}?max_entries=3").code in {0, 1}
    assert aiocache_kit("bench", "--seconds", 0.01, "--url", f"{file_url(path)}?max_entries=1000").code == 0
    assert aiocache_kit("keys", "--count", "--url", f"{sealed}&max_entries=3").out == "20\n"
    assert [each.name for each in tmp_path.iterdir()] == ["cache"]


async def test_a_directory_in_use_is_refused(aiocache_kit: Run, tmp_path: Path) -> None:
    """One that a process has to itself is told to be in use; one that is shared can be looked at meanwhile."""
    url = file_url(tmp_path / "cache")
    async with new_provider(f"{url}?max_size=1MB") as cache:
        await cache.set("a", 1)
        refused = await asyncio.to_thread(aiocache_kit, "keys", "--url", url)
        assert refused.code == 3
        assert "file_config.shared=True" in refused.err
        checked = await asyncio.to_thread(aiocache_kit, "doctor", "--json", "--url", f"{url}?max_size=1MB")
        assert checked.checks["trip.in_use"] == "note"

    config = Config(provider="file", file_config=FileConfig(dir=tmp_path / "shared", shared=True))
    async with new_provider(config) as cache:
        await cache.set("a", 1)
        shared = f"{file_url(tmp_path / 'shared')}?shared=true"
        assert (await asyncio.to_thread(aiocache_kit, "keys", "--url", shared)).out == "a\n"


def test_a_directory_is_not_made(aiocache_kit: Run, tmp_path: Path) -> None:
    """Whoever mistypes a path is told so, and doctor tells that the first use makes it."""
    url = f"{file_url(tmp_path / 'nowhere')}?max_size=1MB"

    assert aiocache_kit("keys", "--url", url).code == 3
    assert aiocache_kit("doctor", "--json", "--url", url).checks["directory.missing"] == "note"
    assert aiocache_kit("top", "--url", url).code == 5
    assert list(tmp_path.iterdir()) == []


# --- programs -------------------------------------------------------------------------------------------------------


def test_a_programs_own_provider_is_used(
    aiocache_kit: Run, redis_server: Server, fresh_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a function of a program gives is looked at as the program would use it."""
    part = RedisConfig(addr=f"127.0.0.1:{redis_server.port}", key_prefix=fresh_prefix)
    (tmp_path / "own_caches.py").write_text(
        "from aiocache_kit import Config, RedisConfig, new_provider\n"
        f"def make():\n    part = RedisConfig(addr={part.addr!r}, key_prefix={fresh_prefix!r})\n"
        "    return new_provider(Config(provider='redis', redis_config=part))\n",
        "utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)  # pyright: ignore[reportUnknownMemberType]  # as pytest declares it

    async def store(cache: Provider) -> None:
        async with cache:
            await cache.set("user", 1)

    asyncio.run(store(new_provider(Config(provider="redis", redis_config=part))))

    assert aiocache_kit("keys", "--app", "own_caches:make").out == "user\n"
    assert aiocache_kit("stats", "--json", "--app", "own_caches:make").json["kind"] == "custom"
    assert aiocache_kit("top", "--app", "own_caches:make").code == 5
