import string
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit.config import (
    Config,
    FileConfig,
    LoadConfig,
    MemoryConfig,
    RateLimitConfig,
    RedisConfig,
    SentinelConfig,
    TLSConfig,
)
from aiocache_kit.config.sources import names_of
from aiocache_kit.errors import ConfigError

FULL = Config(
    provider="memory",
    default_ttl=None,
    max_entries=20_000,
    max_size="64MiB",
    eviction_policy="sieve",
    sync_interval=30,
    cleanup_interval=0.5,
    serialization_format="msgpack",
    compression="zstd",
    compression_level=7,
    compression_threshold=2048,
    max_value_size="1MiB",
    encryption="chacha20-poly1305",
    encryption_keys=[bytes(range(32)), bytes(range(32, 64))],
    key_hash_secret=bytes(range(64)),
    key_hash_readable=8,
    strict=True,
    load_config=LoadConfig(
        jitter=0.25,
        stale_while_revalidate=60,
        stale_if_error=None,
        throttle=0,
        refresh_ahead=0.8,
        early_beta=1,
        timeout=10,
        stale_timeout=0.5,
        negative_ttl=2,
        cache_none=False,
        max_loads=50,
        max_waiting_loads=0,
    ),
    rate_limit=RateLimitConfig(rate=100, per=60, burst=200, on_unavailable="raise"),
    memory_config=MemoryConfig(shard_count=4, isolation="copy", snapshot_path="/var/lib/app/items"),
    file_config=FileConfig(
        dir="/var/cache/app", file_perm=0o640, dir_perm=0o750, cache_file_prefix="app_", janitor_interval=90
    ),
    redis_config=RedisConfig(
        username="app",
        password="none",  # noqa: S106  - a password that is a word elsewhere
        db=0,
        max_retries=0,
        dial_timeout=0.1,
        read_timeout=0.2,
        write_timeout=0.3,
        pool_size=5,
        pool_timeout=0.4,
        tls=TLSConfig(ca_file="/ca", cert_file="/cert", key_file="/key", check_hostname=False),
        sentinel=SentinelConfig(
            addrs=["a", "[::1]:7"],
            service_name="main",
            username="guard",
            password="p@ss word",  # noqa: S106  - it opens nothing
        ),
        multiplexed=False,
        protocol=2,
        key_prefix="app:",
        lease_ttl=2.5,
        on_unavailable="miss",
        breaker_failures=3,
        breaker_wait=0.5,
    ),
)
ENVIRONMENT = {
    "PROVIDER": "memory",
    "DEFAULT_TTL": "none",
    "MAX_ENTRIES": "20_000",
    "MAX_SIZE": "64MiB",
    "EVICTION_POLICY": "sieve",
    "SYNC_INTERVAL": "30s",
    "CLEANUP_INTERVAL": "500ms",
    "SERIALIZATION_FORMAT": "msgpack",
    "COMPRESSION": "zstd",
    "COMPRESSION_LEVEL": "7",
    "COMPRESSION_THRESHOLD": "2KiB",
    "MAX_VALUE_SIZE": "1 MiB",
    "ENCRYPTION": "chacha20-poly1305",
    "ENCRYPTION_KEYS": f"{bytes(range(32)).hex()}, {bytes(range(32, 64)).hex()}",
    "KEY_HASH_SECRET": bytes(range(64)).hex(),
    "KEY_HASH_READABLE": "8",
    "STRICT": "on",
    "LOAD_JITTER": "0.25",
    "LOAD_STALE_WHILE_REVALIDATE": "1m",
    "LOAD_STALE_IF_ERROR": "none",
    "LOAD_THROTTLE": "0s",
    "LOAD_REFRESH_AHEAD": "0.8",
    "LOAD_EARLY_BETA": "1",
    "LOAD_TIMEOUT": "10s",
    "LOAD_STALE_TIMEOUT": "500ms",
    "LOAD_NEGATIVE_TTL": "2",
    "LOAD_CACHE_NONE": "no",
    "LOAD_MAX_LOADS": "50",
    "LOAD_MAX_WAITING_LOADS": "0",
    "RATE_LIMIT_RATE": "100",
    "RATE_LIMIT_PER": "1m",
    "RATE_LIMIT_BURST": "200",
    "RATE_LIMIT_ON_UNAVAILABLE": "raise",
    "MEMORY_SHARD_COUNT": "4",
    "MEMORY_ISOLATION": "copy",
    "MEMORY_SNAPSHOT_PATH": "/var/lib/app/items",
    "FILE_DIR": "/var/cache/app",
    "FILE_FILE_PERM": "0640",
    "FILE_DIR_PERM": "0o750",
    "FILE_CACHE_FILE_PREFIX": "app_",
    "FILE_JANITOR_INTERVAL": "1m30s",
    "REDIS_ADDR": "localhost:6379",
    "REDIS_USERNAME": "app",
    "REDIS_PASSWORD": "none",
    "REDIS_DB": "0",
    "REDIS_MAX_RETRIES": "0",
    "REDIS_DIAL_TIMEOUT": "100ms",
    "REDIS_READ_TIMEOUT": "0.2",
    "REDIS_WRITE_TIMEOUT": "300 ms",
    "REDIS_POOL_SIZE": "5",
    "REDIS_POOL_TIMEOUT": "0.4s",
    "REDIS_CLUSTER": "off",
    "REDIS_MULTIPLEXED": "no",
    "REDIS_PROTOCOL": "2",
    "REDIS_KEY_PREFIX": "app:",
    "REDIS_LEASE_TTL": "2.5s",
    "REDIS_ON_UNAVAILABLE": "miss",
    "REDIS_BREAKER_FAILURES": "3",
    "REDIS_BREAKER_WAIT": "500ms",
    "REDIS_TLS": "Yes",
    "REDIS_TLS_CA_FILE": "/ca",
    "REDIS_TLS_CERT_FILE": "/cert",
    "REDIS_TLS_KEY_FILE": "/key",
    "REDIS_TLS_CHECK_HOSTNAME": "false",
    "REDIS_SENTINEL_ADDRS": "a, [::1]:7",
    "REDIS_SENTINEL_SERVICE_NAME": "main",
    "REDIS_SENTINEL_USERNAME": "guard",
    "REDIS_SENTINEL_PASSWORD": "p@ss word",
}
TOML = """
[tool.other]
key = 1

[aiocache_kit]
provider = "memory"
default_ttl = "none"
max_entries = 20_000
max_size = "64MiB"
eviction_policy = "sieve"
sync_interval = "30s"
cleanup_interval = 0.5
serialization_format = "msgpack"
compression = "zstd"
compression_level = 7
compression_threshold = "2KiB"
max_value_size = 1_048_576
encryption = "chacha20-poly1305"
encryption_keys = [
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
]
key_hash_secret = "SECRET"
key_hash_readable = 8
strict = true

[aiocache_kit.load_config]
jitter = 0.25
stale_while_revalidate = 60
stale_if_error = "none"
throttle = 0
refresh_ahead = 0.8
early_beta = 1
timeout = "10s"
stale_timeout = 0.5
negative_ttl = "2s"
cache_none = false
max_loads = 50
max_waiting_loads = 0

[aiocache_kit.rate_limit]
rate = 100
per = "1m"
burst = 200
on_unavailable = "raise"

[aiocache_kit.memory_config]
shard_count = 4
isolation = "copy"
snapshot_path = "/var/lib/app/items"

[aiocache_kit.file_config]
dir = "/var/cache/app"
file_perm = 0o640
dir_perm = 0o750
cache_file_prefix = "app_"
janitor_interval = 90

[aiocache_kit.redis_config]
username = "app"
password = "none"
max_retries = 0
dial_timeout = "100ms"
read_timeout = 0.2
write_timeout = 0.3
pool_size = 5
pool_timeout = 0.4
cluster = false
multiplexed = false
protocol = 2
key_prefix = "app:"
lease_ttl = 2.5
on_unavailable = "miss"
breaker_failures = 3
breaker_wait = "0.5s"
tls = { ca_file = "/ca", cert_file = "/cert", key_file = "/key", check_hostname = false }

[aiocache_kit.redis_config.sentinel]
addrs = ["a", "[::1]:7"]
service_name = "main"
username = "guard"
password = "p@ss word"
""".replace("SECRET", bytes(range(64)).hex())


