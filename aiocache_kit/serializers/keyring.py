"""Secrets in order: the first one is for writing, all of them are for reading.

That is how secrets are changed:

    1. add the new secret at the end everywhere    2. move it to the front    3. drop the old one when items have died

A payload says which secret it is under by a short fingerprint, so nobody has to name secrets.

Rule: a secret is right or refused when it is given, and no message shows one.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

from aiocache_kit.errors import ConfigError

KEY_ID_SIZE: Final = 4
LEAST_BYTES: Final = 32
_LEAST_KINDS: Final = 8
"""Different bytes that a secret must have: of 32 that are drawn by chance, practically all have more."""
_MOST_KEYS: Final = 100

Secret = bytes | str
"""Bytes, or hexadecimal text as `secrets.token_hex(32)` gives."""


class Keyed(NamedTuple):
    """A secret and its fingerprint."""

    id: bytes
    secret: bytes


def read_keys(field: str, keys: Sequence[Secret], *, exactly: int | None = None) -> list[Keyed]:
    """Check the secrets of `field`, each of `exactly` so many bytes (None: of at least 32).

    Raises `ConfigError` for none at all, a short one, one that was not drawn by chance (all zeros), or one twice.
    """
    if isinstance(keys, bytes | str) or not keys or len(keys) > _MOST_KEYS:
        raise ConfigError(field, f"must be a list of 1 to {_MOST_KEYS} secrets: the first writes, all read")
    ring = [_read_key(field, key, exactly) for key in keys]
    if len({key.id for key in ring}) != len(ring):
        raise ConfigError(field, "holds the same secret twice")
    return ring


def read_key(field: str, key: Secret) -> bytes:
    """Check one secret, of at least 32 bytes, and give it as bytes."""
    return _read_key(field, key, None).secret


def _read_key(field: str, key: Secret, exactly: int | None) -> Keyed:
    allowed = f"{exactly} bytes" if exactly else f"at least {LEAST_BYTES} bytes"
    advice = f"must be {allowed}, or as many as hexadecimal text: secrets.token_hex({exactly or LEAST_BYTES}) makes one"
    secret = _bytes(key)
    if secret is None:
        raise ConfigError(field, f"is not a secret: it {advice}")
    if len(secret) < LEAST_BYTES or (exactly is not None and len(secret) != exactly):
        raise ConfigError(field, f"is a secret of {len(secret)} bytes, but {advice}")
    if len(set(secret)) < _LEAST_KINDS:
        raise ConfigError(field, f"is a secret that can be guessed: it {advice}")
    return Keyed(fingerprint(secret), secret)


def _bytes(key: object) -> bytes | None:
    if isinstance(key, bytes):
        return key
    if isinstance(key, str):
        try:
            return bytes.fromhex(key)
        except ValueError:
            return None
    return None


def fingerprint(secret: bytes) -> bytes:
    """Give a name for a secret that tells nothing of it."""
    short = secret if len(secret) <= blake2b.MAX_KEY_SIZE else blake2b(secret).digest()
    return blake2b(key=short, digest_size=KEY_ID_SIZE, person=b"aiocache_kit id").digest()
