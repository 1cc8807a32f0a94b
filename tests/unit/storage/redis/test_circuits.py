from aiocache_kit.events import CircuitState
from aiocache_kit.management.circuit_breaker import CircuitBreaker
from aiocache_kit.storage.observer import Observer
from aiocache_kit.storage.redis.circuits import Circuits


def test_many_servers_are_as_bad_as_the_worst() -> None:
    """Of the circuits of a cluster the worst is told, and only if that is another one than before."""
    told: list[tuple[str, CircuitState]] = []
    circuits = Circuits()
    one, other = (circuits.add(CircuitBreaker(wait=1.0, longest_wait=1.0, jitter=0.0)) for _ in range(2))
    one.trip(0.0)
    circuits.observe(Observer(on_circuit=lambda state, layer: told.append((layer, state)), layer="node a"))
    other.trip(0.5)
    assert one.allows(1.0)
    one.succeeded(1.0)
    assert told == []
    assert other.allows(2.0)
    other.succeeded(2.0)
    one.trip(3.0)

    states = [CircuitState.HALF_OPEN, CircuitState.CLOSED, CircuitState.OPEN]
    assert told == [("node a/redis", state) for state in states]
