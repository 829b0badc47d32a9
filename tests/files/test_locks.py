"""One process at a time writes a file; the lock of a dead process holds nobody up."""

import os
import signal

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.files import locks
from fairseq_amber.files.locks import locked
from lock_holder import hold_lock


@pytest.fixture
def hold():
    """Starts processes that hold a lock until they are told to end."""
    processes = []

    def start(path):
        process = hold_lock(path)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_a_second_process_is_told_who_is_writing(tmp_path, hold):
    holder = hold(tmp_path / "out.npy")
    with pytest.raises(
        UserError, match=rf"another process \({holder.pid} on .*\) is writing .*npy;"
    ):
        with locked(tmp_path / "out.npy"):
            pass
    with locked(tmp_path / "other.npy"):
        pass
    holder.communicate()
    with locked(tmp_path / "out.npy"):
        pass
    assert os.listdir(tmp_path) == []


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path, hold):
    holder = hold(tmp_path / "out")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert os.listdir(tmp_path) == [".out.amber-lock"]
    with locked(tmp_path / "out"):
        assert (tmp_path / ".out.amber-lock").read_text().startswith(f"{os.getpid()} on ")
    assert os.listdir(tmp_path) == []


def test_a_link_stands_for_what_it_points_to(tmp_path, hold):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "out")
    hold(tmp_path / "disk" / "out")
    with pytest.raises(UserError, match="is writing .*link"), locked(tmp_path / "link"):
        pass


def test_a_block_within_a_block_of_one_process(tmp_path):
    with locked(tmp_path / "x" / "out"):
        with locked(tmp_path / "x" / ".." / "x" / "out"):
            pass
        assert os.listdir(tmp_path / "x") == [".out.amber-lock"]
    assert os.listdir(tmp_path) == []


def test_a_forked_process_does_not_keep_the_lock(tmp_path, hold):
    with locked(tmp_path / "out"):
        ready, go = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(go)
            os.read(ready, 1)
            os._exit(0)
    try:
        hold(tmp_path / "out")
    finally:
        os.close(go)
        os.waitpid(child, 0)


def test_the_lock_that_its_holder_removes_meanwhile_is_not_taken_for_held(tmp_path, monkeypatch):
    lock = locks._lock

    def removed_first(descriptor, path):
        monkeypatch.setattr(locks, "_lock", lock)
        os.unlink(tmp_path / ".out.amber-lock")
        lock(descriptor, path)

    monkeypatch.setattr(locks, "_lock", removed_first)
    with locked(tmp_path / "out"):
        assert (tmp_path / ".out.amber-lock").read_text()


def test_a_folder_whose_parent_cannot_be_written_to_has_its_lock_inside(tmp_path, monkeypatch):
    (tmp_path / "mount").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with locked(tmp_path / "mount"):
        assert os.listdir(tmp_path) == ["mount"]
        assert os.listdir(tmp_path / "mount") == [".amber-lock"]
    assert os.listdir(tmp_path / "mount") == []


def test_a_file_system_without_locks_is_used_as_it_is(tmp_path, monkeypatch):
    def no_locks(*arguments):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(locks.fcntl, "lockf", no_locks)
    with locked(tmp_path / "out"):
        pass


def test_a_full_disk_holds_no_lock_up(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(locks.os, "pwrite", full)
        with locked(tmp_path / "out"):
            pass
    assert os.listdir(tmp_path) == []


def test_what_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="cannot write .*file/out"), locked(tmp_path / "file/out"):
        pass


def test_a_hidden_name_does_not_make_a_folder_full(tmp_path, monkeypatch):
    assert locks.hidden_name(tmp_path / "out", "x") == tmp_path / ".out.x"
    (tmp_path / "mount").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    assert locks.hidden_name(tmp_path / "mount", "x") == tmp_path / "mount/.x"
    with locked(tmp_path / "mount"):
        assert locks.is_empty(tmp_path / "mount")
        (tmp_path / "mount" / ".file").touch()
        assert not locks.is_empty(tmp_path / "mount")
