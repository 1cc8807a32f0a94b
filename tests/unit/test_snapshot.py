import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from enum import IntEnum
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit.errors import StorageError
from aiocache_kit.item import Item, Validators
from aiocache_kit.storage.frames import END, FRAME, Target
from aiocache_kit.storage.records import MOST_DEPTH, Packer
from aiocache_kit.storage.snapshot import Snapshot
from aiocache_kit.testing import FakeClock

NOON = 1_800_000_000.0


def item(key: str, value: object = "value", *, ttl: float | None = 60.0) -> Item[object]:
    """An item written at noon."""
    return Item(key=key, value=value, ttl=ttl, expiration=None if ttl is None else NOON + ttl, created_at=NOON)


async def stream(items: Iterable[Item[object]]) -> AsyncIterator[Item[object]]:
    for each in items:
        yield each


async def load(snapshot: Snapshot, clock: FakeClock | None = None) -> list[Item[object]]:
    return [each async for each in snapshot.items(FakeClock(time=NOON) if clock is None else clock)]


def values(items: Iterable[Item[object]]) -> dict[str, object]:
    return {each.key: each.value for each in items}


def types(value: object) -> object:
    """The types of a value and of all that is in it."""
    if isinstance(value, dict):
        pairs = cast("dict[object, object]", value)
        return [dict, [(types(key), types(part)) for key, part in pairs.items()]]
    if isinstance(value, list):
        return [list, [types(part) for part in cast("list[object]", value)]]
    return type(value)


def write(path: Path, frames: Iterable[bytes], end: bytes) -> None:
    """Write a file of the given frames."""
    target = Target(path, fsync=False)
    target.begin()
    for frame in frames:
        target.write([frame])
    target.write([end], END)
    target.finish()


def write_items(path: Path, items: Iterable[Item[object]]) -> None:
    """Write a snapshot with one frame an item."""
    packer = Packer()
    frames: list[bytes] = []
    for each in items:
        assert list(packer.steps(each)) == []
        frames.append(b"".join(packer.take()))
    write(path, frames, packer.end())


def left_over(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir() if path.name.endswith(".tmp")]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "aiocache_kit"]


@contextlib.asynccontextmanager
async def turns() -> AsyncGenerator[list[int], None]:
    """Count the turns of the event loop that others get meanwhile."""
    count = [0]

    async def turn() -> None:
        while True:
            await asyncio.sleep(0)
            count[0] += 1

    task = asyncio.create_task(turn())
    try:
        yield count
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


# --- what comes back ------------------------------------------------------------------------------------------------

atoms = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=[]))
    | st.binary()
)
plain = st.recursive(atoms, lambda parts: st.lists(parts) | st.dictionaries(atoms, parts), max_leaves=20)


@given(st.lists(plain))
def test_values_come_back(tmp_path_factory: pytest.TempPathFactory, given_values: list[object]) -> None:
    """Every value of the types that are kept comes back equal and of the same types at every depth."""
    path = tmp_path_factory.mktemp("snapshot") / "items"
    items = [item(f"key {place}", value) for place, value in enumerate(given_values)]

    async def there_and_back() -> list[object]:
        snapshot = Snapshot(path, fsync=False)
        await snapshot.save(stream(items))
        assert snapshot.left_out == 0
        return [each.value for each in await load(snapshot)]

    found = asyncio.run(there_and_back())
    assert found == given_values
    assert types(found) == types(given_values)


async def test_everything_else_of_an_item_comes_back(tmp_path: Path) -> None:
    """Key, dates, tags and cost are kept; the version is the storage's own."""
    snapshot = Snapshot(tmp_path / "items")
    full: Item[object] = Item(
        key="\ud800 naïve / key",
        value=None,
        ttl=90.0,
        expiration=NOON + 60,
        tags=("a", "ü"),
        cost=7,
        version=9,
        created_at=NOON - 30,
        validators=Validators("e", None),
    )
    forever = item("forever", ttl=None)

    await snapshot.save(stream([full, forever]))

    found = await load(snapshot)
    assert found[0].key == full.key
    assert (found[0].ttl, found[0].expiration, found[0].created_at) == (60.0, NOON + 60, NOON - 30)
    assert (found[0].tags, found[0].cost, found[0].version) == (("a", "ü"), 7, 0)
    assert (found[0].validators, found[1].validators) == (full.validators, None)
    assert (found[1].ttl, found[1].expiration, found[1].tags, found[1].cost) == (None, None, (), None)