def message(build: Callable[[], object]) -> str:
    """The one sentence of a refusal."""
    with pytest.raises(ConfigError) as refusal:
        build()
    assert str(refusal.value).startswith(refusal.value.field + " ")
    return str(refusal.value)


def from_env(**variables: str) -> Config:
    return Config.from_env(environ={f"AIOCACHE_KIT_{name}": value for name, value in variables.items()})


# --- the environment ------------------------------------------------------------------------------------------------


def test_every_field_can_be_a_variable() -> None:
    """A configuration with every field that text can give is read from variables as it would be built in Python."""
    assert from_env(**ENVIRONMENT) == FULL
    texts = {name.upper() for name, _ in names_of(Config)}
    assert texts - set(ENVIRONMENT) == {
        "LOAD_STALE_ON",
        "FILE_FSYNC",
        "FILE_SHARED",
        "MEMORY_HASH_FUNC",
        "MEMORY_SIZER",
        "REDIS_CLIENT_CACHE",
        "REDIS_CLUSTER_ADDRS",
        "REDIS_UNIX_SOCKET",
        # Together with the others, a contradiction.
        "ENCRYPTION_KEYS_FILE",
        "KEY_HASH_SECRET_FILE",
        "SIGNING",
        "SIGNING_KEYS",
        "SIGNING_KEYS_FILE",
    }


