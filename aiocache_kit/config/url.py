"""A configuration in one line: a URL.

Rule: no message shows what is, or may have been meant to be, a part of the password. Who forgets to encode a character
in it has written a host, a path or a query out of its pieces, so none of these are shown either.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from aiocache_kit.config.rules import Part, unknown
from aiocache_kit.config.sources import Tree, names_of, put, put_text, rule_of
from aiocache_kit.errors import ConfigError

_PREFIXES: Final = {
    "memory": "memory_",
    "lru": "memory_",
    "null": "memory_",
    "redis": "redis_",
    "rediss": "redis_",
    "unix": "redis_",
    "file": "file_",
    "custom": "memory_",
}
"""The schemes, and the prefix that names of fields may go without there."""
_MOST_FIELDS: Final = 100


def read_url(kind: type[Part], url: str) -> Tree:
    """Give the tree of a URL."""
    if not isinstance(url, str):  # pyright: ignore[reportUnnecessaryIsInstance]  - callers without types
        raise ConfigError("url", f"is of type {type(url).__name__}, but must be a str")
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in _PREFIXES:
        raise ConfigError("url", f"must begin with one of {', '.join(f'{name}://' for name in _PREFIXES)}")
    rest, _, query = rest.partition("?")
    place, _, path = rest.partition("/")
    if "#" in url or "@" in path or "@" in query:
        raise ConfigError("url", "holds # or @ where they mean nothing: write /, ?, # and @ as %2F, %3F, %23 and %40")
    pairs = _pairs(query)
    tree: Tree = {"provider": "redis" if scheme in {"rediss", "unix"} else scheme}
    if scheme in {"redis", "rediss"}:
        _put_server(tree, kind, place, path, in_cluster=_is_in_cluster(kind, pairs))
    else:
        _put_path(tree, scheme, place, path)
    if scheme == "rediss":
        put(tree, ("redis_config", "tls"), value=True)
    _put_pairs(tree, kind, _PREFIXES[scheme], pairs)
    return tree


def _decoded(text: str) -> str:
    from urllib.parse import unquote  # noqa: PLC0415  - needed by those alone who have a URL

    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ConfigError("url", "holds percent-encoded bytes that are not UTF-8") from None


# --- before the query -----------------------------------------------------------------------------------------------


def _put_user(tree: Tree, place: str) -> str:
    """Set user and password; give what is left of `place`, the host."""
    user, _, host = place.rpartition("@")
    name, _, password = user.partition(":")
    for field, text in (("username", name), ("password", password)):
        if text:
            put(tree, ("redis_config", field), _decoded(text))
    return host


def _put_server(tree: Tree, kind: type[Part], place: str, path: str, *, in_cluster: bool) -> None:
    host = _put_user(tree, place)
    if host and in_cluster:
        _put_unshown(tree, kind, ("redis_config", "cluster_addrs"), _decoded(host))
    elif host:
        _put_unshown(tree, kind, ("redis_config", "addr"), _decoded(host))
    if path:
        _put_unshown(tree, kind, ("redis_config", "db"), path)


def _put_path(tree: Tree, scheme: str, place: str, path: str) -> None:
    """Set what the path says, for the schemes that have no host."""
    ways = {"unix": ("redis_config", "unix_socket"), "file": ("file_config", "dir")}
    host = _put_user(tree, place) if scheme == "unix" else place
    if scheme not in ways:
        if host or path:
            raise ConfigError("url", f"must have no host and no path, as in {scheme}://?max_entries=1000")
    elif host or not path:
        raise ConfigError("url", f"must have a path and no host, as in {scheme}:///var/lib/app")
    else:
        put(tree, ways[scheme], _decoded(f"/{path}"))


def _put_unshown(tree: Tree, kind: type[Part], way: tuple[str, ...], text: str) -> None:
    """Set a field that is checked at once, so that the message for a wrong value does not show it."""
    rule = replace(rule_of(kind, way), secret=True)
    field = ".".join(way)
    put(tree, way, rule.settle(field, rule.read_text(field, text)))


# --- the query ------------------------------------------------------------------------------------------------------


def _pairs(query: str) -> Sequence[tuple[str, str]]:
    from urllib.parse import parse_qsl  # noqa: PLC0415  - as in `_decoded`

    if not query:
        return ()
    try:
        return parse_qsl(
            query, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        problem = f"must have a query of at most {_MOST_FIELDS} fields, as in ?name=value&name=value"
        raise ConfigError("url", problem) from None


def _is_in_cluster(kind: type[Part], pairs: Sequence[tuple[str, str]]) -> bool:
    read = rule_of(kind, ("redis_config", "cluster")).read_text
    return any(name in {"cluster", "redis_cluster"} and read(name, text) is True for name, text in pairs)


def _put_pairs(tree: Tree, kind: type[Part], prefix: str, pairs: Sequence[tuple[str, str]]) -> None:
    ways = dict(names_of(kind))
    ways |= {name.removeprefix(prefix): way for name, way in ways.items() if name.startswith(prefix)}
    for name, text in pairs:
        if name not in ways:
            raise ConfigError("url", f"has a field that {unknown(name, ways)}")
        if not text:
            raise ConfigError(".".join(ways[name]), "has no value in the URL")
        put_text(tree, kind, ways[name], text)
