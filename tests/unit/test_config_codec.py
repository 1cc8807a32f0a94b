import dataclasses
import itertools
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from aiocache_kit.config import Config
from aiocache_kit.config.codec import codec_of, key_hasher_of
from aiocache_kit.errors import ConfigError, CorruptPayloadError, MissingDependencyError, ValueTooLargeError
from aiocache_kit.item import Item
from aiocache_kit.serializers.registry import register_serializer
from tests.unit.serializers.samples import NEW, OLD

ITEM = Item(key="key", value=cast("object", {"a": ["text " * 100]}), version=1)


class Runs:
    """A serializer that can run code when it reads."""

    name = "runs"
    runs_code = True

    def encode(self, value: object) -> bytes:
        return repr(value).encode()

    def decode(self, data: bytes, type: type[object] | None = None) -> object:
        return data if type is None else None


def secrets(path: Path, *lines: str) -> str:
    path.write_text("\n".join(lines), "ascii")
    return str(path)


@pytest.mark.parametrize(
    ("config", "shown"),
    [
        (Config(), "<Codec json, no compression, seal 0>"),
        (Config(serialization_format="msgpack", compression="gzip"), "<Codec msgpack, gzip, seal 0>"),
        (Config(signing_keys=[OLD], compression="zstd"), "<Codec json, zstd, seal 1>"),
        (Config(signing_keys=[OLD], signing="blake2b"), "<Codec json, no compression, seal 2>"),
        (Config(encryption_keys=[OLD], compression="lz4"), "<Codec json, lz4, seal 3>"),
        (Config(encryption_keys=[OLD], encryption="chacha20-poly1305"), "<Codec json, no compression, seal 4>"),
        (Config(encryption_keys=[OLD], serialization_format="pickle"), "<Codec pickle, no compression, seal 3>"),
    ],
    ids=lambda value: "" if isinstance(value, Config) else str(value),
)
def test_a_codec_is_what_the_configuration_says(config: Config, shown: str) -> None:
    """Serializer, compression and seal are those that were named, and what the codec writes it reads."""
    codec = codec_of(config)

    assert repr(codec) == shown
    assert codec.decode("key", codec.encode(ITEM)) == ITEM


def test_level_and_threshold_reach_the_compression() -> None:
    """A higher level gives fewer bytes, and a higher threshold none that are compressed."""
    text = Item(key="key", value=cast("object", [str(number**3) for number in range(2000)]))
    fast, best = (codec_of(Config(compression="zlib", compression_level=level)) for level in (1, 9))
    never = codec_of(Config(compression="zlib", compression_threshold="1MB"))

    assert len(best.encode(text)) < len(fast.encode(text)) < len(never.encode(text))
    assert len(never.encode(text)) == len(codec_of(Config()).encode(text))
    assert len(codec_of(Config(compression="zlib", compression_threshold=1)).encode(ITEM)) < 200
    assert len(codec_of(Config(compression="zlib")).encode(ITEM)) > 500  # below 1024


def test_a_value_over_the_configured_limit_is_refused() -> None:
    """`max_value_size` bounds what is written, and what is read."""
    small = codec_of(Config(max_value_size="100B"))
    with pytest.raises(ValueTooLargeError, match="100 are allowed"):
        small.encode(ITEM)
    with pytest.raises(CorruptPayloadError):
        small.decode("key", codec_of(Config()).encode(ITEM))
    assert small.decode("key", small.encode(Item(key="key", value="x" * 100))).value == "x" * 100


def test_secrets_change_without_a_gap() -> None:
    """The first secret writes and all read, so a fleet changes its secret in three steps."""
    steps = [codec_of(Config(encryption_keys=keys)) for keys in ([OLD], [OLD, NEW], [NEW, OLD], [NEW])]
    for before, after in itertools.pairwise(steps):
        assert after.decode("key", before.encode(ITEM)) == ITEM
        assert before is steps[0] or before.decode("key", after.encode(ITEM)) == ITEM
    with pytest.raises(CorruptPayloadError):
        steps[3].decode("key", steps[0].encode(ITEM))


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["encryption", "signing"])
def test_secrets_may_lie_in_a_file(tmp_path: Path, kind: str) -> None:
    """A file has one secret a line, empty lines do not count, and it means the same as the secrets themselves."""
    path = secrets(tmp_path / "keys", NEW.hex(), "", f"  {OLD.hex()} ", "")
    by_file = codec_of(Config.build({f"{kind}_keys_file": path}))
    by_value = codec_of(Config.build({f"{kind}_keys": [NEW, OLD]}))

    assert by_value.decode("key", by_file.encode(ITEM)) == ITEM
    assert by_file.decode("key", codec_of(Config.build({f"{kind}_keys": [OLD]})).encode(ITEM)) == ITEM