def test_signatures_can_be_variables() -> None:
    """What is signed and where secrets lie are read from variables as well; a file is not looked for yet."""
    secret = bytes(range(40))
    assert from_env(SIGNING="blake2b", SIGNING_KEYS=secret.hex()) == Config(signing="blake2b", signing_keys=[secret])
    files = from_env(SIGNING_KEYS_FILE="/run/secrets/one", KEY_HASH_SECRET_FILE="/run/secrets/two")  # noqa: S106  - a path
    assert (files.signing_keys_file, files.key_hash_secret_file) == ("/run/secrets/one", "/run/secrets/two")
    assert from_env(ENCRYPTION_KEYS_FILE="/k").encryption_keys_file == "/k"
    assert from_env(KEY_HASH_SECRET="none") == Config()  # noqa: S106  - none
    assert "deadbeef" not in message(lambda: from_env(ENCRYPTION_KEYS="deadbeef"))


def test_how_files_are_kept_can_be_variables() -> None:
    """Whether a directory is shared, and whether writes survive a loss of power, are read from variables as well."""
    config = from_env(PROVIDER="file", FILE_DIR="/var/cache/app", FILE_SHARED="yes", FILE_FSYNC="on")
    assert (config.file_config.shared, config.file_config.fsync) == (True, True)


def test_a_cluster_and_a_socket_can_be_variables() -> None:
    """The fields that contradict those above are read as well."""
    redis = from_env(REDIS_CLUSTER="on", REDIS_CLUSTER_ADDRS="a:1,b").redis_config
    assert redis == RedisConfig(cluster=True, cluster_addrs=["a:1", "b"])
    assert from_env(REDIS_UNIX_SOCKET="/run/redis").redis_config.unix_socket == "/run/redis"
    assert from_env(REDIS_CLIENT_CACHE="64MB").redis_config.client_cache == 64_000_000


