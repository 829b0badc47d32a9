"""Unpacks archives without writing outside a folder.

Every member of an archive is checked before anything is written: an absolute path, a ``..``, a link
that leads out of the folder, encryption, and whatever is neither file, folder nor link make the
archive unusable. Then only the wanted files are unpacked; links that stay inside are left out.
"""

from __future__ import annotations

import lzma
import os
import posixpath
import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO, Callable, Iterator, NamedTuple

from fairseq_amber.errors import UserError

_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
)
_BEGINNINGS = (b"PK", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")  # zip, gz, bz2, xz


class DamagedFile(UserError):
    """A file that cannot be read as what it should be; a new download may mend it."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path} {what}")
        self.path = path


class _Member(NamedTuple):
    """A member of an archive: its name, what it is, its size, and where a link leads."""

    name: str
    kind: str  # file, folder, link, encrypted or other
    size: int
    target: str
    open: Callable[[], BinaryIO]


def unpack(archive: str | Path, folder: str | Path, wanted: Callable[[str], bool]) -> list[Path]:
    """Unpacks the wanted files of a zip or tar archive (plain, gz, bz2, xz) into a folder.

    Args:
        archive: the archive.
        folder: the folder.
        wanted: whether a file is to be unpacked, by its name in the archive.

    Returns:
        The paths of the files, in the archive's order.

    Raises:
        DamagedFile: the archive is damaged, or is no archive.
        UserError: the archive has a member that is refused, a file is in it twice, no wanted file
            is in it, or the disk has too little room.
    """
    archive, folder = Path(archive), Path(folder)
    try:
        need = 0
        for member in _members(archive):
            _check(archive, member)
            need += member.size if member.kind == "file" and wanted(member.name) else 0
        check_room(folder, need)
        paths: list[Path] = []
        for member in _members(archive):
            if member.kind != "file" or not wanted(member.name):
                continue
            path = folder / posixpath.normpath(member.name)
            if path in paths:
                raise UserError(f"{archive} has {member.name} twice: it is not unpacked")
            path.parent.mkdir(parents=True, exist_ok=True)
            with member.open() as source, open(path, "wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            paths.append(path)
    except _DAMAGE as error:
        raise _damaged(archive, error) from None
    except OSError as error:
        if error.errno is not None:  # the system's; gzip and bz2 give none with theirs
            raise
        raise _damaged(archive, error) from None
    if not paths:
        raise UserError(f"{archive} has none of the files that are wanted of it")
    return paths


def _damaged(archive: Path, error: Exception) -> DamagedFile:
    with open(archive, "rb") as file:
        if not file.read(6).startswith(_BEGINNINGS):
            return DamagedFile(archive, "is no archive")
    # tarfile lists what every format says of it, a line each
    why = str(error).strip() if "\n" not in str(error).strip() else "it is cut short or altered"
    return DamagedFile(archive, f"is damaged ({why})")


def check_room(folder: Path, need: int) -> None:
    """Raises UserError if the disk of a folder has fewer than ``need`` bytes left."""
    free = shutil.disk_usage(folder).free
    if free < need:
        raise UserError(
            f"{folder}: {need / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free: free some"
        )


def _members(archive: Path) -> Iterator[_Member]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            for info in file.infolist():
                yield _zip_member(file, info)
        return
    with tarfile.open(archive) as file:
        for info in file:
            yield _tar_member(file, info)


def _zip_member(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member:
    mode = info.external_attr >> 16
    kind, target = "file", ""
    if info.flag_bits & 1:
        kind = "encrypted"
    elif info.is_dir():
        kind = "folder"
    elif stat.S_ISLNK(mode):
        kind, target = "link", os.fsdecode(file.read(info))
    elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        kind = "other"
    return _Member(info.filename, kind, info.file_size, target, lambda: file.open(info))


def _tar_member(file: tarfile.TarFile, info: tarfile.TarInfo) -> _Member:
    kind, target = "other", ""
    if info.isfile():
        kind = "file"
    elif info.isdir():
        kind = "folder"
    elif info.issym():
        kind, target = "link", info.linkname
    elif info.islnk():  # a hard link's target counts from the archive's root
        up = posixpath.relpath(".", posixpath.dirname(posixpath.normpath(info.name)) or ".")
        kind, target = "link", posixpath.join(up, info.linkname)
        if posixpath.isabs(info.linkname):
            target = info.linkname
    return _Member(info.name, kind, info.size, target, lambda: file.extractfile(info))


def _check(archive: Path, member: _Member) -> None:
    """Raises UserError for a member that would leave the folder, or is no file."""
    refused = ""
    if _leaves(member.name):
        refused = "would be written outside the folder"
    elif member.kind == "link" and _leaves(
        member.target, posixpath.dirname(posixpath.normpath(member.name))
    ):
        refused = f"is a link to {member.target}, outside the folder"
    elif member.kind == "encrypted":
        refused = "is encrypted"
    elif member.kind == "other":
        refused = "is neither a file nor a folder"
    if refused:
        raise UserError(f"{archive}: {member.name!r} {refused}: nothing of it is unpacked")


def _leaves(path: str, start: str = "") -> bool:
    """Returns whether a path, seen from a folder of the archive, leads out of the archive."""
    path = path.replace("\\", "/")
    if path.startswith("/") or path[1:2] == ":" or "\0" in path:
        return True
    joined = posixpath.normpath(posixpath.join(start, path))
    return joined == ".." or joined.startswith("../")
