"""What a directory tells of the secrets of its items, before anything in it is touched."""

import secrets
from pathlib import Path
from typing import Any

import pytest

from aiocache_kit import Config, FileConfig, Provider, StorageAccessError, new_provider

pytestmark = pytest.mark.blocking  # a test of files looks at files

OLD, NEW, OTHER = (secrets.token_hex(32) for _ in range(3))
ENCRYPTED: dict[str, Any] = {"encryption_keys": [OLD]}
WITNESS = "cache-witness"


def cache(path: Path, *, shared: bool = False, **options: Any) -> Provider:  # noqa: ANN401  - fields of Config
    """Make a provider that keeps its items in `path`."""
    part = FileConfig(dir=path, shared=shared, cache_file_prefix=options.pop("prefix", "cache-"))
    return new_provider(Config(provider="file", file_config=part, **options))


async def fill(path: Path, **options: Any) -> None:  # noqa: ANN401  - as above
    """Leave an item in `path`."""
    async with cache(path, **options) as provider:
        await provider.set("greeting", "hello")


async def found(path: Path, **options: Any) -> object:  # noqa: ANN401  - as above
    """Give what is left of it."""
    async with cache(path, **options) as provider:
        return await provider.get("greeting")


def items(path: Path) -> list[Path]:
    """Give the files of items."""
    return sorted(path.glob("??/cache-*"))


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("has_witness", [True, False])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ENCRYPTED, {}),
        (ENCRYPTED, {"encryption_keys": [OTHER]}),
        (ENCRYPTED, {"encryption_keys": [OLD], "encryption": "chacha20-poly1305"}),
        ({"signing_keys": [OLD]}, {}),
        ({"signing_keys": [OLD]}, {"signing_keys": [OTHER]}),
        ({"key_hash_secret": OLD}, {}),
        ({"key_hash_secret": OLD}, {"key_hash_secret": OTHER}),
        ({"key_hash_secret": OLD}, {"key_hash_secret": OLD, "key_hash_readable": 3}),
        ({}, ENCRYPTED),
        ({}, {"key_hash_secret": OLD}),
    ],
)
async def test_other_secrets_are_refused(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], *, has_witness: bool, shared: bool
) -> None:
    """Whoever comes with other secrets is told so, and who has the right ones finds everything."""
    await fill(tmp_path, **before)
    if not has_witness:
        (tmp_path / WITNESS).unlink()

    for _ in range(2):
        with pytest.raises(StorageAccessError, match="written under other secrets"):
            await found(tmp_path, shared=shared, **after)

    assert len(items(tmp_path)) == 1
    assert await found(tmp_path, shared=shared, **before) == "hello"


@pytest.mark.parametrize("kind", ["encryption_keys", "signing_keys"])
async def test_secrets_are_changed_in_three_steps(tmp_path: Path, kind: str) -> None:
    """The witness follows the newest secret, so the old one can be dropped."""
    await fill(tmp_path, **{kind: [OLD]})
    assert await found(tmp_path, **{kind: [OLD, NEW]}) == "hello"
    assert await found(tmp_path, **{kind: [NEW, OLD]}) == "hello"
    assert await found(tmp_path, **{kind: [NEW]}) is None  # what the old one wrote is a miss, and no reason to refuse

    with pytest.raises(StorageAccessError):
        await found(tmp_path, **{kind: [OLD]})


async def test_the_form_of_values_is_no_secret(tmp_path: Path) -> None:
    """Another serializer, compression or bound opens the directory as before."""
    await fill(tmp_path, **ENCRYPTED, compression="gzip", compression_threshold=1)

    async with cache(tmp_path, **ENCRYPTED, serialization_format="msgpack", max_value_size=16) as provider:
        assert await provider.get("greeting") == "hello"

    assert (tmp_path / WITNESS).exists()


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("options", [{}, ENCRYPTED])
@pytest.mark.parametrize("left", [b"", b"AKW\x01", b"something else, and rather long", None])
async def test_a_damaged_witness_locks_nobody_out(
    tmp_path: Path, options: dict[str, Any], left: bytes | None, *, shared: bool
) -> None:
    """A witness that is torn, foreign or missing is made anew where an item can be read."""
    await fill(tmp_path, **options)
    (tmp_path / WITNESS).unlink()
    if left is not None:
        (tmp_path / WITNESS).write_bytes(left)

    assert await found(tmp_path, shared=shared, **options) == "hello"

    with pytest.raises(StorageAccessError):
        await found(tmp_path, encryption_keys=[OTHER])


