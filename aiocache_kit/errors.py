"""Every error of the package, named by what the caller can do about it.

    CacheError
    +-- ConfigError (ValueError)             mend the configuration: the field is named
    +-- InvalidKeyError (ValueError)         pass another key
    +-- InvalidTTLError (ValueError)         pass another ttl
    +-- InvalidTagError (ValueError)         pass other tags
    +-- InvalidArgumentError (ValueError)    pass another argument: it is named
    +-- NotFoundError (KeyError)             there is no item: load it, or ask with `get`
    +-- WrongTypeError (TypeError)           what is stored is of another type than this call works on
    +-- ValueTooLargeError (ValueError)      cache something smaller, or raise the limit
    +-- SerializationError (ValueError)      the value cannot be written so that it comes back the same
    |   +-- CorruptPayloadError              what is stored is not what was written there: load it anew
    +-- ProviderClosedError (RuntimeError)   make a new provider
    +-- RecursiveLoadError (RuntimeError)    a loader waits for itself: load another key
    +-- LoadFailedError (RuntimeError)       the loader said so itself (`LoadContext.fail`)
    +-- LoadTimeoutError (TimeoutError)      the loader took too long: try later, or give it more time
    +-- LockError (RuntimeError)
    |   +-- LockTimeoutError (TimeoutError)  somebody else holds the lock: try later
    |   +-- LockLostError                    the lease ran out before its holder was done
    +-- NotLoadedError (KeyError)            the source has nothing for this key: ask for another, or give `missing`
    +-- BatchLoaderClosedError (RuntimeError) make a new batch loader
    +-- RateLimitedError (RuntimeError)      come back in `retry_after` seconds
    +-- OverloadedError (RuntimeError)       too much waits already: try later, or raise the bound
    +-- StorageError (OSError)               the place where items are kept failed
    |   +-- StorageUnavailableError          try again later
    |   |   +-- PartialFailureError            the same, for some of the keys of a call: they are named
    |   +-- StorageAccessError               mend the credentials or rights: the store refused who we are
    +-- UnsupportedError (RuntimeError)      this storage cannot do it: choose another one
    +-- MissingDependencyError (ImportError) install the extra that the message names

Rule 1: whatever the package raises by itself is a `CacheError`; what a loader raises passes through unchanged.
Rule 2: a foreign exception is mapped where it enters, with ``from``; `asyncio.CancelledError` never is.
Rule 3: no message holds a key, a value or a secret, because messages end up in logs. What a program may want to know is
an attribute.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class CacheError(Exception):
    """The root: catch it to catch all errors of the package."""


class ConfigError(CacheError, ValueError):
    """Raised when a field of a configuration is wrong; `field` is its dotted name."""

    def __init__(self, field: str, problem: str) -> None:
        """Say what is wrong with `field`; `problem` says what was given and what is allowed."""
        super().__init__(f"{field} {problem}")
        self.field = field

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[str, str]]:
        return type(self), (self.field, str(self)[len(self.field) + 1 :])


class InvalidKeyError(CacheError, ValueError):
    """Raised when a key is not a non-empty `str`."""


class InvalidTTLError(CacheError, ValueError):
    """Raised when a ttl is no positive, finite number of seconds, `timedelta`, text such as ``"1h30m"`` or None."""


class InvalidTagError(CacheError, ValueError):
    """Raised when a tag is not a non-empty `str`, or an item has too many of them."""


class InvalidArgumentError(CacheError, ValueError):
    """Raised when another argument of a call is wrong; the message names it."""


class NotFoundError(CacheError, KeyError):
    """Raised when there is no live item under a key; `key` is that key."""

    def __init__(self, key: str) -> None:
        """Say that nothing is stored under `key`."""
        super().__init__("nothing is stored under this key, or its time is over")
        self.key = key

    def __str__(self) -> str:
        return str(self.args[0])  # a `KeyError` would put it in quotes

    def __reduce__(self) -> tuple[type["NotFoundError"], tuple[str]]:
        return type(self), (self.key,)


class WrongTypeError(CacheError, TypeError):
    """Raised when the stored value is not of the type that the call works on, or does not fit the type asked for."""


class ValueTooLargeError(CacheError, ValueError):
    """Raised when one value is over what the storage may hold; nothing was stored, and what was there stays."""


class SerializationError(CacheError, ValueError):
    """Raised when a value cannot be written so that it comes back the same."""


class CorruptPayloadError(SerializationError):
    """Raised when stored bytes are not what was written under this key by this configuration: a miss, unless strict."""


class ProviderClosedError(CacheError, RuntimeError):
    """Raised by every call after `Provider.close`, and where a provider is needed that no application has opened."""

    def __init__(self, text: str = "this provider is closed: make a new one") -> None:
        """Say that the provider is closed, or what else `text` says."""
        super().__init__(text)


class RecursiveLoadError(CacheError, RuntimeError):
    """Raised when a loader asks for a key that cannot be there before that loader ends; waiting would never end."""

    def __init__(self) -> None:
        """Say that the loader waits for itself."""
        super().__init__("a loader asked for the key it is loading, or for one whose load waits for it")

    def __reduce__(self) -> tuple[type["RecursiveLoadError"], tuple[()]]:
        return type(self), ()


class LoadFailedError(CacheError, RuntimeError):
    """Raised by `LoadContext.fail`, with the reason that the loader gave."""


class LoadTimeoutError(CacheError, TimeoutError):
    """Raised when a load took longer than its `timeout` and was ended."""

    def __init__(self) -> None:
        """Say that the load took too long."""
        super().__init__("the load took longer than its timeout allows")

    def __reduce__(self) -> tuple[type["LoadTimeoutError"], tuple[()]]:
        return type(self), ()


class LockError(CacheError, RuntimeError):
    """The root of what locks raise."""


class LockTimeoutError(LockError, TimeoutError):
    """Raised when a lock was not free within the time that the caller gave."""


class LockLostError(LockError):
    """Raised when a lease is extended, or its end is reached, and somebody else may hold the lock by now."""


class NotLoadedError(CacheError, KeyError):
    """Raised by a `BatchLoader` for a key that its source leaves out; `key` is that key."""

    def __init__(self, key: object) -> None:
        """Say that the source has nothing for `key`."""
        super().__init__("the source has nothing for this key")
        self.key = key

    def __str__(self) -> str:
        return str(self.args[0])  # a `KeyError` would put it in quotes

    def __reduce__(self) -> tuple[type["NotLoadedError"], tuple[object]]:
        return type(self), (self.key,)


class BatchLoaderClosedError(CacheError, RuntimeError):
    """Raised by a `BatchLoader` after `close`, and to those whose batch was ended by it."""

    def __init__(self) -> None:
        """Say that the loader is closed."""
        super().__init__("this batch loader is closed: make a new one")

    def __reduce__(self) -> tuple[type["BatchLoaderClosedError"], tuple[()]]:
        return type(self), ()


class RateLimitedError(CacheError, RuntimeError):
    """Raised where a rate limit leaves no room; `retry_after` is the seconds until it will, infinity for never."""

    def __init__(self, retry_after: float) -> None:
        """Say when to come back."""
        super().__init__(f"the rate limit is reached: come back in {retry_after:.3f} seconds")
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[type["RateLimitedError"], tuple[float]]:
        return type(self), (self.retry_after,)


class OverloadedError(CacheError, RuntimeError):
    """Raised where so many loads are under way, and wait to be, that no more are taken on."""

    def __init__(self) -> None:
        """Say that there is no room."""
        super().__init__("too many loads are under way and waiting: try again later, or raise the bound")

    def __reduce__(self) -> tuple[type["OverloadedError"], tuple[()]]:
        return type(self), ()


class StorageError(CacheError, OSError):
    """Raised when the place where items are kept failed."""


class StorageUnavailableError(StorageError):
    """Raised when the storage cannot be reached now; the same call may succeed later."""


class PartialFailureError(StorageUnavailableError):
    """Raised by a call of many keys that was done for some of them, while others could not be reached.

    `failed` holds the keys that could not, and `found` what a call that reads has found under the others, by key: the
    values where a provider raises it, and items where a storage does.
    """

    def __init__(self, found: "Mapping[str, object]", failed: "Collection[str]") -> None:
        """Say how many keys failed."""
        super().__init__(f"{len(failed)} keys could not be reached now")
        self.found: dict[str, object] = dict(found)
        self.failed: frozenset[str] = frozenset(failed)

    def __reduce__(self) -> tuple[type["PartialFailureError"], tuple[dict[str, object], frozenset[str]]]:
        return type(self), (self.found, self.failed)


class StorageAccessError(StorageError):
    """Raised when the storage refuses the user, the password, the certificate, or a command that he may not use.

    A directory of files refuses whoever has not the secrets under which it was written.
    """


class UnsupportedError(CacheError, RuntimeError):
    """Raised when the storage cannot do what was asked, instead of doing something weaker."""


class MissingDependencyError(CacheError, ImportError):
    """Raised when an optional package is needed; the message names the extra to install."""

    def __init__(self, package: str, extra: str) -> None:
        """Say that `package` is missing and that `extra` brings it."""
        super().__init__(f"{package} is not installed: run pip install 'aiocache-kit[{extra}]'")
        self.package = package
        self.extra = extra

    def __reduce__(self) -> tuple[type["MissingDependencyError"], tuple[str, str]]:
        return type(self), (self.package, self.extra)