async def test_ttl_is_what_is_left(tmp_path: Path) -> None:
    """Time that passes between save and load counts; what ends by the very instant of loading is not given."""
    snapshot = Snapshot(tmp_path / "items")
    await snapshot.save(stream([item("short", ttl=10.0), item("long", ttl=60.0), item("forever", ttl=None)]))

    found = await load(snapshot, FakeClock(time=NOON + 10.0))

    assert [(each.key, each.ttl) for each in found] == [("long", 50.0), ("forever", None)]


async def test_no_item_lives_longer_when_the_clock_is_set_back(tmp_path: Path) -> None:
    """An item never gets more than the ttl that it had, whatever the wall clock says."""
    snapshot = Snapshot(tmp_path / "items")
    await snapshot.save(stream([item("key", ttl=60.0)]))

    (found,) = await load(snapshot, FakeClock(time=NOON - 86_400))

    assert found.ttl == 60.0


class Number(IntEnum):
    ONE = 1


class Text(str):
    __slots__ = ()


def cycle() -> list[object]:
    ring: list[object] = []
    ring.append(ring)
    return ring


def nested(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    "unfit",
    [
        *(
            (1, 2),
            {1},
            frozenset[int](),
            bytearray(b"x"),
            memoryview(b"x"),
            Number.ONE,
            Text("x"),
            object(),
            1j,
            NOON.__class__,
        ),
        *(
            2**64,
            -(2**63) - 1,
            [[(1,)]],
            {(1, 2): 3},
            {"a": {"b": bytearray()}},
            [2**64],
            cycle(),
            nested(MOST_DEPTH + 1),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_what_would_not_come_back_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, unfit: object
) -> None:
    """A value that msgpack would change or refuse is left out and counted, and one warning is logged."""
    snapshot = Snapshot(tmp_path / "items")
    items = [item("a"), item("secret-key", unfit), item("b", nested(MOST_DEPTH))]

    await snapshot.save(stream(items))
    await snapshot.save(stream(items))

    assert snapshot.left_out == 1
    assert values(await load(snapshot)) == {"a": "value", "b": nested(MOST_DEPTH)}
    assert len(warnings(caplog)) == 1
    assert "secret-key" not in caplog.text


@pytest.mark.parametrize("change", [list[int].append, list[int].pop, list[int].clear])
async def test_a_list_that_changes_meanwhile_is_left_out(tmp_path: Path, change: Callable[..., object]) -> None:
    """A list that grows or shrinks while it is packed spoils neither the file nor the items around it."""
    snapshot = Snapshot(tmp_path / "items")
    changing: list[int] = []

    async def items() -> AsyncIterator[Item[object]]:
        yield item("a")
        changing.extend(range(300_000))
        asyncio.get_running_loop().call_soon(change, changing, *([0] if change is list[int].append else []))
        yield item("changing", changing)
        yield item("b")

    await snapshot.save(items())

    assert set(values(await load(snapshot))) == {"a", "b"}
    assert snapshot.left_out == 1


async def test_a_dict_that_changes_meanwhile_is_left_out(tmp_path: Path) -> None:
    """A dict that grows while it is packed is left out as well."""
    snapshot = Snapshot(tmp_path / "items")
    changing = dict.fromkeys(range(300_000), 0)

    async def items() -> AsyncIterator[Item[object]]:
        asyncio.get_running_loop().call_soon(changing.update, {-1: -1})
        yield item("changing", changing)
        yield item("b")

    await snapshot.save(items())

    assert set(values(await load(snapshot))) == {"b"}


# --- the event loop -------------------------------------------------------------------------------------------------


async def test_many_items_leave_the_loop_to_others(tmp_path: Path) -> None:
    """Saving and loading 200,000 items is cut into hundreds of slices, and nothing is lost."""
    snapshot = Snapshot(tmp_path / "items", fsync=False)
    many = 200_000

    async with turns() as while_saving:
        await snapshot.save(stream(item(str(number), number) for number in range(many)))
    found = 0
    async with turns() as while_loading:
        async for each in snapshot.items(FakeClock(time=NOON)):
            found += each.value == int(each.key)

    assert found == many
    assert while_saving[0] > 200
    assert while_loading[0] > 200


async def test_one_large_value_leaves_the_loop_to_others(tmp_path: Path) -> None:
    """A single value of a million parts, larger than many frames, is packed and unpacked in slices too."""
    snapshot = Snapshot(tmp_path / "items", fsync=False)
    large = [list(range(1000))] * 1000

    async with turns() as while_saving:
        await snapshot.save(stream([item("large", large)]))
    async with turns() as while_loading:
        found = await load(snapshot)

    assert found[0].value == large
    assert snapshot.path.stat().st_size > 8 * FRAME
    assert while_saving[0] > 50
    assert while_loading[0] > 20


async def test_one_long_text_comes_back(tmp_path: Path) -> None:
    """A text that is longer than a frame is cut and put together again."""
    snapshot = Snapshot(tmp_path / "items", fsync=False)

    await snapshot.save(stream([item("long", "é" * FRAME), item("next")]))

    assert values(await load(snapshot)) == {"long": "é" * FRAME, "next": "value"}


# --- damage ---------------------------------------------------------------------------------------------------------

SMALL = [item("first", [1, None, {"a": b"b"}]), item("second", "text"), item("third", 3.5)]


def is_beginning(found: Iterable[Item[object]], items: list[Item[object]]) -> bool:
    got = [(each.key, each.value, each.expiration) for each in found]
    return got == [(each.key, each.value, each.expiration) for each in items][: len(got)]


async def test_a_file_cut_anywhere_gives_what_is_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Wherever a file ends too early, the whole items before that are given, and one warning is logged."""
    snapshot = Snapshot(tmp_path / "items")
    await asyncio.to_thread(write_items, snapshot.path, SMALL)
    whole = snapshot.path.read_bytes()
    counts: list[int] = []

    for end in range(len(whole)):
        caplog.clear()
        snapshot.path.write_bytes(whole[:end])
        found = await load(snapshot)
        assert is_beginning(found, SMALL)
        assert len(warnings(caplog)) == 1
        counts.append(len(found))

    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2, 3}


async def test_an_altered_byte_gives_what_is_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whichever byte is altered, nothing is given that was not written, and one warning is logged."""
    snapshot = Snapshot(tmp_path / "items")
    await asyncio.to_thread(write_items, snapshot.path, SMALL)
    whole = snapshot.path.read_bytes()

    for place in range(len(whole)):
        caplog.clear()
        altered = bytearray(whole)
        altered[place] ^= 1 << place % 8
        snapshot.path.write_bytes(altered)
        assert is_beginning(await load(snapshot), SMALL)
        assert len(warnings(caplog)) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it ends too early"),
        (b"AIOC", "it ends too early"),
        (b"AIOCKIT\x00", "it is of format 0, and this version reads format 1"),
        (b"AIOCKIT\x02" + bytes(100), "it is of format 2, and this version reads format 1"),
        (b"PK\x03\x04" + bytes(100), "it is no snapshot"),
        (bytes(4096), "it is no snapshot"),
        (b"AIOCKIT\x01" + bytes(4096), "a checksum does not match"),
        (b"AIOCKIT\x01B\xff\xff\xff\xff" + bytes(4096), "a frame is too long"),
    ],
)
async def test_a_foreign_file_gives_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes, reason: str
) -> None:
    """A file that is empty, of another program or of another version gives no items, and the warning says why."""
    snapshot = Snapshot(tmp_path / "items")
    snapshot.path.write_bytes(content)

    assert await load(snapshot) == []
    assert warnings(caplog) == [f"the snapshot {snapshot.path} is damaged: {reason}; 0 items were read"]


