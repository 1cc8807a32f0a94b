"""What a beginner meets: no server, a wrong password, TLS, few rights, sentinels, clusters; and what doctor says."""

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.integration.cli.conftest import Run, fill
from tests.servers.certificates import TLS, Certificates
from tests.servers.cluster import Cluster
from tests.servers.fixtures import StartServer
from tests.servers.room import free_port
from tests.servers.sentinel import SentinelTrio
from tests.servers.server import LIMITED_PASSWORD, Server

HERE = "127.0.0.1"
NEEDED = (
    "+hello +auth +select +ping +time +client|setname +get +mget +set +unlink +del +getrange +strlen +incrby +decrby "
    "+pttl +pexpire +persist +scan +eval +evalsha"
)
"""What docs/how-to/redis.md grants."""


def test_nothing_listens(aiocache_kit: Run) -> None:
    """Each command says so in one sentence, with the same exit code."""
    url = f"redis://{HERE}:{free_port()}?dial_timeout=0.2"

    for command in (["keys"], ["stats"], ["doctor"]):
        told = aiocache_kit(*command, "--url", url)
        assert told.code == 3
        assert "nothing listens at this address" in told.out + told.err
        assert "Traceback" not in told.err


def test_a_socket_that_is_not_there(aiocache_kit: Run, tmp_path: Path) -> None:
    """A path is told from an address."""
    told = aiocache_kit("keys", "--url", f"unix://{tmp_path}/socket?dial_timeout=0.2")

    assert told.code == 3
    assert "no such socket" in told.err


def test_a_server_that_is_no_redis(aiocache_kit: Run, start_server: StartServer, certificates: Certificates) -> None:
    """One that speaks TLS is asked in clear text, and the other way round."""
    plain, sealed = start_server(), start_server(tls=TLS(certificates, certificates.right))

    told = aiocache_kit("keys", "--url", f"rediss://{HERE}:{plain.port}?dial_timeout=0.3")
    assert (told.code, "the server does not speak TLS" in told.err) == (3, True)
    told = aiocache_kit("keys", "--url", f"redis://{HERE}:{sealed.port}?dial_timeout=0.3")
    assert (told.code, "if it speaks TLS, use rediss://" in told.err) == (3, True)
    told = aiocache_kit("keys", "--url", f"rediss://{HERE}:{sealed.port}")
    assert (told.code, "certificate was not accepted" in told.err) == (4, True)
    told = aiocache_kit("keys", "--url", f"rediss://{HERE}:{sealed.port}?tls_ca_file={certificates.ca}")
    assert (told.code, told.err) == (0, "")


def test_a_password_that_is_missing_or_wrong(aiocache_kit: Run, start_server: StartServer) -> None:
    """The two are told apart, and neither is shown."""
    server = start_server(password="geheim")  # noqa: S106  - opens nothing but this server

    missing = aiocache_kit("keys", "--url", f"redis://{HERE}:{server.port}")
    assert (missing.code, "asks for a password, and none was given" in missing.err) == (4, True)
    wrong = aiocache_kit("keys", "--url", f"redis://:falsch@{HERE}:{server.port}")
    assert (wrong.code, "the password is wrong" in wrong.err) == (4, True)
    assert "falsch" not in wrong.err
    asked = aiocache_kit("doctor", "--json", "--url", f"redis://:geheim@{HERE}:{server.port}")
    assert asked.code == 1
    assert asked.checks["redis.default_user"] == "note"
    assert "geheim" not in asked.out


def test_a_database_that_is_not_there(aiocache_kit: Run, redis_server: Server) -> None:
    """Its number is what is wrong."""
    told = aiocache_kit("keys", "--url", f"redis://{HERE}:{redis_server.port}/999")

    assert "no database of this number" in told.err


@pytest.mark.parametrize(
    "url",
    ["redis//localhost", "http://localhost", "redis://a:b:c", "redis://localhost?no_such=1", "redis://me:p@ss/w@host"],
)
def test_a_wrong_url(aiocache_kit: Run, url: str) -> None:
    """One sentence that does not repeat what may be a password."""
    told = aiocache_kit("keys", "--url", url)

    assert told.code == 2
    assert len(told.err.splitlines()) == 1
    assert "p@ss" not in told.err


# --- doctor ---------------------------------------------------------------------------------------------------------


