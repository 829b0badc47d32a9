"""Keeps two programs from writing one file or folder at the same time."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator

from fairseq_amber.errors import UserError

# The endings of ``hidden_name``.
HIDDEN = ("amber-lock", "amber-partial", "amber-complete")

_held: dict[Path, int] = {}  # how many blocks of this process hold each lock


@contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Keeps other programs of this package from writing a file or folder during the block.

    The lock is the hidden file ``.NAME.amber-lock`` beside the path. The system frees it when its
    process ends, however that ends, so that a later program takes over a lock file that was left
    behind. Processes that are forked in the block do not keep it. A block within a block of
    the same process may lock the same path again. The folders above the path are made, and removed
    again if nothing was written to them.

    Args:
        path: the file or folder. A link stands for what it points to. For what is no file, such as
            ``/dev/stdout`` or a pipe, there is no lock.

    Raises:
        UserError: another process holds the lock, or the lock file cannot be written.
    """
    place = real_path(path)
    if is_stream(place):
        yield
        return
    lock = _lock_of(place)
    if lock in _held:
        _held[lock] += 1
        try:
            yield
        finally:
            _held[lock] -= 1
        return
    with _folders_above(place, path):
        descriptor = _acquire(lock, path)
        _held[lock] = 1
        try:
            yield
        finally:
            del _held[lock]
            with suppress(OSError):
                os.unlink(lock)  # while it is held, so that nobody else's lock is removed
            os.close(descriptor)


def real_path(path: str | Path) -> Path:
    """Returns the absolute path of what a path stands for, with all links followed.

    A name that belongs to this process alone, such as ``/dev/stdout``, stays as it is.
    """
    absolute = Path(os.path.abspath(path))
    if absolute.parts[1:2] in (("dev",), ("proc",)):
        return absolute
    return Path(os.path.realpath(absolute))


def is_stream(place: Path) -> bool:
    """Tells whether a real path is written to as it is: a pipe, a terminal, ``/dev/null``."""
    if place.parts[1:2] in (("dev",), ("proc",)) and "shm" not in place.parts[2:3]:
        return True
    try:
        mode = os.stat(place).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def hidden_name(place: Path, ending: str) -> Path:
    """Returns a hidden name that belongs to a path: beside it, so that it can be there first.

    It is inside of a folder whose parent this user cannot write to, or is on another disk, which
    others may see at another place, such as a volume of a container.

    Args:
        place: the real path.
        ending: what the name ends in: ``amber-lock``.
    """
    if place.is_dir() and (os.path.ismount(place) or not os.access(place.parent, os.W_OK)):
        return place / f".{ending}"
    return place.with_name(f".{place.name}.{ending}")


def is_empty(folder: str | Path) -> bool:
    """Tells whether a folder holds nothing but what this package hides there meanwhile.

    Raises:
        OSError: the folder cannot be read.
    """
    return set(os.listdir(folder)) <= {f".{ending}" for ending in HIDDEN}


def _lock_of(place: Path) -> Path:
    """Returns the lock file of a path."""
    return hidden_name(place, "amber-lock")


def _acquire(lock: Path, path: str | Path) -> int:
    """Returns the descriptor of the lock file, which this process alone has locked."""
    while True:
        try:
            # A link that somebody else has put there is an error (ELOOP), as is a hard link.
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise _cannot_lock(path, lock, error) from None
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
                raise UserError(f"cannot write {path}: {lock} is no lock file; remove it")
            _lock(descriptor, path)
            if _is_still(lock, descriptor):
                with suppress(OSError):  # a full disk: the lock holds without the name
                    os.ftruncate(descriptor, 0)
                    os.pwrite(descriptor, f"{os.getpid()} on {socket.gethostname()}\n".encode(), 0)
                return descriptor
        except OSError as error:
            os.close(descriptor)
            raise _cannot_lock(path, lock, error) from None
        except UserError:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its process removed the file in this moment


def _lock(descriptor: int, path: str | Path) -> None:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            holder = os.pread(descriptor, 300, 0).decode("utf-8", "replace").strip()
            known = f" ({holder})" if holder.isprintable() and holder else ""
            raise UserError(
                f"another process{known} is writing {path}; wait until it has ended, or name "
                "another output"
            ) from None
        # Some network file systems have no locks; there, the user must not start two at once.


def _is_still(lock: Path, descriptor: int) -> bool:
    """Tells whether the name stands for the file that is open."""
    try:
        found = os.stat(lock, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(descriptor))


def _cannot_lock(path: str | Path, lock: Path, error: OSError) -> UserError:
    if error.errno == errno.ELOOP:
        return UserError(f"cannot write {path}: {lock} is a link; remove it")
    return UserError(f"cannot write {path}: {error.strerror}")


@contextmanager
def _folders_above(place: Path, path: str | Path) -> Iterator[None]:
    """Makes the folders above a path; in the end, those of them that are empty are removed."""
    made = [parent for parent in place.parents if not parent.exists()]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        file = next(parent for parent in place.parents if parent.exists())
        raise UserError(f"cannot write {path}: {file} is a file, not a folder") from None
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None
    try:
        yield
    finally:
        for parent in made:
            with suppress(OSError):
                parent.rmdir()
