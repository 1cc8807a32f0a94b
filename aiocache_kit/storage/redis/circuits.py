"""The circuit breakers before the servers of one installation of Redis, as one: it is as bad as the worst of them.

Which server it is, is not told: that would be a host, and servers of a cluster come and go.
"""

from weakref import WeakKeyDictionary, ref

from aiocache_kit.event_kinds import CircuitState
from aiocache_kit.management.circuit_breaker import CircuitBreaker
from aiocache_kit.storage.observer import Observer

_WORST_FIRST = (CircuitState.OPEN, CircuitState.HALF_OPEN)
NAME = "redis"
"""What the circuit is called, after the layer or node that the storage is."""


class Circuits:
    """All breakers of one installation."""

    __slots__ = ("_observer", "_states", "_told")

    def __init__(self) -> None:
        """Begin with none; nobody is told."""
        self._states: WeakKeyDictionary[CircuitBreaker, CircuitState] = WeakKeyDictionary()
        self._told = CircuitState.CLOSED
        self._observer: Observer | None = None

    def observe(self, observer: Observer) -> None:
        """Tell `observer` from now on."""
        self._observer = observer.part(NAME)

    def add(self, breaker: CircuitBreaker) -> CircuitBreaker:
        """Know one more breaker, closed as it is, and give it back."""
        states = self._states
        states[breaker] = CircuitState.CLOSED

        def changed(state: CircuitState) -> None:
            known = own()
            if known is not None:
                states[known] = state
            self._tell()

        own = ref(breaker)
        breaker.on_change = changed
        return breaker

    def _tell(self) -> None:
        states = set(self._states.values())
        worst = next((state for state in _WORST_FIRST if state in states), CircuitState.CLOSED)
        if worst is not self._told:
            self._told = worst
            if self._observer is not None:
                self._observer.circuit(worst)
