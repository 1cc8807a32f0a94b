import dataclasses
import traceback
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit.config import Config, FileConfig, MemoryConfig, RedisConfig, SentinelConfig, TLSConfig
from aiocache_kit.errors import ConfigError

SECRET = "p@ss/w?o#r:d %"  # noqa: S105  - it opens nothing
ENCODED = quote(SECRET, safe="")


def redis(part: RedisConfig) -> Config:
    return Config(provider="redis", redis_config=part)


def message(url: str) -> str:
    """The one sentence of a refusal, with all that a traceback would show besides the lines of code."""
    with pytest.raises(ConfigError) as refusal:
        Config.from_url(url)
    assert str(refusal.value).startswith(refusal.value.field + " ")
    shown = [error for error in (refusal.value.__cause__, refusal.value.__context__) if error is not None]
    assert refusal.value.__suppress_context__ or shown == []
    return "".join(traceback.format_exception_only(refusal.value)).removeprefix("aiocache_kit.errors.ConfigError: ")


@pytest.mark.parametrize(
    ("url", "config"),
    [
        ("memory://", Config()),
        ("lru://", Config(provider="lru")),
        ("null://?default_ttl=5m", Config(provider="null", default_ttl=300)),
        ("custom://?sync_interval=5", Config(provider="custom", sync_interval=5)),
        ("memory://?default_ttl=none&max_size=64MB", Config(default_ttl=None, max_size=64_000_000)),
        (
            "memory://?max_entries=1000&eviction_policy=lru&shard_count=4&memory_isolation=copy",
            Config(
                max_entries=1000, eviction_policy="lru", memory_config=MemoryConfig(shard_count=4, isolation="copy")
            ),
        ),
        (
            "lru://?snapshot_path=%2Fvar%2Flib%2Fitems&sync_interval=30s",
            Config(provider="lru", sync_interval=30, memory_config=MemoryConfig(snapshot_path="/var/lib/items")),
        ),
        (
            "file:///var/cache/my%20app?max_entries=5&janitor_interval=1h&file_perm=0640",
            Config(
                provider="file",
                max_entries=5,
                file_config=FileConfig(dir="/var/cache/my app", janitor_interval=3600, file_perm=0o640),
            ),
        ),
        ("redis://", redis(RedisConfig())),
        ("redis://host", redis(RedisConfig(addr="host:6379"))),
        ("redis://host:1/", redis(RedisConfig(addr="host:1"))),
        ("redis://[::1]:1/3", redis(RedisConfig(addr="[::1]:1", db=3))),
        (
            f"redis://user:{ENCODED}@host:6380/2?pool_size=5&redis_read_timeout=250ms",
            redis(
                RedisConfig(addr="host:6380", username="user", password=SECRET, db=2, pool_size=5, read_timeout=0.25)
            ),
        ),
        (f"redis://:{ENCODED}@host", redis(RedisConfig(addr="host", password=SECRET))),
        ("redis://user@host", redis(RedisConfig(addr="host", username="user"))),
        ("rediss://host", redis(RedisConfig(addr="host", tls=True))),
        ("rediss://host?tls=true", redis(RedisConfig(addr="host", tls=True))),
        ("rediss://host?tls_ca_file=%2Fca", redis(RedisConfig(addr="host", tls=TLSConfig(ca_file="/ca")))),
        ("redis://a:1,b,c:3?cluster=true", redis(RedisConfig(cluster=True, cluster_addrs=["a:1", "b", "c:3"]))),
        ("redis://?cluster=1&cluster_addrs=a,b", redis(RedisConfig(cluster=True, cluster_addrs=["a", "b"]))),
        (
            f"redis://?sentinel_addrs=a,b:1&sentinel_service_name=main&sentinel_password={ENCODED}",
            redis(RedisConfig(sentinel=SentinelConfig(addrs=["a", "b:1"], service_name="main", password=SECRET))),
        ),
        ("unix:///run/redis.sock?db=3", redis(RedisConfig(unix_socket="/run/redis.sock", db=3))),
        (
            f"unix://user:{ENCODED}@/run/my%20redis.sock",
            redis(RedisConfig(unix_socket="/run/my redis.sock", username="user", password=SECRET)),
        ),
    ],
)
def test_urls_are_read(url: str, config: Config) -> None:
    """Each scheme, with what may stand before and in its query, gives the configuration that it says."""
    assert Config.from_url(url) == config


