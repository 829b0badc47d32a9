"""Files and folders appear whole or not at all, with the permissions of the umask."""

import errno
import os
import signal
import stat
import subprocess
import sys
import threading

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.files.writing import atomic_folder, atomic_path, atomic_writer, finish_moving


@pytest.fixture(params=[0o022, 0o077])
def mask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_and_a_folder_have_the_permissions_of_the_umask(tmp_path, mask):
    with atomic_writer(tmp_path / "file") as file:
        file.write("x")
    with atomic_folder(tmp_path / "folder") as folder:
        (folder / "x").write_text("x")
    assert mode(tmp_path / "file") == 0o666 & ~mask
    assert mode(tmp_path / "folder") == 0o777 & ~mask


def test_text_is_utf_8_with_bare_newlines(tmp_path):
    with atomic_writer(tmp_path / "new" / "file") as file:
        file.write("ü\n")
    assert (tmp_path / "new" / "file").read_bytes() == "ü\n".encode()


def test_a_path_keeps_its_suffix_while_it_is_written(tmp_path):
    with atomic_path(tmp_path / "picture.svg") as path:
        assert path.suffix == ".svg" and path.parent == tmp_path
        path.write_text("x")
    assert (tmp_path / "picture.svg").read_text() == "x"


@pytest.mark.parametrize("writer", [atomic_writer, atomic_folder, atomic_path])
def test_an_error_in_the_block_leaves_what_was_there(tmp_path, writer):
    target = tmp_path / "target"
    if writer is not atomic_folder:
        target.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        with writer(target):
            raise KeyboardInterrupt
    assert sorted(tmp_path.iterdir()) == ([target] if target.exists() else [])
    assert writer is atomic_folder or target.read_text() == "old"


@pytest.mark.parametrize("writer", [atomic_writer, atomic_folder, atomic_path])
def test_what_cannot_be_written_is_one_clear_error(tmp_path, writer):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match="cannot write .*file/target"):
        with writer(tmp_path / "file" / "target"):
            pass


