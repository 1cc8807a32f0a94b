"""Plain trees: how values that a format has no word for are written in one that has but few.

    tuple (1, 2)             {"@tagged": {"@tuple": [1, 2]}}
    a dataclass, in a list   {"@parts": [{"name": "Ada", "born": {"@date": "1815-12-10"}}]}

A value of the format's own types is written as it is, without a trace of this. In any other, what the format lacks is a
dict of one tag, and the root says so. A tag names one of the types in this file, and none but those.

Rule 1: types count exactly: a subclass is another type.
Rule 2: a dict that looks like a tag is written as ``@dict``, so that no value can pass itself off as another one.
Rule 3: objects of classes come back as `Parts`, after it was seen that they can be made whole; by what will be known of
them when they are read, where that is known already (`promised`).
"""

import datetime as dt
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from functools import partial
from math import isfinite
from typing import Any, Final, cast
from uuid import UUID

from aiocache_kit.errors import CacheError, SerializationError
from aiocache_kit.serializers.apart import parts_of
from aiocache_kit.serializers.kinds import classes, leaves_choice
from aiocache_kit.serializers.parts import Parts
from aiocache_kit.serializers.promised import kind_of
from aiocache_kit.serializers.typed import convert_parts

MOST_DEPTH: Final = 100
"""How deep containers may lie in one another."""
_READ_DEPTH: Final = 2 * MOST_DEPTH
"""The same in a tree, where the pairs of a dict may be levels of their own."""
_TAGGED: Final = "@tagged"
_PARTS: Final = "@parts"
_CONTAINERS: Final = frozenset({list, dict})
_LEAST: Final = -(2**63)
_MOST: Final = 2**64 - 1
_SPAN: Final = 3
_FEW: Final = 16
"""Parts of a container, beyond which looking at their types together is cheaper than one by one."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a format writes by itself, besides lists and dicts."""

    name: str
    atoms: frozenset[type]
    keys: frozenset[type]
    """What the keys of its dicts may be."""
    finite: bool
    """Whether it has no word for NaN and the infinities."""


def to_tree(value: object, form: Form) -> object:
    """Give a tree that `form` can write, `value` itself where its types say so: it may still refuse an atom or key.

    Raises `SerializationError` for what would not come back the same.
    """
    return value if _is_plain(value, form) else to_tagged_tree(value, form)


def to_tagged_tree(value: object, form: Form) -> object:
    """Give a tree that `form` can write, made part by part.

    Raises `SerializationError`, which says what is in the way, for what would not come back the same.
    """
    writer = _Writer(form)
    tree = writer.tree(value, 0)
    if not writer.classes:
        return {_TAGGED: tree}
    kind = kind_of(value)
    if kind is not None:
        _check_promise(value, kind, writer, tree, form)
    return {_PARTS: tree}


def _check_promise(value: object, kind: object, writer: "_Writer", tree: object, form: Form) -> None:
    """Raise `SerializationError` where the objects in `value` would be others when they are read as `kind`."""
    try:
        known = {*classes(kind)}
        for each in writer.classes:
            if each not in known:
                text = f"{form.name} would not bring back a {each.__name__}, because what is declared is {kind}: "
                raise SerializationError(text + f"name {each.__name__} there, or use the serializer pickle")
        if leaves_choice(kind) and not _comes_back(value, kind, writer, tree, form):
            text = f"{form.name} would bring back other objects, because what is declared, {kind}, leaves a choice: "
            raise SerializationError(text + "let a field tell them apart, or use the serializer pickle")
    except NameError:  # a type that is not known yet: then the reader will see
        return


def _comes_back(value: object, kind: Any, writer: "_Writer", tree: object, form: Form) -> bool:  # noqa: ANN401  - a type
    """Whether what was taken apart is the same again when it is read as `kind`."""
    again = _Writer(form)
    try:
        made: object = convert_parts(_restore(tree, 0, whole=False), kind)
        same = again.tree(made, 0) == tree or made == value
    except CacheError:
        return False
    return same and type(made) is type(value) and sorted(map(id, again.classes)) == sorted(map(id, writer.classes))


def from_tree(tree: object, format: str, data: bytes) -> object:
    """Give the value of which `to_tree` made `tree`, or its `Parts`, which keep the `data` that it was read from.

    Raises `ValueError` or `TypeError` for trees that `to_tree` does not make.
    """
    kind, pairs = type(tree), cast("dict[object, object]", tree)
    if kind is not dict or not _is_like_a_tag(pairs):
        return tree
    ((tag, inner),) = pairs.items()
    if tag == _TAGGED:
        return _restore(inner, 0, whole=True)
    if tag == _PARTS:
        return Parts(format, data, partial(convert_parts, _restore(inner, 0, whole=False)))
    raise ValueError("an unknown tag")


