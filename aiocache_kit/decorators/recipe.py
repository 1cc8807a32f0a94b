"""What a key is made of: pieces of text, and holes that the values of a call fill.

A recipe comes from a template (``"user:{user_id}"``) or from the signature (the default key), or it is a function of
the user's. The first two are also written as code, for values whose text costs one step; `Recipe.make` is what that
code must agree with, and what answers for all other values.

Rule: whatever can be wrong with a recipe itself is refused when the function is decorated.
"""

import inspect
from collections.abc import Callable, Iterable
from string import Formatter
from typing import Final, TypeAlias

from aiocache_kit.decorators.calls import Hole, Signature, Values, is_name
from aiocache_kit.decorators.texts import PLAIN_BY_FORMAT, TYPED_BY_ASCII, plain_text, typed_text
from aiocache_kit.errors import InvalidArgumentError, InvalidKeyError
from aiocache_kit.keys import check_key

Pieces: TypeAlias = tuple[str | Hole, ...]

NO_ELEMENT: Final = -1
"""Where no parameter stands for each of its elements."""
_FORM: Final = "a field is {name} or {name.attribute}, and a brace that is none is doubled"


class Recipe:
    """Makes keys, or tags, of the values of calls."""

    __slots__ = ("_signature", "pieces", "typed")

    def __init__(self, signature: Signature, pieces: Pieces, *, typed: bool) -> None:
        """Make them of `pieces`; `typed` says which text a value has, the typed or the plain one."""
        self._signature = signature
        self.pieces: Final = pieces
        self.typed: Final = typed

    def make(self, values: Values) -> str:
        """Give the key; raise `InvalidKeyError` for a value that cannot be part of one."""
        return "".join(
            [piece if isinstance(piece, str) else self.text(piece, values[piece.index]) for piece in self.pieces]
        )

    def text(self, hole: Hole, value: object) -> str:
        """Give what fills a hole if its parameter is `value`."""
        where = self._signature.where(hole)
        if hole.by is not None:
            value = hole.by(value)
        for name in hole.path:
            try:
                value = getattr(value, name)
            except AttributeError as error:
                kind = type(value).__qualname__
                raise InvalidKeyError(f"{where} has no value: an object of class {kind} has no {name!r}") from error
        return typed_text(value, where) if self.typed else plain_text(value, where)

    def around(self, values: Values, index: int) -> Callable[[object], str]:
        """Make what gives the key for each value of the parameter at `index`, all others being those in `values`."""
        pieces = tuple(
            piece if isinstance(piece, str) or piece.index == index else self.text(piece, values[piece.index])
            for piece in self.pieces
        )
        return lambda value: "".join([piece if isinstance(piece, str) else self.text(piece, value) for piece in pieces])

    def code(self) -> tuple[str, dict[str, object]]:
        """Give an expression for the key, None where it is not that easy, and the objects that it uses.

        It may raise `AttributeError` and `ValueError`, and is not that easy then either.
        """
        private = self._signature.private
        objects: dict[str, object] = {
            f"{private}type": type,
            f"{private}easy": TYPED_BY_ASCII if self.typed else PLAIN_BY_FORMAT,
        }
        conditions: list[str] = []
        text = ""
        for number, piece in enumerate(self.pieces):
            name = f"{private}{number}"
            if isinstance(piece, str):
                objects[name] = piece
                text += f"{{{name}}}"
            elif self._signature.is_single(piece.index):
                found = piece.source
                if piece.by is not None:
                    objects[f"{private}by{number}"] = piece.by
                    found = f"{private}by{number}({found})"
                is_made = found != piece.source or bool(piece.path)
                value = f"({name} := {found})" if is_made else found
                conditions.append(f"{private}type({value}) in {private}easy")
                text += f"{{{name if is_made else value}{'!a' if self.typed else ''}}}"
            else:
                conditions.append(f"not {piece.source}")
                objects[name] = typed_text(() if self._signature.is_tuple(piece.index) else {}, "")
                text += f"{{{name}}}"
        return f'f"{text}" if {" and ".join(conditions) or True} else None', objects


