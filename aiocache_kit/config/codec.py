"""What a configuration makes of values and keys that leave the process: its codec, and its hasher of keys.

Rule 1: an extra is imported where the configuration needs it, and then at once: what is missing is said when a provider
is built, and not when the first value is written.
Rule 2: a file of secrets is read here, each time, and what is in it is kept by the codec alone.
"""

from typing import TYPE_CHECKING, cast

from aiocache_kit.config.config import Config
from aiocache_kit.errors import ConfigError
from aiocache_kit.serializers.registry import new_serializer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiocache_kit.serializers.codec import Codec
    from aiocache_kit.serializers.compression import Compression
    from aiocache_kit.serializers.key_hashing import KeyHasher
    from aiocache_kit.serializers.keyring import Secret
    from aiocache_kit.serializers.seal import Seal

_LONGEST_FILE = 100_000
"""Bytes that a file of secrets may have: a hundred of them have less."""


def codec_of(config: Config) -> "Codec":
    """Make the codec for the values of `config`.

    Raises `MissingDependencyError` where an extra that it needs is not installed, and `ConfigError` where a file of
    secrets cannot be read or holds something else, or where a serializer that can run code has no secret.
    """
    from aiocache_kit.serializers.codec import Codec  # noqa: PLC0415  - not for storages that keep objects

    return Codec(
        new_serializer(config.serialization_format),
        compression=_compression(config),
        seal=seal_of(config),
        max_size=cast("int", config.max_value_size),
    )


def key_hasher_of(config: Config) -> "KeyHasher | None":
    """Make what hashes the keys of `config`; None: keys are stored as they are. Raises `ConfigError` as `codec_of`."""
    secret = config.key_hash_secret
    if config.key_hash_secret_file is not None:
        found = _read_secrets("key_hash_secret_file", config.key_hash_secret_file)
        if len(found) != 1:
            raise ConfigError("key_hash_secret_file", f"leads to a file of {len(found)} secrets, but must hold one")
        (secret,) = found
    if secret is None:
        return None
    from aiocache_kit.serializers.key_hashing import KeyHasher  # noqa: PLC0415  - rule 1

    return KeyHasher(secret, readable=config.key_hash_readable)


def _compression(config: Config) -> "Compression | None":
    if config.compression is None:
        return None
    from aiocache_kit.serializers.compression import THRESHOLD, Compression  # noqa: PLC0415  - rule 1

    threshold = THRESHOLD if config.compression_threshold is None else cast("int", config.compression_threshold)
    return Compression(config.compression, config.compression_level, threshold=threshold)


def seal_of(config: Config) -> "Seal | None":
    """Make what signs or encrypts by the secrets of `config`; None: it has none. Raises as `codec_of`."""
    if keys := _keys("encryption_keys_file", config.encryption_keys, config.encryption_keys_file):
        from aiocache_kit.serializers.encryption import Encryption  # noqa: PLC0415  - rule 1

        return Encryption(keys, config.encryption or "aes-256-gcm")
    if keys := _keys("signing_keys_file", config.signing_keys, config.signing_keys_file):
        from aiocache_kit.serializers.signing import Signing  # noqa: PLC0415  - rule 1

        return Signing(keys, config.signing or "hmac-sha256")
    return None


def _keys(field: str, given: "Sequence[Secret]", path: object) -> "Sequence[Secret]":
    return given if path is None else _read_secrets(field, cast("str", path))


def _read_secrets(field: str, path: object) -> "list[Secret]":
    """Give the lines of a file that are not empty; there is at least one."""
    from pathlib import Path  # noqa: PLC0415  - needed by those alone who have such a file

    try:
        with Path(cast("str", path)).open(encoding="ascii") as file:
            text = file.read(_LONGEST_FILE + 1)
    except OSError as error:
        raise ConfigError(
            field, f"leads to no file that can be read: {error.strerror or type(error).__name__}"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(field, "leads to a file that is not text: secrets are hexadecimal, one a line") from None
    lines = [line.strip() for line in text.splitlines()]
    found: list[Secret] = [line for line in lines if line]
    if not found or len(text) > _LONGEST_FILE:
        raise ConfigError(field, "leads to a file that is empty, or too large for secrets: they are text, one a line")
    return found
