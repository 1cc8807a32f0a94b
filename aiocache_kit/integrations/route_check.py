"""Whether the cached functions below routes have keys that tell callers apart; looked at when an application starts.

A framework calls an endpoint with what it makes anew for each request: the request, a session of the database, the
current user. Such an argument either identifies the caller, and then belongs in the key, or it does not, and then has
to be left out; which of the two, nobody but the author knows. Left to the first request it would be an error for a
user, or one user's page for another.

Rule 1: each parameter of a cached endpoint is in the key, or named in ``exclude``. None is left out silently.
Rule 2: a parameter in the key is declared as something that keys can be made of, or `KeyBy`, a template or a function
says what stands for it.
Rule 3: what ends with the request is not used by loads that go on after it.
Rule 4: everything that is wrong is told at once, by the names of route, function and parameter.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any, Final, Protocol, cast

from aiocache_kit.decorators.calls import Hole
from aiocache_kit.decorators.declared import annotations, bare
from aiocache_kit.decorators.plan import Plan
from aiocache_kit.decorators.recipe import Recipe
from aiocache_kit.decorators.texts import has_text
from aiocache_kit.decorators.wrapped import Wrapped
from aiocache_kit.management.freshness import Freshness, FreshnessOptions, checked
from aiocache_kit.serializers.kinds import classes, is_taken_apart

_OUT: Final = "leave it out with exclude=, or say what stands for it: in key=, or by Annotated[..., KeyBy(...)]"


@dataclass(frozen=True, slots=True)
class Argument:
    """What a framework gives for a parameter, as far as that is not plain input of the client."""

    what: str
    """What it is, to be said after "is"."""
    may_identify: bool = False
    """Whether it can be part of a key if it is declared as something that keys can be made of."""
    ends: bool = False
    """Whether it is of no use once the request is over."""


class Framework(Protocol):
    """What a framework knows of its parameters and results."""

    def argument(self, annotation: object, default: object) -> Argument | None:
        """Say what is given for a parameter; None where it is plain input of the client."""
        ...

    def check_result(self, function: Callable[..., Any], annotation: object) -> None:
        """Raise `InvalidArgumentError` for a result that cannot be kept."""
        ...


def cached_below(endpoint: object) -> tuple[Plan, bool] | None:
    """Find the cached function that `endpoint` is or wraps, and whether it is bound to an instance."""
    seen: object = endpoint
    while seen is not None:
        plan = Wrapped.plan_of(seen)
        if plan is not None:
            return plan, bool(cast("Wrapped[Any]", seen).args)
        seen = getattr(seen, "__wrapped__", None) or getattr(seen, "func", None)
    return None


def problems(plan: Plan, framework: Framework, defaults: FreshnessOptions, *, bound: bool) -> Iterator[str]:
    """Give a sentence for each parameter that is wrong; `defaults` is the policy of the provider."""
    declared = annotations(plan.function)
    background = _goes_on(defaults, plan)
    for index, (name, parameter) in enumerate(signature(plan.function).parameters.items()):
        if (bound and index == 0) or not plan.signature.is_single(index):
            continue
        annotation = declared.get(name, Parameter.empty)
        argument = framework.argument(annotation, parameter.default)
        if name not in plan.order.exclude:
            wrong = _wrong(plan, index, annotation, argument)
        elif background and argument is not None and argument.ends:
            wrong = (
                f"is {argument.what}, which ends with the request, but {background} loads after it: open what the"
                " function needs inside of it"
            )
        else:
            continue
        if wrong:
            yield f"the parameter {name!r} of {plan.label} {wrong}"


def undeclared(endpoint: object, model: object) -> Iterator[str]:
    """Give a sentence where a route sends what it gets as a `model`, and its cached function declares no result.

    In memory that does no harm. Of an object bytes hold the parts, which nobody could read then.
    """
    plan = Wrapped.plan_of(endpoint)
    if plan is None or plan.order.type is not None or plan.type.kind() is not None:
        return
    named = [each for each in classes(model) if is_taken_apart(each)]
    if named:
        yield (
            f"{plan.label} does not declare what it gives, so that a {named[0].__name__} could not be read back from"
            " a storage of bytes: annotate its result, for response_model= is about what is sent"
        )


def _wrong(plan: Plan, index: int, annotation: object, argument: Argument | None) -> str | None:
    """Say what is wrong with a parameter that is not excluded."""
    name, recipe = plan.signature.names[index], plan.key
    if not isinstance(recipe, Recipe):
        return None  # a function of the program's own is handed all of them, and says what counts
    holes = [piece for piece in recipe.pieces if isinstance(piece, Hole) and piece.index == index]
    if not holes:
        is_instance = index == 0 and name in {"self", "cls"}
        return None if is_instance else "is no part of the key: name it there, or in exclude= if results do not differ"
    if all(hole.path or hole.by for hole in holes):
        return None
    if argument is not None and not (argument.may_identify and has_text(annotation)):
        of = "," if not argument.may_identify or bare(annotation) is Any else f", declared as {_named(annotation)},"
        if argument.may_identify and annotation is Parameter.empty:
            of = ", of a type that is not declared,"
        return f"is {argument.what}{of} which cannot be part of a key: {_OUT}"
    if recipe.typed and argument is None and annotation is not Parameter.empty and not has_text(annotation):
        return f"is declared as {_named(annotation)}, which cannot be part of a key: {_OUT}"
    return None


def _goes_on(defaults: FreshnessOptions, plan: Plan) -> str | None:
    """Give the name of an option by which a load goes on when no caller waits for it; None where there is none."""
    told: dict[str, object] = {**defaults, **plan.order.policy}
    told.pop("cost", None)
    policy = checked(told, Freshness())
    options: dict[str, bool] = {
        "stale_while_revalidate": bool(policy.stale_while_revalidate),
        "refresh_ahead": policy.refresh_ahead is not None,
        "early_beta": bool(policy.early_beta),
        "stale_timeout": policy.stale_timeout < math.inf,
    }
    return next((name for name, on in options.items() if on), None)


def _named(annotation: object) -> str:
    kind = bare(annotation)
    return kind.__name__ if isinstance(kind, type) else str(kind)
