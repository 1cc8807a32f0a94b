"""What goes wrong with Redis, as errors of this package.

Rule: a message names the code of what Redis said, and nothing else of it: its text may hold a key. Where it is the
cause of an error, what Redis repeats of a command has been taken out (`as_cause`).
"""

import re
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Final

import redis.exceptions as theirs
from hiredis import ReplyError

from aiocache_kit.errors import (
    CacheError,
    ConfigError,
    StorageAccessError,
    StorageError,
    StorageUnavailableError,
    WrongTypeError,
)
from aiocache_kit.storage.redis.wire import Lost

LATER: Final = frozenset({"LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "READONLY", "BUSY"})
"""Codes of refusals after which the same command may be sent again, since nothing was done."""
_REFUSALS: Final[Mapping[str, tuple[type[CacheError], str]]] = {
    "WRONGTYPE": (WrongTypeError, "holds something under this key that is no item of a cache"),
    "OOM": (StorageError, "is out of memory (OOM): raise its maxmemory, or let it evict (maxmemory-policy)"),
    "DB": (StorageError, "has no database of this number (DB): check redis_config.db"),  # "DB index is out of range"
    "NOAUTH": (StorageAccessError, "asks for a password (NOAUTH): check redis_config"),
    "WRONGPASS": (StorageAccessError, "refused the user or the password (WRONGPASS): check redis_config"),
    "NOPERM": (
        StorageAccessError,
        "does not let this user run the command, or use the name (NOPERM): `aiocache-kit doctor` says what is missing",
    ),
}
"""What is made of codes that tell the user what to mend."""
_REPEATED: Final = ", with args beginning with"
_TLS_ADVICE: Final = "its certificate was not accepted: check redis_config.tls.ca_file, and that addr is the name in it"


_IN_SCRIPT: Final = re.compile(r"(?:(?:ERR )?Error running script \(call to \w+\): )?(?:@user_script: ?\d+: )+-?")
"""What stands before the error of a command in a script, up to Redis 6.2."""


def code_of(error: BaseException) -> str:
    """Give the first word of what Redis said, which names the kind of error."""
    said = str(error)
    before = _IN_SCRIPT.match(said)
    word = said[before.end() if before else 0 :].split(" ", 1)[0].rstrip(":")
    return word if word.isupper() else "ERR"


def as_reply(error: BaseException) -> ReplyError | None:
    """Give what Redis said, word by word, of an error that redis-py made of it; None: it is no refusal by Redis."""
    if isinstance(error, ReplyError):
        return error
    for kind, code in _CODES:
        if isinstance(error, kind):
            said = str(error)
            return ReplyError(said if said.startswith(code) else f"{code} {said}")
    return ReplyError(str(error)) if isinstance(error, theirs.ResponseError) else None


_CODES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (theirs.NoScriptError, "NOSCRIPT"),
    (theirs.ReadOnlyError, "READONLY"),
    (theirs.MovedError, "MOVED"),
    (theirs.AskError, "ASK"),
    (theirs.TryAgainError, "TRYAGAIN"),
    (theirs.MasterDownError, "MASTERDOWN"),
    (theirs.ClusterDownError, "CLUSTERDOWN"),
    (theirs.ClusterCrossSlotError, "CROSSSLOT"),
    (theirs.BusyLoadingError, "LOADING"),
    (theirs.OutOfMemoryError, "OOM"),
    (theirs.NoPermissionError, "NOPERM"),
    (theirs.AuthenticationError, "NOAUTH"),
    (theirs.ExecAbortError, "EXECABORT"),
)
"""The classes by which redis-py replaces the word, the particular ones before the general."""


def checked(reply: Any) -> Any:  # noqa: ANN401  - whatever Redis answers
    """Give `reply` back, or raise the error that it is."""
    if reply.__class__ is ReplyError or isinstance(reply, BaseException):
        raise refusal(reply) from as_cause(reply)
    return reply


def as_cause(reply: BaseException) -> BaseException:
    """Give what Redis said without the arguments of an unknown command, which are keys and values."""
    text = str(reply)
    told = text.partition(_REPEATED)[0]
    return reply if told == text else ReplyError(told)


def refusal(error: BaseException) -> CacheError:
    """Give the error of ours for one that Redis answered with."""
    code = code_of(error)
    if code in _REFUSALS:
        kind, what = _REFUSALS[code]
        return kind(f"Redis {what}")
    if code in LATER:
        return StorageUnavailableError(f"Redis cannot serve this now ({code})")
    return StorageError(f"Redis refused the command ({code})")


def is_full(error: CacheError) -> bool:
    """Whether Redis refused a command because it has no room left."""
    return error.__cause__ is not None and code_of(error.__cause__) == "OOM"


def failure(error: BaseException) -> CacheError:
    """Give the error of ours for a connection that could not be made, or was lost."""
    if isinstance(error, CacheError):
        return error
    if isinstance(error, Lost):
        how = "did not answer in time" if error.late else "closed the connection before it answered"
        return StorageUnavailableError(f"Redis {how}")
    if _is_about_certificates(error):
        return StorageAccessError(f"Redis could not be reached by TLS: {_TLS_ADVICE}")
    for kinds, ours in _FAILURES:
        if isinstance(error, kinds):
            return ours(error)
    advice = "look whether it runs where redis_config says"
    return StorageUnavailableError(f"Redis cannot be reached ({type(error).__name__}): {advice}")


_FAILURES: Final[tuple[tuple[tuple[type[Exception], ...], Callable[[BaseException], CacheError]], ...]] = (
    (
        (theirs.AuthenticationError, theirs.NoPermissionError, theirs.AuthorizationError),
        lambda _: StorageAccessError("Redis refused the user or the password: check redis_config"),
    ),
    (
        (theirs.MaxConnectionsError,),
        lambda _: StorageUnavailableError("no connection to Redis was free in time: raise redis_config.pool_size"),
    ),
    ((theirs.ResponseError,), refusal),
    ((TimeoutError, theirs.TimeoutError), lambda _: StorageUnavailableError("Redis did not answer in time")),
    (
        (theirs.DataError,),
        lambda error: ConfigError("redis_config", f"is not what the client takes ({type(error).__name__})"),
    ),
)
"""Foreign errors, the particular ones before the general, and what is made of each."""


def _is_about_certificates(error: BaseException) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError) or "CERTIFICATE" in str(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def is_final(error: CacheError) -> bool:
    """Whether trying again cannot help until somebody has mended the configuration."""
    return isinstance(error, StorageAccessError | ConfigError)