def test_the_secret_of_keys_may_lie_in_a_file(tmp_path: Path) -> None:
    """A file with one secret means the same as that secret; there may not be two."""
    one = key_hasher_of(Config(key_hash_secret_file=secrets(tmp_path / "one", OLD.hex() + "\n")))
    same = key_hasher_of(Config(key_hash_secret=OLD))

    assert one is not None
    assert same is not None
    assert one.hashed("user:1") == same.hashed("user:1")
    with pytest.raises(ConfigError, match=r"^key_hash_secret_file leads to a file of 2 secrets, but must hold one$"):
        key_hasher_of(Config(key_hash_secret_file=secrets(tmp_path / "two", OLD.hex(), NEW.hex())))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "encryption_keys_file leads to a file that is empty"),
        (b"\n \n", "encryption_keys_file leads to a file that is empty"),
        (b"\xff\xfe" + OLD, "encryption_keys_file leads to a file that is not text"),
        (b"a" * 100_001, "encryption_keys_file leads to a file that is empty, or too large"),
        (b"swordfish\n", "encryption_keys is not a secret"),
        (b"00" * 32, "encryption_keys is a secret that can be guessed"),
        (b"0badcafe\n", "encryption_keys is a secret of 4 bytes"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    """What is no list of secrets is refused when the codec is made, by a sentence that shows nothing of it."""
    path = tmp_path / "keys"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        codec_of(Config(encryption_keys_file=path))

    assert str(caught.value).startswith(said)
    for secret in ("swordfish", "0badcafe", str(tmp_path)):
        assert secret not in str(caught.value)


def test_a_file_that_is_missing_is_said_plainly(tmp_path: Path) -> None:
    """A missing file is an error when the codec is made, and shows no path."""
    with pytest.raises(
        ConfigError, match=r"^signing_keys_file leads to no file that can be read: No such file"
    ) as caught:
        codec_of(Config(signing_keys_file=tmp_path / "keys"))

    assert str(tmp_path) not in str(caught.value)


# --- keys, classes, extras --------------------------------------------------------------------------------------------


def test_keys_are_hashed_where_there_is_a_secret() -> None:
    """Without a secret keys stay as they are; with one, as many characters as wanted can be read."""
    assert key_hasher_of(Config()) is None
    hidden = key_hasher_of(Config(key_hash_secret=OLD))
    shown = key_hasher_of(Config(key_hash_secret=OLD, key_hash_readable=5))

    assert hidden is not None
    assert shown is not None
    assert hidden.hashed("@users:user:1").startswith("@users:#")
    assert shown.hashed("@users:user:1").startswith("@users:user:#")


def test_a_serializer_that_runs_code_needs_a_secret() -> None:
    """One of a user's own that can run code is refused like pickle, but only when a codec is made."""
    register_serializer("runs", Runs)
    config = Config(provider="redis", serialization_format="runs")
    with pytest.raises(ConfigError, match=r"^serialization_format is runs, which can run code"):
        codec_of(config)
    assert not codec_of(dataclasses.replace(config, signing_keys=[OLD])).has_bare_integers


@pytest.mark.parametrize(
    ("fields", "module", "extra"),
    [
        ({"encryption_keys": [OLD]}, "cryptography", "encryption"),
        ({"compression": "zstd"}, "zstandard", "zstd"),
        ({"compression": "lz4"}, "lz4", "lz4"),
    ],
)
def test_a_missing_extra_is_said_when_the_codec_is_made(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, object], module: str, extra: str
) -> None:
    """What an extra brings is looked for at once; the message names the extra."""
    config = Config.build(fields)
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError) as caught:
        codec_of(config)

    assert caught.value.extra == extra


def test_nobody_loads_what_is_not_configured() -> None:
    """A codec for json imports nothing of what only other configurations need."""
    program = """
import sys
from aiocache_kit.config import Config
from aiocache_kit.config.codec import codec_of, key_hasher_of
loaded = set(sys.modules)
codec_of(Config()), key_hasher_of(Config())
others = {"cryptography", "google", "hmac", "lz4", "msgpack", "msgspec", "pickle", "pydantic", "zstandard"}
print(sorted(others & (set(sys.modules) - loaded)), "hashlib" in loaded)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[] False"