class OwnRecipe:
    """Makes keys with a function of the user's, which is called as the cached function is."""

    __slots__ = ("_function", "_signature")

    def __init__(self, signature: Signature, function: Callable[..., str]) -> None:
        """Make keys by calling `function`; raise `InvalidArgumentError` for a coroutine function."""
        if inspect.iscoroutinefunction(function):
            raise InvalidArgumentError("key must be a template or a plain function, not a coroutine function")
        self._signature = signature
        self._function = function

    def make(self, values: Values) -> str:
        """Give what the function gives; raise `InvalidKeyError` where that is no key."""
        positional, keywords = self._signature.spread(values)
        return check_key(self._function(*positional, **keywords))

    def around(self, values: Values, index: int) -> Callable[[object], str]:
        """Make what gives the key for each value of the parameter at `index`, all others being those in `values`."""
        return lambda value: self.make((*values[:index], value, *values[index + 1 :]))

    def code(self) -> tuple[str, dict[str, object]]:
        """Give None as an expression: a function has to be called."""
        return "None", {}


KeyRecipe: TypeAlias = Recipe | OwnRecipe


def key_recipe(
    signature: Signature, key: str | Callable[..., str] | None, exclude: frozenset[int], named: str, element: int
) -> KeyRecipe:
    """Make the recipe for what a decorator was given as `key`; None is the default key, which begins with `named`.

    `exclude` are the parameters that no key is made of, `element` is the one that stands for each of its elements.
    """
    if key is None:
        return default_recipe(signature, exclude, named, element)
    if isinstance(key, str):
        recipe = template_recipe(signature, key, "key", element)
        if not recipe.pieces:
            raise InvalidArgumentError("key must not be empty")
        named_in_key = {piece.index for piece in recipe.pieces if isinstance(piece, Hole)}
        for index in exclude & named_in_key:
            raise InvalidArgumentError(f"key names {signature.names[index]!r}, which exclude leaves out")
        if element != NO_ELEMENT and element not in named_in_key:
            raise InvalidArgumentError("key must name an id, by any name that is no parameter")
        return recipe
    if callable(key):
        return OwnRecipe(signature, key)
    raise InvalidArgumentError(f"key must be a template or a function that gives a str, not {type(key).__name__}")


def default_recipe(signature: Signature, exclude: frozenset[int], named: str, element: int = NO_ELEMENT) -> Recipe:
    """Make the recipe of a key like ``shop.users:load(user_id=42,lang='de')``."""
    pieces: list[str | Hole] = []
    text = f"{named}("
    for index, name in enumerate(signature.names):
        if index not in exclude:
            by = signature.key_makers.get(name) if signature.is_single(index) and index != element else None
            pieces += [f"{text}{name}=", Hole(index, name, by=by)]
            text = ","
    return Recipe(signature, (*pieces, ")" if pieces else f"{text})"), typed=True)


def template_recipe(signature: Signature, template: str, argument: str, element: int = NO_ELEMENT) -> Recipe:
    """Read a template; raise `InvalidArgumentError` for one that is malformed or names what is no parameter.

    With `element` given, one name that is no parameter stands for that parameter's elements.
    """
    pieces: list[str | Hole] = []
    names: dict[str, int] = {}
    for text, field, form, conversion in _parsed(template, argument):
        if text:
            pieces.append(text)
        if field is None:
            continue
        name, *path = field.split(".")
        if form or conversion or not all(map(is_name, (name, *path))):
            raise InvalidArgumentError(f"{argument} has a field that is none: {_FORM}")
        if name not in names:
            names[name] = _index(signature, name, argument, element, taken=element in names.values())
        by = None if path or names[name] == element else signature.key_makers.get(name)
        pieces.append(Hole(names[name], field, tuple(path), by))
    return Recipe(signature, tuple(pieces), typed=False)


def _index(signature: Signature, name: str, argument: str, element: int, *, taken: bool) -> int:
    if element != NO_ELEMENT and name not in signature.names and not taken:
        return element
    index = signature.index(name, argument)
    if index == element:
        raise InvalidArgumentError(f"{argument} names {name!r}, which holds many: choose another name for one of them")
    if not signature.is_single(index):
        raise InvalidArgumentError(
            f"{argument} names {name!r}, which holds many arguments: name one, or use a function"
        )
    return index


def _parsed(template: str, argument: str) -> Iterable[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(Formatter().parse(template))
    except ValueError as error:
        raise InvalidArgumentError(f"{argument} is no template: {_FORM}") from error
