"""Keys that tell nothing: a keyed digest in place of the key, for stores that others can look into.

Without the secret nobody can tell which key a digest stands for, or try whether one is there. Namespaces stay readable,
so that one of them can be cleared. The way is one way: keys that were hashed cannot be listed.

BLAKE2b with a key (RFC 7693), 20 bytes as hexadecimal text.
"""

import re
from hashlib import blake2b
from typing import Final

from aiocache_kit.errors import ConfigError
from aiocache_kit.serializers.keyring import Secret, read_key

_SIZE: Final = 20
_NAMESPACES: Final = re.compile(r"(?:@[^@:]+:)*")
"""What a stored key begins with (see `aiocache_kit.keys`)."""
_MOST_READABLE: Final = 64


class KeyHasher:
    """Hashes stored keys. The same secret gives the same digests in every process, and must not change."""

    __slots__ = ("_digest", "_readable")

    def __init__(self, secret: Secret, *, readable: int = 0) -> None:
        """Take a secret of at least 32 bytes; `readable` first characters of each key are kept before its digest.

        Raises `ConfigError` for others.
        """
        if not 0 <= readable <= _MOST_READABLE:
            raise ConfigError("key_hash_readable", f"must be from 0 to {_MOST_READABLE}")
        key = read_key("key_hash_secret", secret)
        short = key if len(key) <= blake2b.MAX_KEY_SIZE else blake2b(key).digest()
        # Copied for each key: the secret is worked in once.
        self._digest = blake2b(key=short, digest_size=_SIZE, person=b"aiocache_kit key")
        self._readable = readable

    def __repr__(self) -> str:
        return f"<KeyHasher, {self._readable} readable>"

    def hashed(self, key: str) -> str:
        """Give the stored form that takes the place of stored `key`; one for each, and of bounded length."""
        found = _NAMESPACES.match(key)
        start = found.end() if found else 0
        digest = self._digest.copy()
        digest.update(key.encode("utf-8", "surrogatepass"))
        return f"{key[: start + self._readable]}#{digest.hexdigest()}"
