"""Files that are in the way of each other, out of reach, or not what their name says."""

import json
import os
import sys
import threading

import numpy as np
import pytest

from fairseq_amber import cli
from hugging_face_folders import save_bert, save_xlmr


@pytest.fixture
def gold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gold").write_text("0-0 1-1\n")
    return "gold"


@pytest.fixture
def locked_parent(tmp_path, monkeypatch):
    """An empty folder beside which nothing can be written, as a volume of a container is."""
    folder = tmp_path / "parent" / "volume"
    folder.mkdir(parents=True)
    parent, access = folder.parent, os.access
    monkeypatch.setattr(os, "access", lambda path, *args: path != parent and access(path, *args))
    folder.parent.chmod(0o555)
    yield folder
    folder.parent.chmod(0o755)


@pytest.mark.parametrize("output", ["gold", "link", "./gold"])
def test_an_input_is_not_written_over(output, gold, capsys):
    """A text, gold or checkpoint whose name was given again as the output was lost, with exit 0."""
    os.symlink(gold, "link")
    assert cli.main(["aer", gold, gold, "--json", output]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "which is the same file; name another output" in error
    assert open(gold).read() == "0-0 1-1\n"


@pytest.mark.parametrize("kind", ["convert", "prepare-task", "demo-corpus"])
def test_an_empty_folder_with_a_parent_of_somebody_else_is_filled(
    kind, locked_parent, checkpoint, data_folder, tmp_path
):
    """A folder mounted into a container was called not empty because of the lock inside of it."""
    (tmp_path / "pos.tsv").write_text("ja\tX\n\nnein\tY\n")
    commands = {
        "convert": f"convert {checkpoint} {locked_parent} --data {data_folder} --to hugging-face",
        "prepare-task": f"prepare-task pos {locked_parent} --tokenizer {data_folder} --workers 1 "
        f"--train en={tmp_path}/pos.tsv",
        "demo-corpus": f"demo-corpus {locked_parent} --pairs de-en --train-sentences 400 "
        "--valid-sentences 5 --test-sentences 5 --mono-sentences 5",
    }
    holds = {"convert": "config.json", "prepare-task": "task.json", "demo-corpus": "train.de-en.de"}
    assert cli.main(commands[kind].split()) == 0
    names = os.listdir(locked_parent)
    assert holds[kind] in names and not [name for name in names if name.startswith(".")]
    assert os.listdir(locked_parent.parent) == ["volume"]


@pytest.mark.parametrize("path", ["d" * 300, "/".join(["d" * 200] * 25)])
def test_a_path_that_the_system_refuses_is_one_line(path, gold, capsys):
    """A path that was too long, or in a folder of somebody else, ended in a traceback."""
    for command in (
        ["aer", gold, gold, "--json", f"{path}/out.json"],
        ["aer", path, gold],
        ["doctor", path],
        ["prepare", path, "out", "--workers", "1"],
        ["convert", path, "out"],
    ):
        assert cli.main(command) == 2, command
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and "File name too long" in error, command


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux")
def test_names_that_are_no_utf_8_work(checkpoint, data_folder, tmp_path, monkeypatch, capfd):
    """A name from an old system ended in a traceback after the work, and its result was lost."""
    monkeypatch.chdir(tmp_path)
    old = os.fsdecode(b"\xfcber")
    for side in ("a", "b"):
        with open(old + side, "w") as file:
            file.write("ja\nnein\n")
    with open("tags", "w") as file:
        file.write("ja\tX\n\nnein\tY\n")
    os.symlink(checkpoint, f"{old}.pt")
    os.symlink("tags", f"{old}.tsv")
    text = ["--source", f"{old}a", "--target", f"{old}b", "--data", str(data_folder)]
    commands = [
        ["embed", f"{old}.pt", f"{old}a", f"{old}.npy", "--data", str(data_folder)],
        ["align", f"{old}.pt", *text, "--output", f"{old}.links"],
        ["aer", f"{old}.links", f"{old}.links", "--json", f"{old}.json"],
        ["retrieve", f"{old}.pt", *text, "--json", f"{old}r.json", "--output", f"{old}found"],
        ["report", f"{old}.json", f"{old}r.json", "--output", f"{old}report"],
        ["prepare-task", "pos", f"{old}task", "--tokenizer", str(data_folder)]
        + ["--workers", "1", "--train", f"en={old}.tsv"],
    ]
    for command in commands:
        assert cli.main(command) == 0, command
    assert "\\udcfcber.npy: 2 vectors" in capfd.readouterr().out
    with open(f"{old}r.json", encoding="utf-8") as file:
        assert json.load(file)["config"]["checkpoint"] == f"{old}.pt"


def test_a_named_pipe_is_read_once(checkpoint, tmp_path):
    """embed read a text twice, so that a pipe (<(zcat text.gz)) hung, or was said to change."""
    pipe, text = tmp_path / "pipe", tmp_path / "text"
    text.write_text("ja\nnein\n")
    os.mkfifo(pipe)
    done = threading.Event()

    def write():
        pipe.write_text(text.read_text())
        if not done.wait(10):  # somebody waits for more
            os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))

    threading.Thread(target=write, daemon=True).start()
    assert cli.main(["embed", str(checkpoint), str(pipe), f"{tmp_path}/pipe.npy"]) == 0
    done.set()
    assert cli.main(["embed", str(checkpoint), str(text), f"{tmp_path}/text.npy"]) == 0
    found, expected = (np.load(tmp_path / f"{name}.npy") for name in ("pipe", "text"))
    assert np.array_equal(found, expected)


def test_what_git_lfs_left_is_not_taken_for_text(data_folder, tmp_path, capsys):
    """A clone without git lfs holds three lines for each large file: they were taken for text."""
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    for name in ("train.de", "valid.de"):
        (tmp_path / name).write_text(pointer)
    command = f"prepare {tmp_path} {tmp_path}/out --tokenizer {data_folder} --workers 1"
    assert cli.main(command.split()) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and ".de is a pointer of Git LFS" in error and "lfs pull" in error


@pytest.mark.parametrize(
    "name", ["model.safetensors", "sentencepiece.bpe.model", "tokenizer.json", "vocab.txt"]
)
def test_what_git_lfs_left_in_a_folder_of_hugging_face(name, tmp_path, capsys):
    """Such files were called damaged, and to be fetched again, which gives the same pointers."""
    pytest.importorskip("transformers")
    save = save_bert if name == "vocab.txt" else save_xlmr
    folder = save(tmp_path / "model")
    (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n")
    assert cli.main(["convert", str(folder), str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert f"{folder / name} is a pointer of Git LFS" in error and "git lfs pull" in error


@pytest.mark.parametrize("edit", ["missing", "shape"])
def test_weights_that_are_not_those_of_the_settings_are_an_error(
    edit, edited_checkpoint, data_folder, tmp_path, capsys
):
    """A checkpoint with a weight too few ended a program with the advice for fairseq-train."""

    def change(state):
        name = next(name for name in state["model"] if name.endswith("layers.0.fc1.weight"))
        weight = state["model"].pop(name)
        if edit == "shape":
            state["model"][name] = weight[:5].clone()

    path = edited_checkpoint(change)
    (tmp_path / "text").write_text("ja\n")
    command = f"embed {path} {tmp_path}/text {tmp_path}/out.npy --data {data_folder}"
    assert cli.main(command.split()) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"{path} is of another architecture" in error
    assert "layers.0.fc1.weight" in error and "fetch it again" in error