async def test_one_bit_of_a_witness_is_no_secret(tmp_path: Path) -> None:
    """A witness of which one byte is another one is a damaged one."""
    await fill(tmp_path, **ENCRYPTED)
    whole = (tmp_path / WITNESS).read_bytes()
    for at in range(len(whole)):
        (tmp_path / WITNESS).write_bytes(whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :])
        assert await found(tmp_path, **ENCRYPTED) == "hello"


@pytest.mark.parametrize("options", [{}, ENCRYPTED])
async def test_damaged_items_lock_nobody_out(tmp_path: Path, options: dict[str, Any]) -> None:
    """Items that were torn by a loss of power are misses, also where they are all that is there."""
    await fill(tmp_path, **options)
    (tmp_path / WITNESS).unlink()
    for path in items(tmp_path):
        path.write_bytes(path.read_bytes()[:30])

    assert await found(tmp_path, **options) is None


async def test_one_readable_item_is_enough(tmp_path: Path) -> None:
    """Without a witness, a directory that holds items of ours is ours; those of other secrets are swept as ever."""
    await fill(tmp_path / "other", encryption_keys=[OTHER])
    async with cache(tmp_path / "ours", **ENCRYPTED) as provider:
        for number in range(20):
            await provider.set(f"k{number}", number)
    (tmp_path / "ours" / WITNESS).unlink()
    (stranger,) = items(tmp_path / "other")
    place = tmp_path / "ours" / stranger.parent.name
    place.mkdir(exist_ok=True)
    stranger.rename(place / stranger.name)

    async with cache(tmp_path / "ours", **ENCRYPTED) as provider:
        assert (await provider.stats()).items == 20


async def test_each_prefix_has_its_secrets(tmp_path: Path) -> None:
    """Those who name their files otherwise may have other secrets in the same directory."""
    await fill(tmp_path, prefix="one-", **ENCRYPTED)
    await fill(tmp_path, prefix="two-", encryption_keys=[OTHER])

    assert await found(tmp_path, prefix="one-", **ENCRYPTED) == "hello"
    assert await found(tmp_path, prefix="two-", encryption_keys=[OTHER]) == "hello"
    with pytest.raises(StorageAccessError):
        await found(tmp_path, prefix="two-", **ENCRYPTED)


async def test_a_directory_is_free_after_a_refusal(tmp_path: Path) -> None:
    """A refused storage leaves the directory to others at once, and what was noted for the next start stays."""
    await fill(tmp_path, **ENCRYPTED)
    before = (tmp_path / "index").read_bytes()
    wrong = cache(tmp_path, encryption_keys=[OTHER])
    with pytest.raises(StorageAccessError):
        await wrong.get("greeting")

    assert (tmp_path / "index").read_bytes() == before
    assert await found(tmp_path, **ENCRYPTED) == "hello"
    await wrong.close()


async def test_a_planted_witness_leads_nowhere(tmp_path: Path) -> None:
    """A link in the place of the witness is not followed: neither read nor written through."""
    await fill(tmp_path / "cache", **ENCRYPTED)
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    (tmp_path / "cache" / WITNESS).unlink()
    (tmp_path / "cache" / WITNESS).symlink_to(outside)

    assert await found(tmp_path / "cache", **ENCRYPTED) == "hello"
    assert outside.read_bytes() == b"mine"
    assert not (tmp_path / "cache" / WITNESS).is_symlink()


async def test_the_witness_is_for_those_who_read_items(tmp_path: Path) -> None:
    """It has the permissions of items: a group that may read them may open the directory, too."""
    config = Config(provider="file", file_config=FileConfig(dir=tmp_path, file_perm=0o640))
    async with new_provider(config) as provider:
        await provider.set("greeting", "hello")

    assert (tmp_path / WITNESS).stat().st_mode & 0o777 == 0o640
