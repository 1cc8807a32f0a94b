"""Rules about the directory of the storage `file`. Blocks: for a thread.

Rule: nothing is opened and nothing is made here; a look at what the system tells of the directory is all.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

from aiocache_kit.cli.doctor.findings import Finding, good, note, problem, warning
from aiocache_kit.cli.texts import count_text, share_text, size_text
from aiocache_kit.config import Config

_LEAST_FREE: Final = 0.05
_NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "glusterfs", "ceph"})
_GONE_WITH_THE_MACHINE: Final = frozenset({"tmpfs", "ramfs"})
_MOUNTS: Final = Path("/proc/self/mountinfo")


def of_directory(config: Config) -> list[Finding]:
    """Judge the directory of a configuration."""
    return list(_of_directory(config))


def _of_directory(config: Config) -> Iterator[Finding]:
    path = Path(cast("str", config.file_config.dir)).absolute()
    try:
        found = path.lstat()
    except FileNotFoundError:
        yield from _of_missing(path)
        return
    except OSError as error:
        yield problem(
            "directory.access", f"the directory cannot be looked at ({error.strerror})", "give this user access"
        )
        return
    if not stat.S_ISDIR(found.st_mode):
        yield problem("directory.kind", "file_config.dir is a link or a file", "give the directory itself")
        return
    yield from _of_rights(path, found, config)
    yield from _of_room(path, config)
    yield from _of_file_system(path, config)


def _of_missing(path: Path) -> Iterator[Finding]:
    above = next(parent for parent in path.parents if parent.exists())
    if os.access(above, os.W_OK | os.X_OK):
        yield note("directory.missing", "the directory does not exist yet: the first use makes it")
    else:
        yield problem(
            "directory.missing",
            "the directory does not exist, and this user may not make it",
            "make it for the program's user",
        )


def _of_rights(path: Path, found: os.stat_result, config: Config) -> Iterator[Finding]:
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        yield problem(
            "directory.mode", "others may write to the directory, so it is refused", "take that from them: chmod o-w"
        )
    elif found.st_uid != os.geteuid() and os.geteuid() != 0:
        yield problem("directory.owner", "the directory belongs to another user", "run this as the user of the program")
    elif not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        yield problem("directory.access", "this user may not write to the directory", "give it to the program's user")
    elif stat.S_IMODE(found.st_mode) & ~config.file_config.dir_perm:
        has, should = f"{stat.S_IMODE(found.st_mode):o}", f"{config.file_config.dir_perm:o}"
        yield note(
            "directory.mode",
            f"the directory has the permissions {has}, more than dir_perm, which is {should}",
            "chmod it, if nobody else needs to look in",
        )
    else:
        yield good("directory.mode", "the directory is there, and only those may use it who should")


def _of_room(path: Path, config: Config) -> Iterator[Finding]:
    room = os.statvfs(path)
    free, whole = room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize
    most = cast("int | None", config.max_size)
    if free < max(cast("int", config.max_value_size), whole * _LEAST_FREE):
        yield warning(
            "directory.room",
            f"{size_text(free)} are free on the disk ({share_text(free / whole if whole else 0)})",
            "make room, or lower max_size",
        )
    elif most is not None and free < most:
        yield note(
            "directory.room",
            f"{size_text(free)} are free on the disk; the cache may have {size_text(most)} with what it has",
            "make sure that there is room for the rest",
        )
    else:
        yield good("directory.room", f"{size_text(free)} are free on the disk")
    if room.f_favail and config.max_entries is not None and room.f_favail < config.max_entries:
        yield warning(
            "directory.files",
            f"the disk has room for {count_text(room.f_favail)} more files, fewer than max_entries",
            "lower max_entries",
        )


def _of_file_system(path: Path, config: Config) -> Iterator[Finding]:
    kind = _kind_of(path)
    if kind in _NETWORK:
        judge = problem if config.file_config.shared else warning
        yield judge(
            "directory.network",
            f"the directory lies on a file system of the network ({kind}), whose locks cannot be relied on",
            "use a disk of this machine, or redis",
        )
    elif kind in _GONE_WITH_THE_MACHINE:
        yield note(
            "directory.memory", f"the directory lies in memory ({kind}): it is gone when the machine starts again"
        )


def _kind_of(path: Path) -> str:
    """Give the kind of file system that a path lies on, where this system tells."""
    try:
        lines = _MOUNTS.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    best, kind = -1, ""
    for line in lines:
        before, _, after = line.partition(" - ")
        mount = before.split()[4].replace("\\040", " ")
        if len(mount) > best and path.is_relative_to(mount):
            best, kind = len(mount), after.split()[0]
    return kind