def _is_plain(value: object, form: Form) -> bool:
    """Whether `value` is of the format's own types, but for keys, which it checks itself when it writes."""
    if type(value) is dict:
        pairs = cast("dict[object, object]", value)
        return not _is_like_a_tag(pairs) and _are_plain(pairs.values(), form, 1)
    return _are_plain(cast("list[object]", value) if type(value) is list else (value,), form, 1)


def _are_plain(parts: Collection[object], form: Form, depth: int) -> bool:
    """The same of the parts of a container that lies `depth` deep."""
    if depth > MOST_DEPTH:
        raise _too_deep(form)
    if len(parts) > _FEW and form.atoms.issuperset(kinds := {*map(type, parts)}):
        return float not in kinds or _are_finite(parts, form)
    for part in parts:
        kind = type(part)
        if kind is str or kind is int or part is None or kind is bool:
            continue  # the most of what there is, and in every format
        if kind is dict:
            if not _are_plain(part.values(), form, depth + 1):  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType]  - a cast costs too much here
                return False
        elif kind is list:
            if not _are_plain(part, form, depth + 1):  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  - as above
                return False
        elif kind not in form.atoms or (kind is float and not _are_finite((part,), form)):
            return False
    return True


def _are_finite(parts: Iterable[object], form: Form) -> bool:
    if form.finite:
        for part in parts:
            if type(part) is float and not isfinite(part):
                return False
    return True


def _is_like_a_tag(pairs: dict[object, object]) -> bool:
    if len(pairs) != 1:
        return False
    (key,) = pairs
    return type(key) is str and key.startswith("@")


def _too_deep(form: Form) -> SerializationError:
    return SerializationError(f"{form.name} writes at most {MOST_DEPTH} containers within one another: store less deep")


class _Writer:
    """Makes one tree, the careful way: part by part, with a reason for what is refused."""

    __slots__ = ("_form", "_in_key", "_in_parts", "classes")

    def __init__(self, form: Form) -> None:
        self._form = form
        self._in_key = False
        self._in_parts = False
        self.classes: Final[list[type[object]]] = []
        """Of the objects that were taken apart, but for those within others."""

    def tree(self, value: object, depth: int) -> object:
        kind = type(value)
        if kind in self._form.atoms:
            self._check(value)
            return value
        write = _WRITERS.get(kind)
        if write is not None:
            return write(value, self._form)
        if depth >= MOST_DEPTH:
            raise _too_deep(self._form)
        if kind is list:
            return self._trees(value, depth)
        if kind is dict:
            return self._pairs(cast("dict[object, object]", value), depth)
        if kind in _GROUPS:
            return {_GROUPS[kind]: self._trees(value, depth)}
        return self._parts(value, depth)

    def _trees(self, parts: object, depth: int) -> list[object]:
        return [self.tree(part, depth + 1) for part in cast("Iterable[object]", parts)]

    def _pairs(self, pairs: dict[object, object], depth: int) -> object:
        if self._form.keys.issuperset(map(type, pairs)) and not _is_like_a_tag(pairs):
            for key in pairs:
                self._check(key)
            return {key: self.tree(part, depth + 1) for key, part in pairs.items()}
        return {"@dict": [[self._key(key, depth), self.tree(part, depth + 1)] for key, part in pairs.items()]}

    def _key(self, key: object, depth: int) -> object:
        before, self._in_key = self._in_key, True
        tree = self.tree(key, depth + 1)
        self._in_key = before
        return tree

    def _parts(self, value: object, depth: int) -> object:
        if self._in_key and not isinstance(value, Enum):
            raise _refused(self._form, f"as the key of a dict, a value of type {type(value).__name__}")
        parts = parts_of(value, self._form.name)
        before, self._in_parts = self._in_parts, True
        if not before:
            self.classes.append(type(value))
        tree = self.tree(parts, depth + 1)
        self._in_parts = before
        return tree

    def _check(self, atom: object) -> None:
        """Refuse an atom that the format has no word for; its type is one of those that it has."""
        if isinstance(atom, int) and not _LEAST <= atom <= _MOST:
            raise _refused(self._form, "an int of more than 64 bits")
        if isinstance(atom, float) and self._form.finite and not isfinite(atom):
            raise _refused(self._form, "a float that is infinite or not a number")
        if isinstance(atom, str) and not atom.isascii():
            try:
                atom.encode()
            except UnicodeEncodeError:
                raise _refused(self._form, "a str with lone surrogates") from None


