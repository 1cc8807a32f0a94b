"""How things are called in Redis.

Everything begins with the prefix of the configuration, so that one server, and one user of it (ACL ``~app:*``), may
serve many programs.

    prefix key                  an item
    prefix @:t: tag             the generation of a tag
    prefix @:s: key             who refreshes the stale item under a key
    prefix @:l:{digest}         who holds a lock
    prefix @:f:{digest}         the fencing number of that lock; the braces keep both on one node of a cluster
    prefix @:r:digest           the bucket of a caller, for a rate limit

No stored key begins with ``@:``, since a namespace has a name (see `aiocache_kit.keys`).
"""

import re
from hashlib import blake2b
from typing import Final

from aiocache_kit.errors import UnsupportedError
from aiocache_kit.serializers.key_hashing import KeyHasher

_OWN: Final = b"@:"
_SPECIAL: Final = b"\\*?[]^"
_DIGEST: Final = 20
_NAMESPACE: Final = re.compile(r"(?:@[^@:]+:)*")
"""What the stored keys of a namespace begin with, which stays readable (see `aiocache_kit.serializers.key_hashing`)."""


class Layout:
    """Gives names in Redis, and keys back."""

    __slots__ = ("_hashed", "_length", "_prefix", "_text")

    def __init__(self, prefix: str, hasher: KeyHasher | None = None) -> None:
        """Begin every name with `prefix`; `hasher` hides the keys."""
        self._text = prefix
        self._prefix = _encoded(prefix)
        self._length = len(self._prefix)
        self._hashed = None if hasher is None else hasher.hashed

    def name(self, key: str) -> bytes:
        """Give the name of the item under a stored key."""
        if self._hashed is not None:
            key = self._hashed(key)
        return self._prefix + key.encode("utf-8", "surrogatepass")

    def text(self, key: str) -> str:
        """Give the same as a text, to which a codec binds the item."""
        return self._text + (key if self._hashed is None else self._hashed(key))

    def key(self, name: bytes) -> str | None:
        """Give the stored key of an item by its name; None where the name is not that of an item."""
        if not name.startswith(self._prefix) or name.startswith(_OWN, self._length):
            return None
        try:
            return name[self._length :].decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:  # of somebody else, who has the same prefix
            return None

    def pattern(self, prefix: str) -> bytes:
        """Give the glob pattern of the items whose stored keys begin with `prefix`."""
        start = self._prefix + _encoded(prefix)
        return b"".join(b"\\%c" % byte if byte in _SPECIAL else b"%c" % byte for byte in start) + b"*"

    def check_listing(self) -> None:
        """Raise `UnsupportedError` where keys cannot be read back from names."""
        if self._hashed is not None:
            raise UnsupportedError("keys that are hashed (key_hash_secret) cannot be listed")

    def check_prefix(self, prefix: str) -> None:
        """Raise `UnsupportedError` where the keys with `prefix` cannot be told from others: inside of a namespace."""
        if self._hashed is not None and not _NAMESPACE.fullmatch(prefix):
            raise UnsupportedError("keys that are hashed (key_hash_secret) cannot be found by a prefix: use tags")

    def tag(self, tag: str) -> bytes:
        """Give the name of a tag's generation."""
        return self._prefix + b"@:t:" + _encoded(self._hashed(tag) if self._hashed is not None else tag)

    def refresher(self, name: bytes) -> bytes:
        """Give the name of the lease on the stale item with this name."""
        return b"%b@:s:%b" % (self._prefix, name[self._length :])

    def lock(self, lock: str) -> tuple[bytes, bytes]:
        """Give the names of a lock and of its fencing number."""
        digest = blake2b(_encoded(lock), digest_size=_DIGEST).hexdigest().encode()
        return b"%b@:l:{%b}" % (self._prefix, digest), b"%b@:f:{%b}" % (self._prefix, digest)

    def bucket(self, caller: str) -> bytes:
        """Give the name of the bucket of a caller, which tells nothing of who that is."""
        text = caller if self._hashed is None else self._hashed(caller)
        return b"%b@:r:%b" % (self._prefix, blake2b(_encoded(text), digest_size=_DIGEST).hexdigest().encode())


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