def test_a_server_in_order_is_told_to_be(aiocache_kit: Run, start_server: StartServer) -> None:
    """Nothing but notes is exit code 0; what was checked is shown on request."""
    server = start_server(maxmemory="200mb", config=["maxmemory-policy allkeys-lru"])
    url = f"redis://{HERE}:{server.port}?key_prefix=app:"

    told = aiocache_kit("doctor", "--json", "--url", url)
    assert told.code == 0
    assert told.json["worst"] == "note"
    assert {name for name, how in told.checks.items() if how == "good"} == {
        "server.latency",
        "server.policy",
        "server.rights",
        "trip.value",
    }
    assert "answers in" not in aiocache_kit("doctor", "--url", url).out
    assert "answers in" in aiocache_kit("doctor", "--all", "--url", url).out
    assert aiocache_kit("doctor", "--fail-on", "note", "--url", url).code == 1
    assert server.ask("DBSIZE") == 0


def test_a_server_without_a_bound_is_a_warning(aiocache_kit: Run, url: str) -> None:
    """The exit code is 1, unless that is not wanted."""
    told = aiocache_kit("doctor", "--json", "--url", url)

    assert (told.code, told.checks["server.maxmemory"]) == (1, "warning")
    assert aiocache_kit("doctor", "--fail-on", "never", "--url", url).code == 0


def test_the_rights_that_the_docs_grant_are_enough(aiocache_kit: Run, start_server: StartServer) -> None:
    """The user of docs/how-to/redis.md may do all that is needed, though not look at the server."""
    server = start_server(config=[f"user app on >few resetchannels ~app:* -@all {NEEDED}"])
    url = f"redis://app:few@{HERE}:{server.port}?key_prefix=app:"

    told = aiocache_kit("doctor", "--json", "--url", url)
    assert (told.checks["server.rights"], told.checks["server.info"]) == ("good", "note")
    stats = aiocache_kit("stats", "--url", url)
    assert (stats.code, "may not run INFO" in stats.err) == (4, True)
    page = (Path(__file__).parents[3] / "docs/how-to/redis.md").read_text("utf-8")
    assert all(word in page.split() for word in NEEDED.split())


def test_rights_that_are_missing_are_named(aiocache_kit: Run, start_server: StartServer) -> None:
    """With the rule that grants them, whether commands are missing or names."""
    server = start_server(
        limited_user=True, config=["user less on >few ~app:* +@all -scan -evalsha", "user other on >few ~other:* +@all"]
    )

    def told(user: str, password: str) -> tuple[str, str]:
        url = f"redis://{user}:{quote(password)}@{HERE}:{server.port}?key_prefix=app:"
        found = aiocache_kit("doctor", "--json", "--url", url).json["findings"]
        return next((each["severity"], each["advice"]) for each in found if each["check"] == "server.rights")

    assert told("app", LIMITED_PASSWORD) == ("good", "")
    assert told("less", "few") == ("problem", "ACL SETUSER less +scan +evalsha")
    assert told("other", "few") == ("problem", "ACL SETUSER other ~app:*")


@pytest.mark.parametrize("missing", ["-pexpire", "-set", "-incrby"])
def test_what_doctor_tries_ends_by_itself(aiocache_kit: Run, start_server: StartServer, missing: str) -> None:
    """Where it may not remove what it has made, that has an end all the same."""
    server = start_server(config=[f"user few on >few resetchannels ~app:* +@all {missing} -pexpire -del -unlink"])

    told = aiocache_kit("doctor", "--json", "--url", f"redis://few:few@{HERE}:{server.port}?key_prefix=app:")

    assert told.checks["server.rights"] == "problem"
    assert all(server.ask("PTTL", name) > 0 for name in server.ask("KEYS", "*"))


def test_a_server_that_takes_no_writes_is_a_problem(aiocache_kit: Run, start_server: StartServer) -> None:
    """One that is full and evicts nothing is found out by writing."""
    server = start_server(maxmemory="1kb")

    told = aiocache_kit("doctor", "--json", "--url", f"redis://{HERE}:{server.port}?key_prefix=app:")

    assert told.checks["server.writes"] == "problem"
    assert told.checks["server.policy"] == "problem"


def test_layers_without_news_are_a_warning(aiocache_kit: Run, url: str) -> None:
    """Other processes would go on giving old copies."""
    layers = ("--layer", "memory://", "--layer", url)

    assert aiocache_kit("doctor", "--json", *layers, "--backplane", "none").checks["layers.backplane"] == "warning"
    told = aiocache_kit("doctor", "--json", *layers)
    assert "layers.backplane" not in told.checks
    assert told.checks["trip.value"] == "good"