def _refused(form: Form, what: str) -> SerializationError:
    return SerializationError(f"{form.name} cannot write {what}: store it in another form, or use another serializer")


def _bytes(value: object, form: Form) -> object:
    del form
    return {"@bytes": b2a_base64(cast("bytes", value), newline=False).decode()}


def _text(tag: str, value: object, form: Form) -> object:
    del form
    return {tag: str(value)}


def _decimal(value: object, form: Form) -> object:
    if not cast("Decimal", value).is_finite():
        raise _refused(form, "a Decimal that is infinite or not a number")
    return {"@decimal": str(value)}


def _moment(tag: str, value: object, form: Form) -> object:
    moment = cast("dt.datetime | dt.time", value)
    if moment.tzinfo is not None and type(moment.tzinfo) is not dt.timezone:
        raise _refused(form, f"a {type(value).__name__} with a zone that is no datetime.timezone")
    if moment.fold:
        raise _refused(form, f"a {type(value).__name__} with a fold")
    text, offset = moment.isoformat(), moment.utcoffset()
    # Python 3.11 reads an offset of less than a second as none.
    if offset is not None and offset.microseconds and type(moment).fromisoformat(text).utcoffset() != offset:
        raise _refused(form, f"a {type(value).__name__} whose zone is less than a second from UTC")
    return {tag: text}


def _span(value: object, form: Form) -> object:
    del form
    span = cast("dt.timedelta", value)
    return {"@timedelta": [span.days, span.seconds, span.microseconds]}


_WRITERS: Final[dict[type, Callable[[object, Form], object]]] = {
    bytes: _bytes,
    dt.datetime: partial(_moment, "@datetime"),
    dt.time: partial(_moment, "@time"),
    dt.date: partial(_text, "@date"),
    dt.timedelta: _span,
    UUID: partial(_text, "@uuid"),
    Decimal: _decimal,
}
_GROUPS: Final[dict[type, str]] = {tuple: "@tuple", set: "@set", frozenset: "@frozenset"}


def _restore(tree: object, depth: int, *, whole: bool) -> object:
    """Give what a tree stands for. Not `whole`: it holds parts, and what they lack to be hashed stays a list."""
    kind = type(tree)
    if kind not in _CONTAINERS:
        return tree
    if depth > _READ_DEPTH:
        raise ValueError("too deep")
    if kind is list:
        return [_restore(part, depth + 1, whole=whole) for part in cast("list[object]", tree)]
    pairs = cast("dict[object, object]", tree)
    if not _is_like_a_tag(pairs):
        return {key: _restore(part, depth + 1, whole=whole) for key, part in pairs.items()}
    ((tag, inner),) = cast("dict[str, object]", pairs).items()
    read = _READERS.get(tag)
    if read is not None:
        return read(inner)
    parts = [_restore(part, depth + 1, whole=whole) for part in _list(inner)]
    try:
        return _GATHERERS[tag](parts)
    except KeyError:
        raise ValueError("an unknown tag") from None
    except TypeError:
        if whole or tag not in _SETS:
            raise
        return parts


def _list(tree: object) -> list[object]:
    if type(tree) is not list:
        raise TypeError("not a list")
    return cast("list[object]", tree)


def _read_dict(parts: list[object]) -> object:
    pairs = dict[object, object]()
    for part in parts:
        key, value = _list(part)
        pairs[key] = value
    return pairs


def _str(tree: object) -> str:
    if type(tree) is not str:
        raise TypeError("not a str")
    return tree


def _read_span(tree: object) -> dt.timedelta:
    numbers = [number for number in _list(tree) if type(number) is int]
    if len(numbers) != _SPAN:
        raise ValueError("not a timedelta")
    return dt.timedelta(*numbers)


def _read_decimal(tree: object) -> Decimal:
    number = Decimal(_str(tree))
    if not number.is_finite():
        raise ValueError("not a number")
    return number


_READERS: Final[dict[str, Callable[[object], object]]] = {
    "@bytes": lambda tree: a2b_base64(_str(tree), strict_mode=True),
    "@datetime": lambda tree: dt.datetime.fromisoformat(_str(tree)),
    "@time": lambda tree: dt.time.fromisoformat(_str(tree)),
    "@date": lambda tree: dt.date.fromisoformat(_str(tree)),
    "@timedelta": _read_span,
    "@uuid": lambda tree: UUID(_str(tree)),
    "@decimal": _read_decimal,
}
_GATHERERS: Final[dict[str, Callable[[list[object]], object]]] = {
    "@dict": _read_dict,
    "@tuple": tuple,
    "@set": set,
    "@frozenset": frozenset,
}
_SETS: Final = frozenset({"@set", "@frozenset"})
