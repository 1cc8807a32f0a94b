"""What a function's annotations say of its keys and its results.

Rule 1: an annotation is read by itself. One that cannot be resolved yet says nothing, and spoils none of the others.
Rule 2: a declared result is for what needs one: it says what parts are, and leaves whole values as they are.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, get_args, get_origin

from aiocache_kit.serializers.typed import Declared

_SAY_NOTHING: Final = (inspect.Signature.empty, Any, object, None)


@dataclass(frozen=True, slots=True)
class KeyBy:
    """Says in an annotation what stands for an argument in keys: ``Annotated[User, KeyBy(lambda user: user.id)]``.

    What `make` gives is part of the key as an argument of that value would be. It must tell apart whatever results
    differ in. What it raises passes through.
    """

    make: Callable[[Any], object]


def annotations(function: Callable[..., object]) -> dict[str, object]:
    """Give the annotations of the parameters by name, and that of the result as ``return``; see rule 1."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return {}
    space = _names_around(function)
    found = {name: _resolved(each.annotation, space) for name, each in signature.parameters.items()}
    return {**found, "return": _resolved(signature.return_annotation, space)}


def _names_around(function: object) -> dict[str, Any]:
    """Give the names of the module that a function, a class or a callable object was written in."""
    if not inspect.isroutine(function) and not isinstance(function, type):
        function = getattr(function, "__wrapped__", None) or getattr(function, "func", None) or type(function).__call__
    written: Any = vars(function).get("__init__", function) if isinstance(function, type) else function
    return getattr(inspect.unwrap(written), "__globals__", {})


def _resolved(annotation: object, space: Mapping[str, Any]) -> object:
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, dict(space))  # noqa: S307  - the program's own text, as `typing.get_type_hints` has it
    except Exception:  # noqa: BLE001  - names of a module that is still being made, or known to type checkers only
        return inspect.Parameter.empty


def bare(annotation: Any) -> Any:  # noqa: ANN401  - an annotation is any object
    """Give what `annotation` is of, without what ``Annotated`` or an alias says beside it."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif type(annotation).__name__ == "TypeAliasType":  # Python 3.12
            annotation = annotation.__value__
        else:
            return annotation


def beside(annotation: Any) -> tuple[object, ...]:  # noqa: ANN401  - as above
    """Give what ``Annotated`` says beside a type; the last one counts where only one can."""
    if type(annotation).__name__ == "TypeAliasType":
        return beside(annotation.__value__)
    return get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()


def key_makers(function: Callable[..., object]) -> dict[str, Callable[[Any], object]]:
    """Give what the `KeyBy` of each parameter that has one says, by the parameter's name."""
    found: dict[str, Callable[[Any], object]] = {}
    for name, annotation in annotations(function).items():
        for each in beside(annotation):
            if isinstance(each, KeyBy):
                found[name] = each.make
    return found


def declared_result(function: Callable[..., object], *, many: bool = False) -> Declared:
    """Give the type of what a function declares to give, looked at when something needs it.

    With `many` it is that of the values, where the function declares to give a mapping.
    """

    def look() -> object:
        kind = bare(annotations(function).get("return"))
        if many:
            _, kind = get_args(kind) if len(get_args(kind)) == 2 else (None, None)  # noqa: PLR2004  - keys and values
        return None if any(kind is each for each in _SAY_NOTHING) else kind

    return Declared(look)
