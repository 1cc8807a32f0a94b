"""The provider of decorated functions: given, or asked for when a function is first called."""

import inspect
from collections.abc import Callable
from typing import TypeAlias

from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.provider import Provider
from aiocache_kit.sentinels import MISSING, MissingType

Source: TypeAlias = Provider | Callable[[], Provider]
"""A provider, or a function that gives one."""


def asker(source: object) -> Callable[[], object]:
    """Make what gives the provider; raise `InvalidArgumentError` for what is neither a provider nor gives one."""
    if isinstance(source, Provider):
        return lambda: source
    is_function = inspect.iscoroutinefunction(source)
    if not callable(source) or is_function or inspect.iscoroutinefunction(type(source).__call__):
        given = "a coroutine function" if is_function else f"an object of class {type(source).__qualname__}"
        raise InvalidArgumentError(
            f"provider must be a Provider, or a plain function that gives one, not {given}: write @cached(provider)"
        )
    return source


class Target:
    """The provider of one decorated function, asked for when it is first needed."""

    __slots__ = ("_ask", "_check", "provider")

    def __init__(self, ask: Callable[[], object], check: Callable[[Provider], None]) -> None:
        """Use what `ask` gives, once `check` has not refused it."""
        self._ask = ask
        self._check = check
        self.provider: Provider | _Nowhere = _Nowhere()
        """Where a hit is looked up."""

    def get(self) -> Provider:
        """Give the provider; what `ask` and `check` raise passes through, and they are called again the next time.

        They are called again, too, when the provider is closed: an application that starts anew has a new one.
        """
        held = self.provider
        if isinstance(held, Provider) and not held.closed:
            return held
        found = self._ask()
        if not isinstance(found, Provider):
            kind = type(found).__qualname__
            raise InvalidArgumentError(
                f"the function given as provider must give a Provider, not an object of class {kind}"
            )
        self._check(found)
        self.provider = found
        return found


class _Nowhere:
    """Stands for a provider that nobody has asked for yet: nothing is there without waiting."""

    @staticmethod
    def lookup(key: str, refresh_ahead: object = None) -> MissingType:
        del key, refresh_ahead
        return MISSING
