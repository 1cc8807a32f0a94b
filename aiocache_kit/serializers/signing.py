"""Signatures: whoever cannot sign cannot put anything into the cache that is believed.

    sealed = fingerprint of the secret (4), signature (32), body

HMAC with SHA-256 (RFC 2104), or BLAKE2b with a key (RFC 7693), over the fingerprint, what the body belongs to, and the
body. Compared in constant time. Everybody can read the body.
"""

import hmac
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from aiocache_kit.errors import ConfigError
from aiocache_kit.serializers.keyring import KEY_ID_SIZE, Secret, read_keys
from aiocache_kit.serializers.seal import together, unfit

_SIZE: Final = 32
_START: Final = KEY_ID_SIZE + _SIZE
_PERSON: Final = b"aiocache_kit mac"


def _hmac_sha256(secret: bytes, message: bytes) -> bytes:
    return hmac.digest(secret, message, "sha256")


def _blake2b(secret: bytes, message: bytes) -> bytes:
    key = secret if len(secret) <= blake2b.MAX_KEY_SIZE else blake2b(secret).digest()
    return blake2b(message, key=key, digest_size=_SIZE, person=_PERSON).digest()


_ALGORITHMS: Final = {"hmac-sha256": (1, _hmac_sha256), "blake2b": (2, _blake2b)}


class Signing:
    """Signs with the first of `keys`, and believes what any of them has signed."""

    __slots__ = ("_first", "_secrets", "_sign", "id")

    needs_secret = True

    def __init__(self, keys: Sequence[Secret], algorithm: str = "hmac-sha256") -> None:
        """Take secrets of at least 32 bytes and ``hmac-sha256`` or ``blake2b``; raise `ConfigError` for others."""
        if algorithm not in _ALGORITHMS:
            raise ConfigError("signing", f"must be one of {', '.join(_ALGORITHMS)}")
        self.id, self._sign = _ALGORITHMS[algorithm]
        ring = read_keys("signing_keys", keys)
        self._first = ring[0]
        self._secrets = dict(ring)

    def __repr__(self) -> str:
        return f"<Signing, {len(self._secrets)} keys>"

    def seal(self, body: bytes, bound: bytes) -> bytes:
        """Give the signed `body`."""
        key_id, secret = self._first
        return b"".join((key_id, self._sign(secret, key_id + together(bound, body)), body))

    def open(self, sealed: bytes, bound: bytes) -> bytes:
        """Give the body; raise `CorruptPayloadError` unless one of the secrets signed it for the same `bound`."""
        key_id, body = sealed[:KEY_ID_SIZE], sealed[_START:]
        secret = self._secrets.get(key_id)
        if secret is None or len(sealed) < _START:
            raise unfit()
        if not hmac.compare_digest(sealed[KEY_ID_SIZE:_START], self._sign(secret, key_id + together(bound, body))):
            raise unfit()
        return body
