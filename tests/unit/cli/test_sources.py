"""From what was typed to a cache."""

import json
import sys
from pathlib import Path

import pytest

from aiocache_kit import ConfigError, InvalidArgumentError, StorageUnavailableError, UnsupportedError
from aiocache_kit.cli.sources import Named, find, token

REDIS = "redis://user:geheim@10.0.0.1:7000/0?key_prefix=app:"
PROGRAM = """
from aiocache_kit import Config, new_provider
settings = Config(provider="redis")
url = "memory://"
class Nested:
    settings = settings
def make():
    return new_provider("memory://")
def wrong():
    raise RuntimeError("a secret")
async def later():
    return settings
number = 5
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    name = f"caches_of_{tmp_path.name.replace('-', '_')}"
    Path(f"{name}.py").write_text(PROGRAM, "utf-8")
    return name


def test_a_cache_is_named_once() -> None:
    """Nothing named is an error that says how, and so are two names."""
    with pytest.raises(InvalidArgumentError, match="which cache"):
        find(Named(), {})
    with pytest.raises(InvalidArgumentError, match="only one of"):
        find(Named(url=REDIS, app="a:b"), {})


def test_the_environment_counts_where_nothing_else_is_said() -> None:
    """Variables describe a cache as they do for a program, under any prefix."""
    assert find(Named(), {"AIOCACHE_KIT_PROVIDER": "lru"}).kind == "lru"
    assert find(Named(env_prefix="SHOP_"), {"SHOP_PROVIDER": "redis"}).kind == "redis"
    assert find(Named(url="null://"), {"AIOCACHE_KIT_PROVIDER": "lru"}).kind == "null"


def test_a_file_is_toml_or_json(tmp_path: Path) -> None:
    """Both hold the same tree, in a table of a name; JSON may also be nothing but the tree."""
    toml, of_table, whole = tmp_path / "a.toml", tmp_path / "b.json", tmp_path / "c.JSON"
    toml.write_text('[aiocache_kit]\nprovider = "redis"\n[aiocache_kit.redis_config]\ndb = 3\n', "utf-8")
    tree = {"provider": "redis", "redis_config": {"db": 3}}
    of_table.write_text(json.dumps({"aiocache_kit": tree}), "utf-8")
    whole.write_text(json.dumps(tree), "utf-8")

    for path in (toml, of_table, whole):
        (place,) = find(Named(config=str(path))).places
        assert place.config.redis_config.db == 3


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000])
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    """One sentence names the option, and shows nothing of the file."""
    path = tmp_path / "a.json"
    path.write_text(text, "utf-8")

    with pytest.raises(ConfigError, match=r"^--config leads to a file that"):
        find(Named(config=str(path)))


def test_a_file_that_is_not_there_is_named_by_its_option() -> None:
    """What is wrong is the option that was typed."""
    for name in ("nowhere.toml", "nowhere.json"):
        with pytest.raises(ConfigError, match=r"^--config leads to no file"):
            find(Named(config=name))


def test_a_program_gives_its_own(program: str) -> None:
    """A configuration, a URL, a provider, or a function that gives one, by attributes of attributes."""
    assert find(Named(app=f"{program}:settings")).kind == "redis"
    assert find(Named(app=f"{program}:Nested.settings")).kind == "redis"
    assert find(Named(app=f"{program}:url")).kind == "memory"
    assert find(Named(app=f"{program}:make")).kind == "custom"


def test_the_cache_of_an_application_is_what_it_is_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its configuration, so that the servers are known, and in its namespace; or by the function that makes it."""
    (tmp_path / "shop_caches.py").write_text(
        "from aiocache_kit import new_layered\n"
        "from aiocache_kit.integrations.fastapi import AppCache\n"
        "cache = AppCache('redis://10.0.0.1:7000?key_prefix=app:')\n"
        "users = cache.namespace('users')\n"
        "layers = AppCache(lambda: new_layered('memory://', 'redis://10.0.0.1')).namespace('pages')\n"
        "def make(): return users\n",
        "utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)  # pyright: ignore[reportUnknownMemberType]  # as pytest declares it

    whole, part = find(Named(app="shop_caches:cache")), find(Named(app="shop_caches:users", namespaces=("old",)))
    assert (whole.kind, whole.words) == ("redis", "redis at 10.0.0.1:7000, prefix 'app:'")
    assert (part.words, part.namespaces) == (f"{whole.words}, namespace users/old", ("users", "old"))
    assert find(Named(app="shop_caches:make")).words == f"{whole.words}, namespace users"
    made = find(Named(app="shop_caches:layers"))
    assert (made.kind, made.namespaces) == ("custom", ("pages",))
    assert made.to_look_at().capabilities.shared


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("number", "an AppCache, a Config, a URL, or a function that gives one, not int"),
        ("nothing", "nothing, which is not there"),
        ("wrong", "raised RuntimeError$"),
        ("later", "an async function"),
    ],
)
def test_what_a_program_gives_wrongly_is_said(program: str, name: str, words: str) -> None:
    """Without what the program's own error says, which may be anything."""
    with pytest.raises(InvalidArgumentError, match=words):
        find(Named(app=f"{program}:{name}"))


