"""What is planted in a directory, taken from it or refused does no damage, and nothing is written outside."""

import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aiocache_kit import CorruptPayloadError, Item, StorageError
from aiocache_kit.errors import StorageUnavailableError
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.file import FileStorage, SharedFileStorage, file_storage

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.blocking  # a test of files looks at files
Made = FileStorage | SharedFileStorage
SHAPES = {"owner": False, "shared": True}
shapes = pytest.mark.parametrize("shared", SHAPES.values(), ids=SHAPES)


def made(path: Path, *, shared: bool = False, **options: Any) -> Made:  # noqa: ANN401  - options of `file_storage`
    """Make a storage in `path`."""
    return file_storage(str(path), Codec(JsonSerializer()), shared=shared, **options)


def item(key: str = "k", value: object = "v", ttl: float | None = 60.0) -> Item[object]:
    """Make an item."""
    return Item(key=key, value=value, ttl=ttl, created_at=1.0)


def file_of(storage: Made, key: str = "k") -> Path:
    """Give where the file of a key is, or would be."""
    files = storage.files
    number, digest = files.place(key)
    return Path(files.directory.path) / f"{number:02x}" / f"{files.prefix}{digest}"


async def value(storage: Made, key: str = "k") -> object:
    """Read a value."""
    found = await storage.read(key)
    return None if found is None else found.value


@shapes
async def test_files_are_private(tmp_path: Path, *, shared: bool) -> None:
    """Files and directories are the owner's alone, and no key stands in a name or in the open."""
    storage = made(tmp_path / "a" / "b", shared=shared)
    await storage.open()
    await storage.write(item("a secret key"))
    found = list((tmp_path / "a").rglob("*"))
    await storage.close()

    for path in [tmp_path / "a", *found, *(tmp_path / "a").rglob("*")]:
        if path.exists():
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert not [path for path in found if "secret" in path.name]


@shapes
async def test_permissions_are_as_configured(tmp_path: Path, *, shared: bool) -> None:
    """Permissions are those that were asked for, whatever the umask."""
    storage = made(tmp_path / "a", shared=shared, file_perm=0o660, dir_perm=0o770)
    await storage.open()
    await storage.write(item())
    file = file_of(storage)
    await storage.close()

    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent, tmp_path / "a")] == [0o660, 0o770, 0o770]


@shapes
@pytest.mark.parametrize("plant", ["link", "dangling link", "directory", "pipe", "socket", "foreign", "empty", "torn"])
async def test_what_lies_in_the_place_of_a_file_is_a_miss(tmp_path: Path, plant: str, *, shared: bool) -> None:
    """Whatever is planted there is neither read nor written through: a miss that is counted, and then a place again."""
    storage = made(tmp_path / "cache", shared=shared)
    outside = tmp_path / "outside"
    outside.write_text("untouched")
    await storage.open()
    await storage.write(item())
    file = file_of(storage)
    whole = file.read_bytes()
    file.unlink()
    plants: dict[str, Callable[[], object]] = {
        "link": lambda: file.symlink_to(outside),
        "dangling link": lambda: file.symlink_to(tmp_path / "nothing"),
        "directory": file.mkdir,
        "pipe": lambda: os.mkfifo(file),
        "socket": lambda: bind(file),
        "foreign": lambda: file.write_bytes(b"something else"),
        "empty": file.touch,
        "torn": lambda: file.write_bytes(whole[:-1]),
    }
    plants[plant]()

    assert await value(storage) is None
    assert (await storage.size()).errors >= 1
    assert await storage.write(item("k", "new")) is True
    assert await value(storage) == "new"
    assert outside.read_text() == "untouched"
    assert not (tmp_path / "nothing").exists()
    await storage.close()


def bind(path: Path) -> None:
    """Put a socket at `path`, whose name may be too long for one."""
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as plant:
            plant.bind(path.name)
    finally:
        os.chdir(before)


@shapes
async def test_strict_storage_raises_what_it_cannot_read(tmp_path: Path, *, shared: bool) -> None:
    """Where the configuration is strict, what was torn is an error once, and then a miss."""
    storage = made(tmp_path, shared=shared, strict=True)
    await storage.open()
    await storage.write(item())
    file = file_of(storage)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CorruptPayloadError):
        await storage.read("k")

    assert await value(storage) is None
    await storage.close()


@shapes
async def test_link_in_the_place_of_a_directory_is_refused(tmp_path: Path, *, shared: bool) -> None:
    """A link where a directory of items would be is an error of each call there, and nothing is written behind it."""
    storage = made(tmp_path / "cache", shared=shared)
    outside = tmp_path / "outside"
    outside.mkdir()
    await storage.open()
    await storage.size()
    file_of(storage).parent.symlink_to(outside)
    with pytest.raises(StorageError):
        await storage.write(item())

    assert list(outside.iterdir()) == []
    await storage.close()


