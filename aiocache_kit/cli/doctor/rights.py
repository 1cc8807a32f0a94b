"""Which commands the user may run under the prefix: each is run once, on a name of doctor's own.

What a user may do could be read (ACL GETUSER), but seldom by that user. Running the commands tells the same, and tells
at once whether the prefix is allowed and whether the server takes writes at all.

Rule 1: the name lies under ``@:``, where no item is, ends by itself after some seconds, and is removed.
Rule 2: a command is refused for lack of rights, or for another reason, which is told apart.
Rule 3: a node of a cluster that is away says nothing about rights, so the name is one that a node answers for.
"""

from collections.abc import Sequence
from os import urandom
from typing import Final, TypeAlias

from aiocache_kit.cli.doctor.findings import Finding, good, problem, warning
from aiocache_kit.cli.readings import Server
from aiocache_kit.config import RedisConfig
from aiocache_kit.errors import CacheError, StorageAccessError, StorageError, StorageUnavailableError

Command: TypeAlias = tuple[bytes | str | int, ...]

_LIFE: Final = 10_000
_UNKNOWN: Final = b"0" * 40
"""A digest that no script has."""
_NAMES: Final = 8
"""How many names are tried: with a third of the nodes away, one in 6,561 runs finds none that somebody answers for."""


def _commands(name: bytes) -> Sequence[tuple[str, Command]]:
    """Give what the storage runs, by its name in ACL rules, with arguments that do no harm."""
    return (
        ("persist", (b"PERSIST", name)),  # first, while there is nothing that it could let live for ever
        ("set", (b"SET", name, b"1", b"PX", _LIFE)),
        ("get", (b"GET", name)),
        ("mget", (b"MGET", name)),
        ("getrange", (b"GETRANGE", name, 0, 1)),
        ("strlen", (b"STRLEN", name)),
        ("incrby", (b"INCRBY", name, b"no number")),  # by which it makes nothing where SET was refused
        ("decrby", (b"DECRBY", name, b"no number")),
        ("pttl", (b"PTTL", name)),
        ("pexpire", (b"PEXPIRE", name, _LIFE)),
        ("scan", (b"SCAN", 0, b"MATCH", name, b"COUNT", 1)),
        ("eval", (b"EVAL", b"return 1", 1, name)),
        ("evalsha", (b"EVALSHA", _UNKNOWN, 1, name)),
        ("del", (b"DEL", name)),
        ("unlink", (b"UNLINK", name)),
        ("time", (b"TIME",)),
    )


def _others(part: RedisConfig) -> Sequence[tuple[str, Command]]:
    found: list[tuple[str, Command]] = []
    if part.sentinel is not None:
        found.append(("role", (b"ROLE",)))
    if part.client_cache is not None:
        found.append(("client|tracking", (b"CLIENT", b"TRACKING", b"OFF")))
    return found


async def look_at_rights(server: Server, part: RedisConfig, *, has_backplane: bool) -> list[Finding]:
    """Run the commands; raises `StorageUnavailableError` where the server is away, or all nodes that were tried are."""
    name = await _answered(server, part)
    commands = [*_commands(name), *_others(part)]
    if has_backplane:
        commands.append(("publish", (b"PUBLISH", name, b"")))
    refused: list[str] = []
    under_prefix = False
    for word, command in commands:
        key = name if name in command and word not in {"scan", "publish"} else b""
        error = await _run(server, command, key)
        if isinstance(error, StorageAccessError):
            said = str(error.__cause__)
            under_prefix = under_prefix or " key" in said or "keys" in said or "channel" in said
            refused.append(word)
        elif word == "set" and error is not None:
            return [
                problem("server.writes", f"it takes no writes: {error}", "look at its log, its memory and its role")
            ]
    return list(_judged(refused, under_prefix=under_prefix, part=part))


async def _answered(server: Server, part: RedisConfig) -> bytes:
    """Give a name of doctor's own that is where somebody answers."""
    tries = _NAMES if part.cluster else 1
    while True:
        name = part.key_prefix.encode("utf-8", "surrogatepass") + b"@:d:" + urandom(8).hex().encode()
        error = await _run(server, (b"GET", name), name)
        if not isinstance(error, StorageUnavailableError):
            return name
        tries -= 1
        if not tries:
            raise error


async def _run(server: Server, command: Command, key: bytes) -> CacheError | None:
    try:
        await server.call(command, key=key, again=True)
    except StorageAccessError as error:
        return error
    except StorageError as error:
        if "NOSCRIPT" in str(error):
            return None
        return error
    return None


def _judged(refused: Sequence[str], *, under_prefix: bool, part: RedisConfig) -> Sequence[Finding]:
    if not refused:
        return [good("server.rights", "the user may run every command that is needed under the prefix")]
    names = f"~{part.key_prefix}*" + (f" &{part.key_prefix}*" if "publish" in refused else "")
    if under_prefix:
        sentence = f"the user may not use names under the prefix (refused: {', '.join(refused)})"
        return [problem("server.rights", sentence, f"ACL SETUSER {part.username or 'default'} {names}")]
    sentence = f"the user may not run what is needed: {', '.join(refused)}"
    advice = f"ACL SETUSER {part.username or 'default'} {' '.join(f'+{word}' for word in refused)}"
    judge = warning if set(refused) <= {"strlen", "decrby", "persist", "mget"} else problem
    return [judge("server.rights", sentence, advice)]