async def test_a_damaged_file_is_replaced_by_the_next_save(tmp_path: Path) -> None:
    """Damage does not keep anybody from saving again."""
    snapshot = Snapshot(tmp_path / "items")
    snapshot.path.write_bytes(b"anything")

    await snapshot.save(stream([item("key")]))

    assert values(await load(snapshot)) == {"key": "value"}


@given(
    st.binary()
    | st.lists(
        st.sampled_from(
            [
                b"\xdd\x00\xff\xff\xff",
                b"\x91",
                b"\x96",
                b"\xa1a",
                b"\xc0",
                b"\xd4\x05x",
                b"\xdf\xff\xff\xff\xff",
                b"\x81\x90\x90",
            ]
        )
    ).map(b"".join)
)
def test_frames_of_junk_never_crash(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    """Whatever somebody puts into frames with right checksums, reading ends, and gives items or none."""
    path = tmp_path_factory.mktemp("snapshot") / "items"
    write(path, [junk], bytes(8))

    for found in asyncio.run(load(Snapshot(path))):
        assert found.key


HEAD = b"\x96\xa1k\xc0\xc0\xcb" + bytes(8) + b"\xc0\x90"


@pytest.mark.parametrize(
    "record",
    [
        HEAD.replace(b"\x96", b"\x95", 1),
        HEAD.replace(b"\xa1k", b"\xa0"),
        HEAD.replace(b"\xa1k", b"\x07"),
        HEAD.replace(b"\xcb" + bytes(8), b"\x00"),
        HEAD[:-2] + b"\xff\x90",
        HEAD[:-2] + b"\xa1x\x90",
        HEAD[:-1] + b"\x91\xa0",
        HEAD[:-1] + b"\x91\x01",
        HEAD[:-1] + b"\xc0",
        HEAD.replace(b"k\xc0\xc0", b"k\xa1x\xc0"),
        HEAD.replace(b"k\xc0\xc0", b"k\xc0\xa1x"),
        HEAD.replace(b"\x96", b"\x97", 1) + b"\xa1e",
        HEAD.replace(b"\x96", b"\x98", 1) + b"\xa1e\x07",
        HEAD.replace(b"\x96", b"\x98", 1) + b"\x07\xc0",
    ],
)
async def test_a_head_that_nobody_writes_is_damage(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, record: bytes
) -> None:
    """An item of which one part is missing or of a wrong type is not given, nor what follows it."""
    path = tmp_path / "items"
    await asyncio.to_thread(write, path, [HEAD + b"\x01", record + b"\x02", HEAD + b"\x03"], bytes(7) + b"\x03")

    assert [each.value for each in await load(Snapshot(path))] == [1]
    assert len(warnings(caplog)) == 1


async def test_missing_items_are_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file from which whole frames were taken out says so, since its end knows how many items there were."""
    path = tmp_path / "items"
    await asyncio.to_thread(write, path, [HEAD + b"\x01"], bytes(7) + b"\x02")

    assert len(await load(Snapshot(path))) == 1
    assert warnings(caplog) == [f"the snapshot {path} is damaged: items are missing; 1 items were read"]


# --- the file -------------------------------------------------------------------------------------------------------


async def test_no_file_is_no_items(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The first start finds nothing, says nothing and makes nothing."""
    assert await load(Snapshot(tmp_path / "not" / "there")) == []
    assert warnings(caplog) == []
    assert list(tmp_path.iterdir()) == []


async def test_files_and_directories_are_private(tmp_path: Path) -> None:
    """What is made is for the owner alone, whatever the mask of the process allows."""
    before = os.umask(0)
    try:
        await Snapshot(tmp_path / "one" / "two" / "items").save(stream([item("key")]))
    finally:
        os.umask(before)

    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "one" / "two").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "one" / "two" / "items").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("place", ["directory", "directory/items", "file/items", "pipe"])
