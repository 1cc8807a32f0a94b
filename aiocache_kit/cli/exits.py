"""Exit codes: what a script may learn from a command without reading what it says."""

from enum import IntEnum
from typing import Final

from aiocache_kit.errors import (
    CacheError,
    ConfigError,
    InvalidArgumentError,
    InvalidKeyError,
    InvalidTagError,
    MissingDependencyError,
    NotFoundError,
    StorageAccessError,
    StorageUnavailableError,
    UnsupportedError,
)


class Exit(IntEnum):
    """How a command ended. The numbers are part of the interface, and stay."""

    DONE = 0
    """It did what was asked."""
    MISS = 1
    """There is no such key, `doctor` has found something, or the question was answered by no."""
    USAGE = 2
    """The command line, the configuration or the installation is wrong."""
    UNREACHABLE = 3
    """No server answers, or the directory is in use or not there."""
    REFUSED = 4
    """The server refuses the user, the password, the certificate or a command."""
    UNSUPPORTED = 5
    """This cache cannot do it: it lies in another process's memory, or its keys are hashed."""
    FAILED = 6
    """Anything else."""
    INTERRUPTED = 130
    """Somebody pressed Ctrl-C."""
    PIPE = 141
    """Whoever read the output has left."""


_EXITS: Final[tuple[tuple[tuple[type[CacheError], ...], Exit], ...]] = (
    ((NotFoundError,), Exit.MISS),
    ((ConfigError, InvalidArgumentError, InvalidKeyError, InvalidTagError, MissingDependencyError), Exit.USAGE),
    ((StorageAccessError,), Exit.REFUSED),
    ((StorageUnavailableError,), Exit.UNREACHABLE),
    ((UnsupportedError,), Exit.UNSUPPORTED),
)


def exit_of(error: CacheError) -> Exit:
    """Give the exit code for an error."""
    for kinds, code in _EXITS:
        if isinstance(error, kinds):
            return code
    return Exit.FAILED