@shapes
async def test_link_in_the_place_of_the_directory_is_refused(tmp_path: Path, *, shared: bool) -> None:
    """A cache does not begin in a directory that a link leads to."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "cache").symlink_to(tmp_path / "outside")
    with pytest.raises(StorageError, match="link or no directory"):
        await made(tmp_path / "cache", shared=shared).open()

    assert list((tmp_path / "outside").iterdir()) == []


@shapes
async def test_directory_that_others_write_is_refused(tmp_path: Path, *, shared: bool) -> None:
    """Where others may put files in the place of ours, nothing is kept; a sticky directory is fine."""
    place = tmp_path / "cache"
    place.mkdir()
    place.chmod(0o777)
    with pytest.raises(StorageError, match="may be written by others"):
        await made(place, shared=shared).open()
    place.chmod(0o1777)
    storage = made(place, shared=shared)
    await storage.open()
    await storage.close()


@shapes
async def test_file_in_the_place_of_the_directory_is_refused(tmp_path: Path, *, shared: bool) -> None:
    """A path that leads to a file is one clear error."""
    (tmp_path / "cache").write_text("")
    with pytest.raises(StorageError):
        await made(tmp_path / "cache", shared=shared).open()
    with pytest.raises(StorageError):
        await made(tmp_path / "cache" / "below", shared=shared).open()


async def test_one_at_a_time_has_a_directory(tmp_path: Path) -> None:
    """A second storage is told plainly, whether it would share or not, until the first has closed."""
    first = made(tmp_path)
    await first.open()
    for shared in (False, True):
        with pytest.raises(StorageUnavailableError, match="the directory is in use by"):
            await made(tmp_path, shared=shared).open()
    await first.close()
    second = made(tmp_path)
    await second.open()
    await second.close()


async def test_those_who_share_keep_an_owner_out(tmp_path: Path) -> None:
    """Storages that share a directory are let in together, and none that wants it alone beside them."""
    both = [made(tmp_path, shared=True), made(tmp_path, shared=True)]
    for storage in both:
        await storage.open()
    with pytest.raises(StorageUnavailableError, match="in use"):
        await made(tmp_path).open()
    for storage in both:
        await storage.close()


@shapes
async def test_directory_of_items_removed_under_us_comes_back(tmp_path: Path, *, shared: bool) -> None:
    """When somebody removes files and directories, what was there is missing, and writing goes on."""
    storage = made(tmp_path, shared=shared)
    await storage.open()
    await storage.write(item())
    file = file_of(storage)
    file.unlink()
    file.parent.rmdir()

    assert await value(storage) is None
    assert await storage.write(item("k", "new")) is True
    assert await value(storage) == "new"
    await storage.close()


@shapes
async def test_removed_directory_is_said_to_be(tmp_path: Path, *, shared: bool) -> None:
    """When the whole directory is gone, reads miss, writes and a ping say so, and closing is fine."""
    place = tmp_path / "cache"
    storage = made(place, shared=shared)
    await storage.open()
    await storage.ping()
    await storage.write(item())
    place.rename(tmp_path / "elsewhere")
    with pytest.raises(StorageUnavailableError, match="moved or removed"):
        await storage.ping()
    remove(tmp_path / "elsewhere")

    assert await value(storage) is None
    with pytest.raises(StorageError):
        await storage.write(item("k", "new"))
    await storage.close()


def remove(path: Path) -> None:
    """Remove a directory with all that is in it."""
    for inner in path.iterdir():
        if inner.is_dir():
            remove(inner)
        else:
            inner.unlink()
    path.rmdir()


@shapes
async def test_names_of_others_are_left_alone(tmp_path: Path, *, shared: bool) -> None:
    """A file that bears no name of ours outlives clearing and tidying."""
    storage = made(tmp_path, shared=shared, janitor_interval=0.0)
    await storage.open()
    await storage.write(item())
    (tmp_path / "notes.txt").write_text("mine")
    await storage.clear("k")
    await storage.tidy()
    await storage.close()

    assert (tmp_path / "notes.txt").read_text() == "mine"


@shapes
async def test_leftovers_of_a_crash_are_freed(tmp_path: Path, *, shared: bool) -> None:
    """What was being written when a process died is removed by the janitor."""
    aside = tmp_path / "aside"
    aside.mkdir(mode=0o700)
    for name in ("1-dead-0", "1-dead-1"):
        (aside / name).write_bytes(b"half")
        os.utime(aside / name, (0, 0))
    storage = made(tmp_path, shared=shared, janitor_interval=0.0)
    await storage.open()
    await storage.tidy()

    assert list(aside.iterdir()) == []
    await storage.close()


async def test_open_that_is_refused_leaves_nothing_open(tmp_path: Path) -> None:
    """An open that failed, or was in use, holds no descriptor."""
    first = made(tmp_path)
    await first.open()
    descriptors = Path("/proc/self/fd")
    before = set(descriptors.iterdir())
    with pytest.raises(StorageUnavailableError):
        await made(tmp_path).open()

    assert set(descriptors.iterdir()) == before
    await first.close()
