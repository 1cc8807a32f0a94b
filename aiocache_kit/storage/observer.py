"""`Observer`: where a storage tells what happens in it, and whom it lets watch its calls.

Rule 1: what a storage tells is taken note of at once, without waiting, and never fails.
Rule 2: a composite storage gives each of its parts an observer of its own, `part` with its name.
Rule 3: nobody is observed unless somebody wants to know: calls are traced by methods that are put in the place of the
storage's own, object by object, and taken away again.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final, TypeAlias

from aiocache_kit.event_kinds import CircuitState, RemovalCause

Span: TypeAlias = Callable[[str, str, str, int], AbstractContextManager[object]]
"""Takes layer, name of the storage, operation and number of items (0: not known), and is there while a call lasts."""
_OPERATIONS: Final = (
    *("read", "read_multi", "write", "write_multi", "remove", "remove_multi"),
    *("increment", "touch", "expire", "clear", "ping"),
)
_SHORT: Final = {"value": "read", "values": "read_multi", "put": "write", "put_multi": "write_multi"}
"""The methods of `Shortcuts`, with what they stand for."""


class Observer:
    """Whom a storage, or a part of one, tells."""

    __slots__ = ("layer", "on_circuit", "on_removal", "span")

    def __init__(
        self,
        on_removal: Callable[[str, RemovalCause, str], None] | None = None,
        on_circuit: Callable[[CircuitState, str], None] | None = None,
        span: Span | None = None,
        *,
        layer: str = "",
    ) -> None:
        """Tell of removals, of circuits and of calls; None: nobody wants to know of that."""
        self.on_removal: Final = on_removal
        self.on_circuit: Final = on_circuit
        self.span: Final = span
        self.layer: Final = layer
        """Which part of the whole it is; "": the whole."""

    def part(self, name: str) -> "Observer":
        """Make the observer of the part with this name."""
        layer = f"{self.layer}/{name}" if self.layer else name
        return Observer(self.on_removal, self.on_circuit, self.span, layer=layer)

    def circuit(self, state: CircuitState) -> None:
        """Tell of another state of the circuit breaker before this part."""
        if self.on_circuit is not None:
            self.on_circuit(state, self.layer)

    def removed(self, key: str, cause: RemovalCause) -> None:
        """Tell of an item that this part let go."""
        if self.on_removal is not None:
            self.on_removal(key, cause, self.layer)


def trace(storage: Any, observer: Observer) -> None:  # noqa: ANN401  - of whatever attributes
    """Let the calls of `storage` be watched as `observer` has it, and no more as another one had it."""
    own: dict[str, Any] = storage.__dict__
    for operation in _OPERATIONS:
        method = own.get(operation)
        if isinstance(method, _Traced):
            own.pop(operation)
            if method.is_of_object:  # somebody had put it in the place of the class's
                own[operation] = method.own
        if observer.span is not None:
            is_of_object = operation in own
            own[operation] = _Traced(
                getattr(storage, operation), storage.name, operation, observer, is_of_object=is_of_object
            )
    short = storage.shortcuts
    if isinstance(short, _TracedShortcuts):
        storage.shortcuts = short = short.own
    if short is not None and observer.span is not None:
        storage.shortcuts = _TracedShortcuts(short, storage.name, observer)


class _Traced:
    """A method whose calls are watched."""

    __slots__ = ("_is_many", "_layer", "_name", "_operation", "_span", "is_of_object", "own")

    def __init__(
        self, own: Callable[..., Any], name: str, operation: str, observer: Observer, *, is_of_object: bool = False
    ) -> None:
        self.own = own
        self.is_of_object = is_of_object
        self._name = name
        self._operation = operation
        self._layer = observer.layer
        self._span = observer.span
        self._is_many = operation.endswith("_multi")

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  - as the method
        if self._span is None:
            return await self.own(*args, **kwargs)
        first = args[0] if self._is_many and args else ()
        items = len(first) if hasattr(first, "__len__") else 0
        with self._span(self._layer, self._name, self._operation, items if self._is_many else 1):
            return await self.own(*args, **kwargs)


class _TracedShortcuts:
    """Shortcuts whose calls are watched."""

    __slots__ = ("own", *_SHORT)

    def __init__(self, own: Any, name: str, observer: Observer) -> None:  # noqa: ANN401  - `Shortcuts`, which `base` has
        self.own = own
        for method, operation in _SHORT.items():
            setattr(self, method, _Traced(getattr(own, method), name, operation, observer))