async def test_a_place_that_cannot_be_used_is_one_sentence(tmp_path: Path, place: str) -> None:
    """Where a snapshot can be neither written nor read, that is a `StorageError` that names the path; nothing hangs."""
    (tmp_path / "directory" / "items").mkdir(parents=True)
    (tmp_path / "file").write_text("text")
    os.mkfifo(tmp_path / "pipe")
    snapshot = Snapshot(tmp_path / place)

    with pytest.raises(StorageError, match=rf"^the snapshot {tmp_path / place} cannot be written: [\w ]+$"):
        await snapshot.save(stream([item("key")]))
    with pytest.raises(StorageError, match=rf"^the snapshot {tmp_path / place} cannot be read: [\w ]+$"):
        await load(snapshot)
    assert left_over(tmp_path) == []
    assert (tmp_path / "file").read_text() == "text"


async def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """Where there is no room, the sentence says so, the old file is there, and nothing is left beside it."""
    snapshot = Snapshot(tmp_path / "items")
    await snapshot.save(stream([item("old")]))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FRAME, hard))
    try:
        with pytest.raises(StorageError, match=r"cannot be written: File too large$"):
            await snapshot.save(stream(item(str(number), "x" * 1000) for number in range(1000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert values(await load(snapshot)) == {"old": "value"}
    assert left_over(tmp_path) == []


async def test_a_save_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """An error of whoever gives the items passes through, and the old file stays."""
    snapshot = Snapshot(tmp_path / "items")
    await snapshot.save(stream([item("old")]))

    async def failing() -> AsyncIterator[Item[object]]:
        yield item("new")
        raise LookupError

    with pytest.raises(LookupError):
        await snapshot.save(failing())

    assert values(await load(snapshot)) == {"old": "value"}
    assert left_over(tmp_path) == []


async def test_a_cancelled_save_leaves_the_old_file(tmp_path: Path) -> None:
    """Cancelled at any of its first awaits, a save leaves the old file or the new one, and closes its source."""
    snapshot = Snapshot(tmp_path / "items", fsync=False)
    outcomes: set[str] = set()

    for patience in range(40):
        await snapshot.save(stream([item("old")]))
        closed = asyncio.Event()

        async def items(closed: asyncio.Event = closed) -> AsyncGenerator[Item[object], None]:
            try:
                for number in range(600):
                    yield item(f"new {number}", "x" * 1000)
            finally:
                closed.set()

        source = items()
        await anext(source)
        task = asyncio.create_task(snapshot.save(source))
        for _ in range(patience):
            await asyncio.sleep(0)
        task.cancel()
        outcomes.add("cancelled" if (await asyncio.gather(task, return_exceptions=True))[0] else "done")

        assert patience == 0 or closed.is_set()
        found = values(await load(snapshot))
        assert found == {"old": "value"} or len(found) == 599
        assert left_over(tmp_path) == []
        await source.aclose()

    assert "cancelled" in outcomes


async def test_saves_do_not_interfere(tmp_path: Path) -> None:
    """Saves at the same time, through one object or through several, leave one whole file and nothing beside it."""
    one, other = (Snapshot(tmp_path / "items", fsync=False) for _ in range(2))

    async def save(snapshot: Snapshot, name: str) -> None:
        await snapshot.save(stream(item(str(number), name) for number in range(3000)))

    await asyncio.gather(*(save(snapshot, f"{number}") for number in range(3) for snapshot in (one, other)))

    found = values(await load(one))
    assert len(found) == 3000
    assert set(found.values()) == {"2"}
    assert left_over(tmp_path) == []


CHILD = """
import asyncio, sys
from aiocache_kit.item import Item
from aiocache_kit.storage.snapshot import Snapshot

async def items():
    for number in range(3000):
        yield Item(key=f"new {number}", value="x" * 1000)
    print("in the middle", flush=True)
    await asyncio.Event().wait()

asyncio.run(Snapshot(sys.argv[1]).save(items()))
"""


def test_a_killed_process_leaves_the_old_file(tmp_path: Path) -> None:
    """Killed in the middle of a save, a process leaves the old file; the next save removes what else it left."""
    snapshot = Snapshot(tmp_path / "items")
    asyncio.run(snapshot.save(stream([item("old")])))

    with subprocess.Popen([sys.executable, "-c", CHILD, str(snapshot.path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"in the middle\n"
        asyncio.run(snapshot.save(stream([item("meanwhile")])))
        in_use = left_over(tmp_path)
        child.send_signal(signal.SIGKILL)

    assert len(in_use) == 1
    assert left_over(tmp_path) == in_use
    assert values(asyncio.run(load(snapshot))) == {"meanwhile": "value"}
    asyncio.run(snapshot.save(stream([item("after")])))
    assert left_over(tmp_path) == []
    assert values(asyncio.run(load(snapshot))) == {"after": "value"}


async def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    """Only what a save of this very snapshot can have left is removed."""
    others = [".items.tmp", ".items.0123.tmp", ".items.more.0123456789abcdef.tmp", "items.0123456789abcdef.tmp"]
    for name in [*others, ".items.0123456789abcdef.tmp"]:
        (tmp_path / name).write_text("text")

    await Snapshot(tmp_path / "items").save(stream([]))

    assert {path.name for path in tmp_path.iterdir()} == {*others, "items"}


def test_nothing_is_loaded_before_it_is_needed() -> None:
    """Whoever has no snapshot loads neither aiofiles nor msgpack."""
    program = "import sys, aiocache_kit.storage.memory; print(sorted({'aiofiles', 'msgpack'} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_repr_shows_the_path(tmp_path: Path) -> None:
    """A snapshot says which file it is."""
    assert repr(Snapshot(tmp_path / "items")) == f"Snapshot({str(tmp_path / 'items')!r})"
