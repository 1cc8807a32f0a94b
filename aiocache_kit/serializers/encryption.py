"""Encryption: whoever has not the secret can neither read nor put anything into the cache that is believed.

    sealed = fingerprint of the secret (4), nonce (12), ciphertext and tag (16)

AES-256 in GCM (NIST SP 800-38D), or ChaCha20-Poly1305 (RFC 8439), with key and head of the item as associated data: a
value that was moved to another key, or given another expiration, does not open. The body is filled up to a multiple of
32 bytes, so that all small values are of one length.

Rule: the only file that imports cryptography, an extra.
"""

from collections.abc import Sequence
from typing import Final

from aiocache_kit.errors import ConfigError, MissingDependencyError
from aiocache_kit.serializers.keyring import KEY_ID_SIZE, Secret, read_keys
from aiocache_kit.serializers.nonces import NONCES
from aiocache_kit.serializers.nonces import SIZE as NONCE_SIZE
from aiocache_kit.serializers.seal import unfit

_KEY_SIZE: Final = 32
_TAG_SIZE: Final = 16
_START: Final = KEY_ID_SIZE + NONCE_SIZE
_BLOCK: Final = 32
_FILLERS: Final = tuple(bytes(size - 1) + bytes((size,)) for size in range(1, _BLOCK + 1))
_ALGORITHMS: Final = {"aes-256-gcm": 3, "chacha20-poly1305": 4}


class Encryption:
    """Encrypts with the first of `keys`, and decrypts with any of them."""

    __slots__ = ("_ciphers", "_failure", "_first", "_first_id", "id")

    needs_secret = True

    def __init__(self, keys: Sequence[Secret], algorithm: str = "aes-256-gcm") -> None:
        """Take secrets of 32 bytes and ``aes-256-gcm`` or ``chacha20-poly1305``; raise `ConfigError` for others.

        Raises `MissingDependencyError` where cryptography is not installed.
        """
        if algorithm not in _ALGORITHMS:
            raise ConfigError("encryption", f"must be one of {', '.join(_ALGORITHMS)}")
        ring = read_keys("encryption_keys", keys, exactly=_KEY_SIZE)
        try:
            from cryptography.exceptions import InvalidTag  # noqa: PLC0415  - an extra
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305  # noqa: PLC0415  - as above
        except ImportError as error:
            raise MissingDependencyError("cryptography", "encryption") from error
        self._failure = InvalidTag
        self.id = _ALGORITHMS[algorithm]
        make = AESGCM if algorithm == "aes-256-gcm" else ChaCha20Poly1305
        # Kept, because making one costs as much as encrypting a kilobyte.
        self._ciphers = {key.id: make(key.secret) for key in ring}
        self._first_id = ring[0].id
        self._first = self._ciphers[self._first_id]

    def __repr__(self) -> str:
        return f"<Encryption, {len(self._ciphers)} keys>"

    def seal(self, body: bytes, bound: bytes) -> bytes:
        """Give the encrypted `body`."""
        nonce = NONCES.next()
        filled = body + _FILLERS[-len(body) % _BLOCK - 1]
        return b"".join((self._first_id, nonce, self._first.encrypt(nonce, filled, self._first_id + bound)))

    def open(self, sealed: bytes, bound: bytes) -> bytes:
        """Give the body; raise `CorruptPayloadError` unless one of the secrets sealed it for the same `bound`."""
        key_id = sealed[:KEY_ID_SIZE]
        cipher = self._ciphers.get(key_id)
        if cipher is None or len(sealed) < _START + _TAG_SIZE:
            raise unfit()
        try:
            filled = cipher.decrypt(sealed[KEY_ID_SIZE:_START], sealed[_START:], key_id + bound)
        except self._failure:
            raise unfit() from None
        return filled[: -filled[-1]]