def test_no_variables_are_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other variables and empty ones count for nothing; the environment of the process is what is read."""
    assert Config.from_env(environ={"PATH": "/bin", "AIOCACHE_KIT_MAX_ENTRIES": "", "aiocache_kit_x": "1"}) == Config()
    monkeypatch.setenv("AIOCACHE_KIT_MAX_ENTRIES", "5")
    assert Config.from_env() == Config(max_entries=5)
    assert Config.from_env("OTHER_") == Config()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"MAX_ENTRYS": "1"},
            "AIOCACHE_KIT_MAX_ENTRYS is unknown: the nearest that is known is AIOCACHE_KIT_MAX_ENTRIES",
        ),
        (
            {"REDIS_CONFIG_ADDR": "a"},
            "AIOCACHE_KIT_REDIS_CONFIG_ADDR is unknown: the nearest that is known is AIOCACHE_KIT_REDIS_ADDR",
        ),
        ({"MEMORY_SIZER": "len"}, "memory_config.sizer cannot be given as text: give it in Python"),
        (
            {"REDIS_TLS": "no", "REDIS_TLS_CA_FILE": "/ca"},
            "redis_config.tls.ca_file is given, but redis_config.tls is not true",
        ),
        ({"REDIS_TLS": "maybe"}, "redis_config.tls is 'maybe', but must be True, False or a TLSConfig"),
        ({"REDIS_CLUSTER": "2"}, "redis_config.cluster is '2', but must be True or False"),
        ({"REDIS_DB": "one"}, "redis_config.db is 'one', but must be a whole number of at least 0"),
        ({"REDIS_POOL_SIZE": "9" * 5000}, "redis_config.pool_size is a text of 5000 characters, but"),
        ({"FILE_FILE_PERM": "888"}, "file_config.file_perm is '888', but must be permissions"),
        ({"DEFAULT_TTL": "never"}, "default_ttl is 'never', but must be"),
        ({"MAX_ENTRIES": "none"}, "max_entries is None, and so is max_size"),
        ({"REDIS_SENTINEL_SERVICE_NAME": "main"}, "redis_config.sentinel.addrs is empty"),
    ],
)
def test_wrong_variables_are_one_sentence(variables: dict[str, str], said: str) -> None:
    """A variable that is unknown, or has a value that its field refuses, is said in one sentence."""
    assert message(lambda: from_env(**variables)).startswith(said)


def test_a_prefix_is_needed() -> None:
    """Without a prefix every variable of the process would be meant."""
    assert message(lambda: Config.from_env("", {})).startswith("prefix is '', but must be a str that is not empty")


junk = st.dictionaries(
    st.sampled_from(sorted(ENVIRONMENT)) | st.text(string.ascii_uppercase + "_"),
    st.sampled_from(sorted(set(ENVIRONMENT.values()))) | st.text(),
    max_size=4,
)


@given(junk)
def test_any_variables_give_a_configuration_or_one_error(variables: dict[str, str]) -> None:
    """Whatever is in the environment, there is a configuration or a `ConfigError`, nothing else."""
    try:
        config = from_env(**variables)
    except ConfigError:
        return
    assert isinstance(config, Config)


# --- TOML -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def toml(tmp_path: Path) -> Callable[[str], Path]:
    """Write a TOML file and give its path."""

    def write(text: str) -> Path:
        path = tmp_path / "app.toml"
        path.write_text(text, "utf-8")
        return path

    return write


def test_every_field_can_be_in_a_file(toml: Callable[[str], Path]) -> None:
    """A configuration with every field is read from a file as it would be built in Python."""
    assert Config.from_toml(toml(TOML)) == FULL


def test_the_table_may_be_elsewhere(toml: Callable[[str], Path]) -> None:
    """The table may be one of [tool], and may have another name."""
    path = toml("[tool.aiocache_kit]\nmax_entries = 5\n[sessions]\nmax_entries = 6\n[tool.pages]\nmax_entries = 7\n")

    assert Config.from_toml(path) == Config(max_entries=5)
    assert Config.from_toml(str(path), table="sessions") == Config(max_entries=6)
    assert Config.from_toml(path, table="pages") == Config(max_entries=7)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "table names no table: the file must have one of [aiocache_kit] and [tool.aiocache_kit]"),
        ("aiocache_kit = 5", "table names no table: the file must have one of"),
        ("tool = 5", "table names no table: the file must have one of"),
        ("[aiocache_kit]\n[tool.aiocache_kit]", "table names no table: the file has both"),
        ("[aiocache_kit", "path leads to a file that is not TOML: "),
        ("a = 1\na = 2", "path leads to a file that is not TOML: "),
        ("a = " + "[" * 10_000, "path leads to a file that is not TOML: "),
        ("[aiocache_kit]\nmax_entrys = 1", "max_entrys is unknown: the nearest that is known is max_entries"),
        ("[aiocache_kit.redis]\naddr = 'a'", "redis is unknown: the nearest that is known is redis_config"),
        (
            "[aiocache_kit.redis_config]\nadress = 'a'",
            "redis_config.adress is unknown: the nearest that is known is addr",
        ),
        (
            "[aiocache_kit.redis_config.tls]\nca = 'a'",
            "redis_config.tls.ca is unknown: the nearest that is known is ca_file",
        ),
        ("[aiocache_kit]\nmax_entries = '5'", "max_entries is '5', but must be a whole number"),
        ("[aiocache_kit]\nmax_entries = 1979-05-27", "max_entries is of type date, but must be"),
        ("[aiocache_kit]\nmax_entries = {}", "max_entries is of type dict, but must be"),
        ("[aiocache_kit]\nmemory_config = 5", "memory_config is 5, but must be a MemoryConfig"),
        ("[aiocache_kit.memory_config]\nsizer = 'len'", "memory_config.sizer cannot be given as text"),
        ("[aiocache_kit.file_config]\nfile_perm = 600", "file_config.file_perm is 600, but must be permissions"),
        ("[aiocache_kit.redis_config]\npassword = 5", "redis_config.password is wrong: it must be"),
    ],
)
def test_wrong_files_are_one_sentence(toml: Callable[[str], Path], text: str, said: str) -> None:
    """A file that is not TOML, has no table of ours, or holds something wrong, is said in one sentence."""
    path = toml(text)

    assert message(lambda: Config.from_toml(path)).startswith(said)


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    """A file that is missing, is a directory or is no text is said in one sentence as well."""
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")

    missing = message(lambda: Config.from_toml(tmp_path / "missing"))
    assert missing == "path leads to no file that can be read: No such file or directory"
    directory = message(lambda: Config.from_toml(tmp_path))
    assert directory == "path leads to no file that can be read: Is a directory"
    assert message(lambda: Config.from_toml(tmp_path / "bytes")).startswith("path leads to a file that is not TOML: ")


@given(st.text())
def test_any_file_gives_a_configuration_or_one_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever is in a file, there is a configuration or a `ConfigError`, nothing else."""
    path = tmp_path_factory.mktemp("toml") / "app.toml"
    path.write_text(f"[aiocache_kit]\n{text}", "utf-8", errors="surrogatepass")
    try:
        config = Config.from_toml(path)
    except ConfigError:
        return
    assert isinstance(config, Config)
