"""What went wrong, in a sentence for whoever sits at the terminal, and what he can do about it. Pure.

The errors of the package say what kind of failure it was, and name no cause that might hold a secret. Here the causes
are looked through for those that beginners meet most: nothing listens there, no such name, a server without TLS.
"""

import errno
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Final, NamedTuple

from aiocache_kit.errors import (
    CacheError,
    ConfigError,
    CorruptPayloadError,
    InvalidArgumentError,
    StorageAccessError,
    StorageUnavailableError,
    UnsupportedError,
)


class Failure(NamedTuple):
    """What is wrong, without a dot at its end, and what to do."""

    problem: str
    advice: str = ""


_BY_NUMBER: Final = {
    errno.ECONNREFUSED: Failure(
        "nothing listens at this address", "start the server, or correct the host and the port"
    ),
    errno.ENOENT: Failure("there is no such socket or file", "correct the path"),
    errno.EACCES: Failure("this user may not open it", "run this as the user of the program, or give access"),
    errno.EHOSTUNREACH: Failure("no way leads to this host", "look at the network, or correct the host"),
    errno.ENETUNREACH: Failure("no way leads to this network", "look at the network, or correct the host"),
}
_BY_WORD: Final = (
    ("WRONGPASS", Failure("the user or the password is wrong", "correct redis_config.username and password")),
    (
        "invalid username-password",
        Failure("the user or the password is wrong", "correct redis_config.username and password"),
    ),
    ("NOAUTH", Failure("the server asks for a password", "give redis_config.password")),
    ("Authentication required", Failure("the server asks for a password", "give redis_config.password")),
    (
        "called without any password",
        Failure("the server has no password, but one was given", "leave redis_config.password out"),
    ),
    ("NOPERM", Failure("the user may not do this", "let doctor say which rights are missing")),
    ("(DB)", Failure("the server has no database of this number", "correct redis_config.db")),
    (
        "max number of clients",
        Failure("the server takes no more clients", "raise its maxclients, or find who leaves connections open"),
    ),
)
_REFUSED_COMMAND: Final = re.compile(r"run the '([a-z|_-]+)' command")
_BY_KIND: Final[tuple[tuple[type[BaseException], Failure], ...]] = (
    (socket.gaierror, Failure("no host has this name", "correct the name, or look at the name service")),
    (
        ssl.SSLCertVerificationError,
        Failure(
            "the server's certificate was not accepted",
            "check redis_config.tls.ca_file, and that addr is a name in the certificate",
        ),
    ),
    (
        ssl.SSLError,
        Failure(
            "the server does not speak TLS as it was asked to", "use redis:// if it speaks none, or check cert_file"
        ),
    ),
)
DASHBOARD: Final = "the dashboard"
"""What a sentence about a dashboard begins with; what it says after a colon is what to do."""
SILENT: Final = Failure(
    "nothing answers in time", "look whether the server runs, and whether a firewall swallows what is sent there"
)
HUNG_UP: Final = Failure(
    "the server closed the connection before it answered", "if it speaks TLS, use rediss:// or redis_config.tls"
)


def explain(error: BaseException) -> Failure:
    """Say what is wrong."""
    if isinstance(error, ConfigError | InvalidArgumentError):
        return Failure(_first_down(str(error)))
    text = str(error)
    if text.startswith(DASHBOARD) and ": " in text:
        problem, _, advice = text.partition(": ")
        return Failure(problem, advice)
    causes = list(_causes(error))
    refused = next((found for cause in causes if (found := _REFUSED_COMMAND.search(str(cause)))), None)
    if refused is not None:
        return Failure(f"the user may not run {refused[1].upper()}", f"grant it: ACL SETUSER ... +{refused[1]}")
    return next((known for cause in causes if (known := _of(cause)) is not None), None) or _of_kind(error)


def _of_kind(error: BaseException) -> Failure:
    if isinstance(error, StorageUnavailableError):
        return _of_silence(error)
    if isinstance(error, CorruptPayloadError):
        return Failure(
            "what is stored there cannot be read with this configuration",
            "give the serialization_format, compression and secrets of the program that wrote it",
        )
    if isinstance(error, CacheError):
        return Failure(_first_down(str(error)), _advice(error))
    return Failure(f"something unforeseen happened ({type(error).__name__})", "please report it")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give an error and what it came from, the nearest first, each once."""
    seen: set[int] = set()
    ahead: BaseException | None = error
    while ahead is not None and id(ahead) not in seen:
        seen.add(id(ahead))
        yield ahead
        ahead = ahead.__cause__ or ahead.__context__


def _of(cause: BaseException) -> Failure | None:
    for kind, failure in _BY_KIND:
        if isinstance(cause, kind):
            return failure
    if isinstance(cause, OSError) and not isinstance(cause, CacheError) and cause.errno in _BY_NUMBER:
        return _BY_NUMBER[cause.errno]
    text = str(cause)
    return next((failure for word, failure in _BY_WORD if word in text), None)


def _of_silence(error: CacheError) -> Failure:
    text = str(error)
    if "in time" in text:
        return SILENT
    if "closed the connection before" in text:
        return HUNG_UP
    return Failure(_first_down(text), _advice(error))


def _advice(error: CacheError) -> str:
    if "in use" in str(error):
        return "stop the program that uses it, or let it use file_config.shared=True"
    if isinstance(error, StorageAccessError):
        return "check username, password and certificates in redis_config"
    if isinstance(error, UnsupportedError):
        return ""
    return ""


def _first_down(text: str) -> str:
    """Give a sentence as a part of another one."""
    return text.rstrip(".")