@pytest.mark.parametrize("app", ["nothing", ":x", "no_such_module_here:x"])
def test_a_module_that_is_not_there_is_said(app: str) -> None:
    """And so is what names no attribute."""
    with pytest.raises(InvalidArgumentError, match=r"^--app"):
        find(Named(app=app))


def test_layers_hold_copies_above_the_truth() -> None:
    """The last one is the truth, and Redis there means news between processes unless that is switched off."""
    cache = find(Named(layers=("memory://", REDIS)))

    assert [place.is_copy for place in cache.places] == [True, False]
    assert cache.has_backplane
    assert not find(Named(layers=("memory://", REDIS), backplane="none")).has_backplane
    assert not find(Named(layers=("memory://", "file:///nowhere"))).has_backplane


def test_nodes_have_names() -> None:
    """A node without one is refused in words that show how."""
    cache = find(Named(nodes=(f"one={REDIS}", f"two={REDIS}")))

    assert [place.name for place in cache.truths] == ["one", "two"]
    with pytest.raises(InvalidArgumentError, match="a name, = and a URL"):
        find(Named(nodes=(REDIS,)))


@pytest.mark.parametrize("url", ["memory://", "lru://", "null://", "custom://"])
def test_what_lies_in_another_process_is_not_shown_as_empty(url: str) -> None:
    """It cannot be looked at, and that is an error."""
    with pytest.raises(UnsupportedError):
        find(Named(url=url)).to_look_at()
    with pytest.raises(UnsupportedError):
        find(Named(layers=("memory://", url))).to_look_at()


def test_a_providers_own_memory_is_not_shown_either(program: str) -> None:
    """The object that a program gives here is not the one in the program that runs."""
    with pytest.raises(UnsupportedError, match="no other process can look in"):
        find(Named(app=f"{program}:make")).to_look_at()


def test_a_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """Whoever mistypes a path gets no empty cache."""
    with pytest.raises(StorageUnavailableError, match="does not exist"):
        find(Named(url=f"file://{tmp_path}/nowhere")).to_look_at()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "two words", "ü", "a\nb", "\x00"])
def test_what_is_no_token_is_refused(tmp_path: Path, text: str) -> None:
    """Before it is sent anywhere, and without being shown."""
    path = tmp_path / "token"
    path.write_text(text, "utf-8")

    with pytest.raises(ConfigError, match="holds no token"):
        token(str(path), {})
    path.write_text("geheim\n", "utf-8")
    assert token(str(path), {}) == "geheim"
    assert token(None, {"AIOCACHE_DASHBOARD_TOKEN": "geheim"}) == "geheim"
    assert token(None, {}) is None


def test_nothing_shows_a_secret() -> None:
    """Neither the words for a cache nor its representation hold the password."""
    cache = find(Named(url=REDIS, namespaces=("users",)))

    assert cache.words == "redis at 10.0.0.1:7000, prefix 'app:', namespace users"
    assert "geheim" not in repr(cache)
    assert "geheim" not in repr(cache.places)


def test_a_cache_is_called_by_where_it_lies() -> None:
    """The words name a service as the sentinels do, a cluster by its first node, and a directory by its path."""
    assert find(Named(url="redis://?sentinel_addrs=a:1&sentinel_service_name=main")).words.startswith("redis at main")
    assert find(Named(url="redis://a:1?cluster=true")).words.startswith("redis at the cluster of a:1")
    assert find(Named(url="file:///var/cache/app")).words == "the directory /var/cache/app"
