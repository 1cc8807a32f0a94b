"""`Observer`: where a storage tells what happens in it, and whom it lets watch its calls.

Rule 1: what a storage tells is taken note of at once, without waiting, and never fails.
Rule 2: a composite storage gives each of its parts an observer of its own, `part` with its name.
Rule 3: nobody is observed unless somebody wants to know: calls are traced by methods that are put in the place of the
storage's own, object by object, and taken away again.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, Final, TypeAlias

from aiocache_kit.events import CircuitState, RemovalCause

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
    for operation in _OPERATIONS:
        storage.__dict__.pop(operation, None)
        if observer.span is not None:
            method = getattr(storage, operation)
            setattr(storage, operation, _traced(method, storage.name, operation, observer.layer, observer.span))
    short = storage.shortcuts
    if isinstance(short, _TracedShortcuts):
        storage.shortcuts = short = short.own
    if short is not None and observer.span is not None:
        storage.shortcuts = _TracedShortcuts(short, storage.name, observer.layer, observer.span)


def _traced(method: Callable[..., Any], name: str, operation: str, layer: str, span: Span) -> Callable[..., Any]:
    is_many = operation.endswith("_multi")

    @wraps(method)
    async def traced(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  - as the method
        first = args[0] if is_many and args else ()
        items = len(first) if hasattr(first, "__len__") else 0
        with span(layer, name, operation, items if is_many else 1):
            return await method(*args, **kwargs)

    return traced


class _TracedShortcuts:
    """Shortcuts whose calls are watched."""

    __slots__ = ("own", *_SHORT)

    def __init__(self, own: Any, name: str, layer: str, span: Span) -> None:  # noqa: ANN401  - `Shortcuts`, which `base` has
        self.own = own
        for method, operation in _SHORT.items():
            setattr(self, method, _traced(getattr(own, method), name, operation, layer, span))
