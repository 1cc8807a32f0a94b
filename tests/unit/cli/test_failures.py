"""What is said of what went wrong, and the exit codes."""

import errno
import socket
import ssl

import pytest
from hiredis import ReplyError

from aiocache_kit import errors
from aiocache_kit.cli.exits import Exit, exit_of
from aiocache_kit.cli.failures import explain


def caused(error: BaseException, cause: BaseException) -> BaseException:
    """Give an error as it is raised from another one."""
    error.__cause__ = cause
    return error


def away() -> errors.StorageUnavailableError:
    """Give what the storage raises where nobody answers."""
    return errors.StorageUnavailableError("Redis cannot be reached (ConnectionError)")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (caused(away(), OSError(errno.ECONNREFUSED, "")), "nothing listens at this address"),
        (caused(away(), socket.gaierror()), "no host has this name"),
        (caused(away(), ssl.SSLError()), "does not speak TLS"),
        (errors.StorageUnavailableError("Redis did not answer in time"), "nothing answers in time"),
        (caused(errors.StorageAccessError("refused"), ReplyError("WRONGPASS of user")), "password is wrong"),
        (
            caused(errors.StorageAccessError("refused"), ReplyError("NOPERM User x may not run the 'info' command")),
            "the user may not run INFO",
        ),
        (errors.StorageError("Redis refused the command (DB)"), "no database of this number"),
        (errors.CorruptPayloadError("bad"), "cannot be read with this configuration"),
        (errors.ConfigError("default_ttl", "is 0, but must not be."), "default_ttl is 0, but must not be"),
        (errors.UnsupportedError("no"), "no"),
        (RuntimeError("a secret"), "something unforeseen happened (RuntimeError)"),
    ],
)
def test_the_cause_that_beginners_meet_is_named(error: BaseException, words: str) -> None:
    """What lies under an error says more than the error, and what is unknown is not quoted."""
    told = explain(error)

    assert words in told.problem
    assert "a secret" not in str(told)


def test_errors_that_cause_each_other_come_to_an_end() -> None:
    """A circle of causes is walked once."""
    one, other = errors.StorageError("one"), errors.StorageError("other")
    one.__cause__, other.__cause__ = other, one

    assert explain(one).problem == "one"


def test_every_error_has_its_exit_code() -> None:
    """What can be done about an error decides which code a script gets."""
    codes = {
        errors.NotFoundError("k"): Exit.MISS,
        errors.ConfigError("a", "b"): Exit.USAGE,
        errors.MissingDependencyError("click", "cli"): Exit.USAGE,
        errors.StorageUnavailableError("x"): Exit.UNREACHABLE,
        errors.StorageAccessError("x"): Exit.REFUSED,
        errors.UnsupportedError("x"): Exit.UNSUPPORTED,
        errors.StorageError("x"): Exit.FAILED,
    }

    assert {error: exit_of(error) for error in codes} == codes