def test_a_configuration_that_needs_no_server_is_checked(aiocache_kit: Run) -> None:
    """Memory and null have nothing to reach."""
    assert aiocache_kit("doctor", "--json", "--url", "memory://").checks == {"memory.own": "note", "trip.value": "good"}
    assert aiocache_kit("doctor", "--json", "--url", "null://").checks == {"trip.null": "note"}


# --- sentinels and clusters -----------------------------------------------------------------------------------------


def test_sentinels_are_asked_too(aiocache_kit: Run, sentinel_trio: SentinelTrio) -> None:
    """Who is silent is told, while the others still lead to the master."""
    places = ",".join(f"{host}:{port}" for host, port in sentinel_trio.addresses)
    url = f"redis://?key_prefix=app:&sentinel_service_name={sentinel_trio.service}&sentinel_addrs={places}"

    told = aiocache_kit("doctor", "--json", "--url", url)
    assert told.checks["sentinel.state"] == "good"
    assert told.checks["trip.value"] == "good"
    wrong = aiocache_kit("doctor", "--json", "--url", url.replace("name=main", "name=other"))
    assert (wrong.code, wrong.checks["sentinel.service"]) == (3, "problem")

    sentinel_trio.sentinels[1].kill()
    told = aiocache_kit("doctor", "--json", "--url", url)
    assert told.checks["sentinel.silent"] == "warning"
    assert told.checks["server.latency"] == "good"
    assert aiocache_kit("stats", "--json", "--url", url).json["places"][0]["servers"][0]["role"] == "master"


def test_each_node_of_a_cluster_tells_of_itself(aiocache_kit: Run, redis_cluster: Cluster) -> None:
    """By its address; keys are listed and counted over all of them."""
    host, port = redis_cluster.addresses[0]
    url = f"redis://{host}:{port}?cluster=true&key_prefix=app:"
    fill(url, {f"key:{number}": number for number in range(50)})

    (place,) = aiocache_kit("stats", "--json", "--count", "--url", url).json["places"]
    assert {server["name"] for server in place["servers"]} == {
        f"{node.host}:{node.port}" for node in redis_cluster.masters
    }
    assert place["names"]["items"] == 50
    assert aiocache_kit("keys", "--count", "--url", url).out == "50\n"
    assert aiocache_kit("doctor", "--json", "--url", url).checks["cluster.state"] == "good"
    assert "all " in aiocache_kit("top", "--count", 1, "--interval", 0.1, "--url", url).out
    assert aiocache_kit("clear", "--yes", "--url", url).code == 0


def test_a_node_that_is_away_hides_none_of_the_others(aiocache_kit: Run, redis_cluster: Cluster) -> None:
    """Before the cluster has noticed, and afterwards: nobody is there to take its place."""
    host, port = redis_cluster.addresses[0]
    url = f"redis://{host}:{port}?cluster=true&key_prefix=app:"
    redis_cluster.replicas[1].kill()
    redis_cluster.masters[1].kill()

    told = aiocache_kit("stats", "--json", "--url", url)
    assert told.code == 3
    assert told.json["places"][0]["away"] == 1
    assert len(told.json["places"][0]["servers"]) == 2
    found = aiocache_kit("doctor", "--json", "--url", url).checks
    assert found["server.away"] == "problem"
    assert found["server.rights"] == "good"


def test_a_node_that_was_replaced_is_named(aiocache_kit: Run, redis_cluster: Cluster) -> None:
    """Nothing is away any more, but somebody has to start it again."""
    dead = redis_cluster.masters[1]
    dead.kill()
    new_master = redis_cluster.wait_for_failover(dead)
    url = f"redis://{new_master.host}:{new_master.port}?cluster=true&key_prefix=app:"

    assert aiocache_kit("stats", "--json", "--url", url).code == 0
    told = aiocache_kit("doctor", "--json", "--url", url)
    assert "server.away" not in told.checks
    assert (told.checks["cluster.failed"], told.checks["trip.value"]) == ("warning", "good")
    (failed,) = (each["finding"] for each in told.json["findings"] if each["check"] == "cluster.failed")
    assert f"{dead.host}:{dead.port}" in failed