def test_a_full_disk_is_one_clear_error(tmp_path):
    with pytest.raises(UserError, match="cannot write .*: No space left on device"):
        with atomic_writer(tmp_path / "file"):
            raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_refused_or_added_to(tmp_path):
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(UserError, match="cannot write"):
        with atomic_folder(target) as folder:
            (folder / "new").write_text("new")
    assert [path.name for path in target.iterdir()] == ["old"]
    with atomic_folder(target, last="index") as folder:
        for name in ("index", "new"):
            (folder / name).write_text(name)
    assert {path.name: path.read_text() for path in target.iterdir()} == {
        "old": "old",
        "new": "new",
        "index": "index",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_file_appears_under_its_name_at_the_end_of_the_block(tmp_path):
    path = tmp_path / "new" / "out.txt"
    for failure in (KeyboardInterrupt, UserError):
        with pytest.raises(failure), atomic_writer(path) as file:
            file.write("half")
            raise failure
    assert list(tmp_path.iterdir()) == []
    with atomic_writer(path) as file:
        file.write("ganz\n")
        assert not path.exists()
    assert path.read_text() == "ganz\n"
    assert [p.name for p in path.parent.iterdir()] == ["out.txt"]
    with pytest.raises(UserError, match="cannot write"), atomic_writer(path / "below") as file:
        pass


def test_a_disk_that_is_full_at_the_end_leaves_nothing(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match="No space left"), atomic_writer(tmp_path / "x") as file:
        file.write("text")
    assert list(tmp_path.iterdir()) == []


def test_the_file_that_tells_of_the_others_comes_last(tmp_path, monkeypatch):
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old").write_text("old")
    moved = []
    replace = os.replace
    monkeypatch.setattr(
        os, "replace", lambda source, place: moved.append(place.name) or replace(source, place)
    )
    with atomic_folder(target, last="a-index") as folder:
        for name in ("a-index", "b", "c"):
            (folder / name).write_text(name)
    assert sorted(moved[:-1]) == ["b", "c"] and moved[-1] == "a-index"


KILLED = """
import os, signal, sys
from pathlib import Path
from fairseq_amber.files import writing
kind, path = sys.argv[1:]
if kind == "adding":  # the second of the moves does not happen
    replace, moved = os.replace, []
    def one(source, place):
        if moved:
            os.kill(os.getpid(), signal.SIGKILL)
        moved.append(replace(source, place))
    os.replace = one
    with writing.atomic_folder(path, last="a-index") as folder:
        for name in ("a-index", "b", "c"):
            (folder / name).write_text("new")
elif kind == "folder":
    with writing.atomic_folder(path) as folder:
        (folder / "half").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)
else:
    with writing.atomic_writer(path) as file:
        print("half", file=file, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_while_writing(kind, path):
    result = subprocess.run([sys.executable, "-c", KILLED, kind, str(path)])
    assert result.returncode == -signal.SIGKILL


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_next_run_removes_what_a_killed_one_left(tmp_path, kind):
    target = tmp_path / "out.txt"
    killed_while_writing(kind, target)
    assert not target.exists() and list(tmp_path.iterdir())
    if kind == "file":
        with atomic_writer(target) as file:
            file.write("whole")
    else:
        with atomic_folder(target) as folder:
            (folder / "whole").write_text("whole")
        assert os.listdir(target) == ["whole"]
    assert list(tmp_path.iterdir()) == [target]


def test_files_that_were_complete_are_moved_by_the_next_run(tmp_path):
    target = tmp_path / "folder"
    target.mkdir()
    (target / "a-index").write_text("old")
    killed_while_writing("adding", target)
    assert (target / "a-index").read_text() == "old"
    finish_moving(target, "a-index")
    assert {p.name: p.read_text() for p in target.iterdir()} == dict.fromkeys(
        ("a-index", "b", "c"), "new"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("make", [os.symlink, os.link])
def test_nothing_is_written_through_a_link_at_a_hidden_name(tmp_path, make):
    (tmp_path / "victim").write_text("mine")
    make(tmp_path / "victim", tmp_path / ".out.amber-partial.txt")
    with atomic_writer(tmp_path / "out.txt") as file:
        file.write("text")
    make(tmp_path / "victim", tmp_path / ".out.txt.amber-lock")
    with pytest.raises(UserError, match="out.txt.amber-lock is (a link|no lock file); remove it"):
        with atomic_writer(tmp_path / "out.txt") as file:
            file.write("text")
    assert (tmp_path / "victim").read_text() == "mine"


def test_a_link_is_kept_and_its_file_replaced(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "real")
    with atomic_writer(tmp_path / "link") as file:
        file.write("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "disk" / "real").read_text() == "new"
    assert os.listdir(tmp_path / "disk") == ["real"]


def test_a_pipe_and_a_device_get_the_content(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    with atomic_writer(tmp_path / "pipe") as file:
        file.write("text")
    reader.join()
    with atomic_writer("/dev/null") as file:
        file.write("text")
    assert read == ["text"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize("writer", [atomic_writer, atomic_path])
def test_a_folder_in_the_place_of_a_file_is_named_before_the_work(tmp_path, writer):
    with pytest.raises(UserError, match=f"{tmp_path} is a folder; name a file"), writer(tmp_path):
        pytest.fail("the work began")


@pytest.fixture
def mount(tmp_path, monkeypatch):
    """A folder beside which nothing can be written."""
    (tmp_path / "mount").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    return tmp_path / "mount"


def test_a_folder_beside_which_nothing_can_be_written_is_filled_inside(mount, tmp_path):
    for leftover in (".amber-partial", ".amber-complete"):  # of a program that was killed
        (mount / leftover).mkdir()
        (mount / leftover / "old").touch()
    with atomic_folder(mount) as working:
        (working / "sub").mkdir()
        (working / "sub" / "file").write_text("new")
        assert os.listdir(tmp_path) == ["mount"] and not (mount / "sub").exists()
    assert (mount / "sub" / "file").read_text() == "new" and os.listdir(mount) == ["sub"]
    with pytest.raises(UserError, match="mount is not empty"), atomic_folder(mount):
        pass
    with atomic_folder(mount, last="list") as working:
        (working / "list").touch()
    assert sorted(os.listdir(mount)) == ["list", "sub"]


def test_an_error_leaves_such_a_folder_empty(mount):
    with pytest.raises(RuntimeError), atomic_folder(mount) as working:
        (working / "file").touch()
        raise RuntimeError
    assert os.listdir(mount) == []


def test_an_input_that_cannot_be_read_is_not_called_an_output(tmp_path):
    with pytest.raises(UserError, match="cannot use .*/missing/input: No such file"):
        with atomic_folder(tmp_path / "out"):
            open(tmp_path / "missing/input")
    with pytest.raises(UserError, match="cannot write .*/out: No such file"):
        with atomic_folder(tmp_path / "out") as working:
            open(working / "missing/output", "w")