ADDRESS = 'redis_config.addr is wrong: it must be an address such as "localhost:6379", or "[::1]:6379" for IPv6'
UNENCODED = "url holds # or @ where they mean nothing: write /, ?, # and @ as %2F, %3F, %23 and %40"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "url must begin with one of memory://, lru://, null://, redis://, rediss://, unix://, file://, custom://"),
        ("memory", "url must begin with one of memory://"),
        ("memory:", "url must begin with one of memory://"),
        ("http://host", "url must begin with one of memory://"),
        ("REDIS ://host", "url must begin with one of memory://"),
        ("memory://host", "url must have no host and no path, as in memory://?max_entries=1000"),
        ("custom://host", "url must have no host and no path, as in custom://?max_entries=1000"),
        ("null:///path", "url must have no host and no path, as in null://?max_entries=1000"),
        ("file://", "url must have a path and no host, as in file:///var/lib/app"),
        ("file://host/path", "url must have a path and no host, as in file:///var/lib/app"),
        ("unix://host/path", "url must have a path and no host, as in unix:///var/lib/app"),
        ("unix://", "url must have a path and no host"),
        ("redis://host:0", ADDRESS),
        ("redis://host:port", ADDRESS),
        ("redis://a:1,b:2", ADDRESS),
        ("redis://::1", ADDRESS),
        ("redis://host/one", "redis_config.db is wrong: it must be a whole number of at least 0"),
        ("redis://host/0/1", "redis_config.db is wrong: it must be a whole number of at least 0"),
        ("redis://a:x?cluster=true", "redis_config.cluster_addrs is wrong: it must be a list or tuple of addresses"),
        ("redis://host?db", "url must have a query of at most 100 fields, as in ?name=value&name=value"),
        ("redis://host?" + "db=1&" * 100 + "db=1", "url must have a query of at most 100 fields"),
        ("redis://host?password=%ff", "url must have a query of at most 100 fields"),
        ("redis://%ff@host", "url holds percent-encoded bytes that are not UTF-8"),
        ("redis://host?db=", "redis_config.db has no value in the URL"),
        ("redis://host/1?db=1", "redis_config.db is given twice"),
        ("redis://host?db=1&redis_db=1", "redis_config.db is given twice"),
        ("redis://host?addr=other", "redis_config.addr is given twice"),
        ("redis://host?provider=lru", "provider is given twice"),
        ("rediss://host?tls=false", "redis_config.tls is given twice, or switched off and given"),
        ("redis://host?tls=false&tls_ca_file=a", "redis_config.tls.ca_file is given, but redis_config.tls is not true"),
        ("redis://host?max_entrys=1", "url has a field that is unknown: the nearest that is known is max_entries"),
        (
            "redis://host?timeout=1",
            "url has a field that is unknown: the nearest that are known are dial_timeout, load_stale_timeout, load_",
        ),
        ("redis://host?foo=1", "url has a field that is unknown, and nothing that is known is called like it"),
        ("memory://?redis_sizer=1", "url has a field that is unknown: the nearest that is known is redis_"),
        ("memory://?sizer=len", "memory_config.sizer cannot be given as text: give it in Python"),
        ("memory://?max_entries=0", "max_entries is 0, but must be"),
        ("memory://?max_entries=x", "max_entries is 'x', but must be"),
        ("redis://user:pass/word@host", UNENCODED),
        ("redis://user:pass?word@host", UNENCODED),
        ("redis://user:pass#word@host", UNENCODED),
        ("redis://host/0#part", UNENCODED),
    ],
)
def test_wrong_urls_are_one_sentence(url: str, said: str) -> None:
    """Whatever is wrong with a URL is said in one sentence that names the field, or the URL itself."""
    assert message(url).startswith(said)


@pytest.mark.parametrize("not_text", [b"redis://", None, 5])
def test_a_url_is_text(not_text: object) -> None:
    """What is no `str` is refused."""
    with pytest.raises(ConfigError, match=r"^url is of type \w+, but must be a str$"):
        Config.from_url(not_text)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  - what is tested


@pytest.mark.parametrize(
    "url",
    [
        "redis://user:swordfish@host:x/0",
        "redis://user:swordfish@host/x",
        "redis://user:swordfish@host/?nothing=1",
        "redis://user:swordfish@host?db=-1",
        "redis://user:sword/swordfish@host",
        "redis://user:sword?swordfish@host",
        "redis://user:sword#swordfish@host",
        "redis://user:swordfish",
        "redis://user:1/swordfish",
        "redis://swordfish:x@host:0",
        "unix://user:swordfish@host/path",
        "memory://user:swordfish@host",
        "swordfish://host",
        "redis://user:swordfish%ff@host",
        "redis://host?password=swordfish&db=x",
        "redis://host?encryption_keys=swordfish",
        "redis://host?key_hash_secret=swordfish",
        "redis://host?sentinel_password=swordfish&sentinel_addrs=a",
        "file://user:swordfish@host/path",
        "redis://a:swordfish@x:y?cluster=true",
    ],
)
def test_no_message_shows_a_password(url: str) -> None:
    """However a URL is wrong, and wherever its password ended up in it, the message does not show the password."""
    assert "swordfish" not in message(url)


@given(
    st.text()
    | st.tuples(
        st.sampled_from(["memory://", "lru://", "null://", "redis://", "rediss://", "unix://", "file://", "custom://"]),
        st.text() | st.text("ab:@/?#=&%[]0,.", max_size=20),
        st.sampled_from(["", "?max_entries=", "?db=", "?default_ttl=", "?tls=", "?cluster=true&", "?sentinel_addrs="]),
        st.text(max_size=20) | st.sampled_from(["1", "none", "true", "a,b"]),
    ).map("".join)
)
def test_any_text_gives_a_configuration_or_one_error(url: str) -> None:
    """Whatever the text, there is a configuration or a `ConfigError`, nothing else."""
    try:
        config = Config.from_url(url)
    except ConfigError:
        return
    assert isinstance(config, Config)


@given(
    username=st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    password=st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    db=st.integers(0, 10**9),
    path=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
)
def test_what_is_encoded_comes_back(username: str | None, password: str | None, db: int, path: str) -> None:
    """Every user, password and path can be written in a URL, percent-encoded, and comes back as it was."""
    user = "" if username is None else quote(username, safe="")
    word = "" if password is None else ":" + quote(password, safe="")
    url = f"unix://{user}{word}@/{quote(path, safe='')}?db={db}"
    expected = RedisConfig(username=username, password=password, db=db, unix_socket=f"/{path}")

    assert Config.from_url(url) == redis(expected)


def test_a_url_can_be_refined() -> None:
    """What a URL cannot say is added with `dataclasses.replace`."""
    config = Config.from_url("memory://?max_entries=5")
    refined = dataclasses.replace(config, memory_config=dataclasses.replace(config.memory_config, hash_func=len))

    assert refined == Config(max_entries=5, memory_config=MemoryConfig(hash_func=len))
