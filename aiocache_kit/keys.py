"""Keys, namespaces and tags: what is allowed, and how one storage holds many namespaces that never meet.

A key of namespace ``a`` is stored as ``@a:key``, one of ``b`` inside of ``a`` as ``@a:@b:key``. A key that itself
begins with ``@`` is stored with that sign doubled, and the three signs with a meaning are percent-encoded in names. So
the stored form can be read back in one way only, and no key, however chosen, reaches into another namespace.
"""

from collections.abc import Iterable
from typing import Final, cast

from aiocache_kit.errors import InvalidArgumentError, InvalidKeyError, InvalidTagError

MARK: Final = "@"
MAX_TAGS: Final = 1000
"""Tags that one item may have: each read of the item asks after each of them."""
_NAME_CODES: Final = str.maketrans({"%": "%25", ":": "%3A", "@": "%40"})


def check_key(key: object) -> str:
    """Return `key` where it is a non-empty `str`, of any length; raise `InvalidKeyError` otherwise."""
    if not isinstance(key, str):
        msg = f"a key must be a str, not {type(key).__name__}"
        raise InvalidKeyError(msg)
    if not key:
        msg = "a key must not be empty"
        raise InvalidKeyError(msg)
    return key


def check_prefix(prefix: object, *, may_be_empty: bool) -> str:
    """Return `prefix` where it is a `str`; raise `InvalidArgumentError` otherwise."""
    if not isinstance(prefix, str):
        msg = f"prefix must be a str, not {type(prefix).__name__}"
        raise InvalidArgumentError(msg)
    if not prefix and not may_be_empty:
        msg = "prefix must not be empty: clear() removes everything"
        raise InvalidArgumentError(msg)
    return prefix


def check_tags(tags: object) -> tuple[str, ...]:
    """Return `tags`, any iterable of non-empty `str` that is itself no `str`, as a tuple without repetitions.

    Raises `InvalidTagError`, also for more than `MAX_TAGS` of them.
    """
    if isinstance(tags, str) or not isinstance(tags, Iterable):
        hint = ": put it into a list" if isinstance(tags, str) else ""
        msg = f"tags must be a collection of str, not {type(tags).__name__}{hint}"
        raise InvalidTagError(msg)
    found: dict[str, None] = {}
    for tag in cast("Iterable[object]", tags):
        if not isinstance(tag, str) or not tag:
            given = "an empty one" if tag == "" else _kind(tag)
            hint = ": give each tag by itself" if given in {"list", "tuple", "set", "frozenset"} else ""
            raise InvalidTagError(f"a tag must be a non-empty str, not {given}{hint}")
        found[tag] = None
    if len(found) > MAX_TAGS:
        msg = f"an item may have at most {MAX_TAGS} tags, not {len(found)}"
        raise InvalidTagError(msg)
    return tuple(found)


def _kind(value: object) -> str:
    return type(value).__name__


def namespace_prefix(outer: str, name: object) -> str:
    """Give what stored keys of namespace `name` begin with, inside of the namespace with prefix `outer` ("": none).

    Raises `InvalidArgumentError` unless `name` is a non-empty `str`.
    """
    if not isinstance(name, str) or not name:
        msg = f"a namespace's name must be a non-empty str, not {'an empty one' if name == '' else type(name).__name__}"
        raise InvalidArgumentError(msg)
    return f"{outer}{MARK}{name.translate(_NAME_CODES)}:"


def stored(prefix: str, key: str) -> str:
    """Give the form in which a namespace with `prefix` stores `key` (or a tag); injective over prefixes and keys."""
    return f"{prefix}{MARK}{key}" if key.startswith(MARK) else prefix + key


def parted(stored_key: str) -> tuple[tuple[str, ...], str]:
    """Give the names of the namespaces that a stored key lies in, the outermost first, and the key."""
    names: list[str] = []
    while stored_key.startswith(MARK) and not stored_key.startswith(MARK, 1):
        name, _, stored_key = stored_key[1:].partition(":")
        names.append(name.replace("%40", "@").replace("%3A", ":").replace("%25", "%"))
    return tuple(names), stored_key.removeprefix(MARK)


def unstored(prefix: str, stored_key: str) -> str | None:
    """Give the key back, the reverse of `stored`; None where it belongs to another namespace, inner ones included."""
    if not stored_key.startswith(prefix):
        return None
    rest = stored_key[len(prefix) :]
    if not rest.startswith(MARK):
        return rest
    return rest[1:] if rest.startswith(MARK, 1) else None
