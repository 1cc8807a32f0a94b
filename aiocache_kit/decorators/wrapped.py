"""What decorated functions have in common: they are called, bound and inspected as functions are.

A decorated function is a `functools.partial` of a coroutine function that is generated for it; bound to an instance, it
is one that holds the instance. So whoever inspects callables, a web framework above all, finds a coroutine function
with the signature of the original, and a call costs no frame but that function's.
"""

from collections.abc import Callable, Coroutine
from functools import partial, update_wrapper
from types import MethodType
from typing import Any, Self, TypeVar, cast

from aiocache_kit.decorators.calls import Values
from aiocache_kit.decorators.plan import Plan

R = TypeVar("R")


class Wrapped(partial[Coroutine[Any, Any, R]]):
    """A decorated function, or a method of one bound to its instance."""

    __slots__ = ("_plan",)

    __name__: str
    __qualname__: str
    _plan: Plan

    @classmethod
    def of(cls, plan: Plan, function: Callable[..., Any]) -> Self:
        """Make one that calls `function` and looks like the original."""
        made = cls(function)
        made._plan = plan
        update_wrapper(made, plan.function)
        return made

    @property
    def __globals__(self) -> dict[str, Any]:
        """The module of the original, where the oldest FastAPI allowed looks up annotations that are text."""
        return getattr(self._plan.function, "__globals__", {})

    @staticmethod
    def plan_of(function: object) -> Plan | None:
        """Give the plan of a decorated function, None for any other object."""
        return function._plan if isinstance(function, Wrapped) else None  # noqa: SLF001  - of this class

    def _bind(self, instance: object, owner: type | None) -> Self:
        """Bind to an instance, or to its class, as the original would be bound."""
        bind = self._plan.bind
        receiver = None if bind is staticmethod else owner if bind is classmethod else instance
        if receiver is None or self.args:
            return self
        bound = self.__class__(self.func, receiver)
        bound._plan = self._plan  # noqa: SLF001  - of the same class
        bound.__dict__.update(self.__dict__, __wrapped__=MethodType(self._plan.function, receiver))
        return bound

    def __reduce__(self) -> str | tuple[object, ...]:
        """Pickle and copy by name, as functions and methods do."""
        return (getattr, (self.args[0], self.func.__name__)) if self.args else self.func.__qualname__

    def __repr__(self) -> str:
        return f"<cached {self._plan.label}>"

    def _original(self) -> Callable[..., Any]:
        return cast("Any", self).__wrapped__  # type: ignore[no-any-return]  # set by `of` and `_bind`

    def _values(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Values:
        return self._plan.values(*self.args, *args, **kwargs)
