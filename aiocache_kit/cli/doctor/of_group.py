"""Rules about servers that belong together: the nodes of a cluster, and sentinels with the servers that they watch.

Rule: each sentinel is asked by a connection of its own, since whether it answers is a part of what is to be known.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from aiocache_kit.cli.doctor.findings import Finding, good, note, problem, warning
from aiocache_kit.cli.knock import why
from aiocache_kit.cli.readings import Server, fields_in, servers_of
from aiocache_kit.cli.texts import plural
from aiocache_kit.clock import Clock
from aiocache_kit.config import Config, RedisConfig, SentinelConfig
from aiocache_kit.errors import CacheError, StorageAccessError, StorageError

_SLOTS: Final = 16_384
_FEWEST_SENTINELS: Final = 3

# --- clusters -------------------------------------------------------------------------------------------------------


async def look_at_cluster(server: Server) -> list[Finding]:
    """Ask one node how the cluster is; nothing is found where it may not be asked."""
    try:
        state = fields_in(bytes(await server.call((b"CLUSTER", b"INFO"), again=True)))
        nodes = bytes(await server.call((b"CLUSTER", b"NODES"), again=True)).decode("utf-8", "replace")
    except StorageAccessError:
        return [
            note(
                "cluster.rights",
                "the user may not ask for the state of the cluster",
                "grant +cluster|info +cluster|nodes",
            )
        ]
    return list(of_cluster(state, nodes.splitlines()))


def of_cluster(state: Mapping[str, str], nodes: Sequence[str]) -> Iterator[Finding]:
    """Judge a cluster by CLUSTER INFO and the lines of CLUSTER NODES."""
    assigned = int(state.get("cluster_slots_assigned", "0"))
    known = [_Node(*line.split()[:4]) for line in nodes if len(line.split()) >= 4]  # noqa: PLR2004  - the fields of a node
    failed = [node for node in known if {"fail", "fail?"} & node.flags]
    if assigned < _SLOTS:
        yield problem(
            "cluster.slots",
            f"{plural(_SLOTS - assigned, 'slot')} of {_SLOTS} belong to no node, and their keys to nobody",
            "redis-cli --cluster fix",
        )
    elif state.get("cluster_state") != "ok":
        yield problem("cluster.state", "the cluster says that it does not work", "redis-cli --cluster check")
    if failed:
        names = ", ".join(node.place for node in failed)
        yield warning(
            "cluster.failed",
            f"{plural(len(failed), 'node')} cannot be reached by the others: {names}",
            "start them again",
        )
    masters = [node for node in known if "master" in node.flags and node not in failed]
    followed = {node.master for node in known if "slave" in node.flags and node not in failed}
    alone = [node.place for node in masters if node.name not in followed]
    if alone:
        yield warning(
            "cluster.replicas",
            f"{plural(len(alone), 'master')} of {len(masters)} have no replica to take over: {', '.join(alone)}",
            "add a replica to each, or accept that their keys are away while they are",
        )
    if assigned == _SLOTS and state.get("cluster_state") == "ok" and not failed:
        yield good("cluster.state", f"the cluster works: {plural(len(masters), 'master')}, all slots have an owner")


@dataclass(frozen=True, slots=True)
class _Node:
    """A line of CLUSTER NODES."""

    name: str
    address: str
    all_flags: str
    master: str

    @property
    def flags(self) -> set[str]:
        return set(self.all_flags.split(","))

    @property
    def place(self) -> str:
        return self.address.partition("@")[0]


# --- sentinels ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Watch:
    """What one sentinel told, or why it did not."""

    place: str
    master: str = ""
    """The address of the master, as it knows it; "" where it knows none by the name."""
    replicas: int = 0
    others: int = 0
    """Other sentinels that it knows."""
    has_quorum: bool = False
    failure: str = ""
    """Why it was silent; "" where it was not."""


async def look_at_sentinels(config: Config, clock: Clock) -> list[Finding]:
    """Ask each sentinel."""
    guards = cast("SentinelConfig", config.redis_config.sentinel)
    watches = [await _watch(config, guards, place, clock) for place in guards.addrs]
    return list(of_sentinels(watches, guards.service_name))


async def _watch(config: Config, guards: SentinelConfig, place: str, clock: Clock) -> Watch:
    part: RedisConfig = replace(
        config.redis_config,
        addr=place,
        sentinel=None,
        db=0,
        username=guards.username,
        password=guards.password,
        max_retries=0,
    )
    its_own = replace(config, redis_config=part)
    try:
        async with servers_of(its_own, clock) as servers:
            told: Any = await servers.channel.call((b"SENTINEL", b"MASTER", guards.service_name), again=True)
            state = _paired(told)
            return Watch(
                place,
                master=f"{state.get('ip')}:{state.get('port')}",
                replicas=int(state.get("num-slaves", "0")),
                others=int(state.get("num-other-sentinels", "0")),
                has_quorum=await _has_quorum(servers.channel, guards.service_name),
            )
    except CacheError as error:
        if "No such master" in str(error.__cause__):
            return Watch(place)
        return Watch(place, failure=(await why(error, its_own)).problem)


async def _has_quorum(server: Server, service: str) -> bool:
    try:
        await server.call((b"SENTINEL", b"CKQUORUM", service), again=True)
    except StorageError:
        return False
    return True


def _paired(told: Any) -> dict[str, str]:  # noqa: ANN401  - a mapping, or a list of names and values, by the protocol
    if isinstance(told, Mapping):
        pairs = list(cast("Mapping[bytes, bytes]", told).items())
    else:
        texts = cast("Sequence[bytes]", told)
        pairs = list(zip(texts[::2], texts[1::2], strict=True))
    return {bytes(name).decode(): bytes(value).decode("utf-8", "replace") for name, value in pairs}


def of_sentinels(watches: Sequence[Watch], service: str) -> Iterator[Finding]:
    """Judge what sentinels told."""
    heard = [watch for watch in watches if not watch.failure]
    for watch in watches:
        if watch.failure:
            judge = warning if heard else problem
            yield judge(
                "sentinel.silent",
                f"the sentinel {watch.place} does not answer: {watch.failure}",
                "start it again, or correct redis_config.sentinel.addrs",
            )
        elif not watch.master:
            yield problem(
                "sentinel.service",
                f"the sentinel {watch.place} knows no master by the name {service!r}",
                "correct redis_config.sentinel.service_name",
            )
    watching = [watch for watch in heard if watch.master]
    if not watching:
        return
    if len({watch.master for watch in watching}) > 1:
        yield problem(
            "sentinel.masters",
            "the sentinels name different masters",
            "wait until they agree; if they do not, reset them (SENTINEL RESET)",
        )
    if not any(watch.has_quorum for watch in watching):
        yield problem(
            "sentinel.quorum",
            "not enough sentinels can be reached to replace a dead master",
            "start those that are missing",
        )
    if max(watch.others for watch in watching) + 1 < _FEWEST_SENTINELS:
        yield warning(
            "sentinel.few", "there are fewer than three sentinels", "run three or more, on machines of their own"
        )
    if not max(watch.replicas for watch in watching):
        yield warning("sentinel.replicas", "the master has no replica that could take its place", "add one")
    elif any(watch.has_quorum for watch in watching):
        replicas = plural(max(watch.replicas for watch in watching), "replica")
        yield good("sentinel.state", f"{plural(len(watching), 'sentinel')} watch over the master and {replicas}")
