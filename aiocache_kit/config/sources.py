"""Where a configuration may be written down: the environment and TOML files here, URLs in `url`.

Each source becomes a tree for `Part.build`: fields by name, with trees for those that have fields of their own. Which
fields there are, and what a text stands for, the rules of the class say.

Rule: nothing is passed over in silence: an unknown name is an error that names the nearest known one.
"""

import os
from collections.abc import Iterator, Mapping
from typing import TypeAlias, cast

from aiocache_kit.config.rules import Part, Rule, shown, unknown
from aiocache_kit.errors import ConfigError

Tree: TypeAlias = dict[str, object]


def names_of(kind: type[Part], before: tuple[str, ...] = (), prefix: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give each field, and each field of its parts, by the one name that it has as text, with its way in the tree."""
    for name, rule in kind.schema.items():
        way = (*before, name)
        if rule.part is None or rule.read is not None:
            yield prefix + name, way
        if rule.part is not None:
            yield from names_of(rule.part, way, f"{prefix}{name.removesuffix('_config')}_")


def rule_of(kind: type[Part], way: tuple[str, ...]) -> Rule:
    """Give the rule of the field at the end of `way`."""
    *before, last = way
    for name in before:
        kind = cast("type[Part]", kind.schema[name].part)
    return kind.schema[last]


def put(tree: Tree, way: tuple[str, ...], value: object) -> None:
    """Set one field in a tree. A part that is switched on by True may be given its fields as well, and the reverse."""
    *before, last = way
    for name in before:
        inner = tree.get(name)
        if inner is None or inner is True:
            inner = tree[name] = {}
        if not isinstance(inner, dict):
            raise ConfigError(".".join(way), f"is given, but {'.'.join(before)} is not true")
        tree = cast("Tree", inner)
    if value is True and (tree.get(last) is True or isinstance(tree.get(last), dict)):
        return
    if last in tree:
        raise ConfigError(".".join(way), "is given twice, or switched off and given")
    tree[last] = value


def put_text(tree: Tree, kind: type[Part], way: tuple[str, ...], text: str) -> None:
    """Set one field in a tree to what `text` stands for."""
    put(tree, way, rule_of(kind, way).read_text(".".join(way), text))


# --- the environment ------------------------------------------------------------------------------------------------


def read_env(kind: type[Part], prefix: str, environ: Mapping[str, str]) -> Tree:
    """Give the tree of the variables that begin with `prefix`."""
    if not prefix:
        raise ConfigError(
            "prefix", f"is {shown(prefix)}, but must be a str that is not empty, or every variable is meant"
        )
    ways = {prefix + name.upper(): way for name, way in names_of(kind)}
    tree: Tree = {}
    for variable in sorted(name for name in environ if name.startswith(prefix)):
        if variable not in ways:
            raise ConfigError(variable, unknown(variable, ways))
        if environ[variable]:
            put_text(tree, kind, ways[variable], environ[variable])
    return tree


# --- a TOML file ----------------------------------------------------------------------------------------------------


def read_toml(kind: type[Part], path: str | os.PathLike[str], table: str) -> Tree:
    """Give the tree of ``[table]`` or ``[tool.table]`` in the file at `path`."""
    import tomllib  # noqa: PLC0415  - needed by those alone who have such a file
    from pathlib import Path  # noqa: PLC0415  - as above

    try:
        document: Tree = tomllib.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise ConfigError("path", f"leads to no file that can be read: {error.strerror or error}") from error
    except (ValueError, RecursionError, TypeError) as error:
        raise ConfigError("path", f"leads to a file that is not TOML: {error}") from error
    tool = document.get("tool")
    places = [document, cast("Tree", tool)] if isinstance(tool, dict) else [document]
    found = [place[table] for place in places if table in place]
    if len(found) != 1 or not isinstance(found[0], dict):
        count = "has both" if len(found) > 1 else "must have one of"
        raise ConfigError("table", f"names no table: the file {count} [{table}] and [tool.{table}]")
    return _without_none(kind, cast("Tree", found[0]))


def _without_none(kind: type[Part], tree: Tree) -> Tree:
    """Put None where the text ``none`` stands for it, since TOML has no word for it."""
    settled: Tree = {}
    for name, value in tree.items():
        rule = kind.schema.get(name)
        if rule is not None and rule.part is not None and isinstance(value, dict):
            settled[name] = _without_none(rule.part, cast("Tree", value))
        elif rule is not None and isinstance(value, str) and (rule.read is None or value.strip().lower() == "none"):
            settled[name] = rule.read_text(kind.where + name, value)
        else:
            settled[name] = value
    return settled
