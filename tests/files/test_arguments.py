import argparse
import os
from pathlib import Path

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.files.arguments import check_apart, check_nothing_empty


@pytest.mark.parametrize("argv", [["aer", "a", "b"], ["aer", "--name", ""], ["x", "X=", "--name="]])
def test_full_arguments_pass(argv):
    check_nothing_empty(argv)


@pytest.mark.parametrize("argv", [["aer", "--json", ""], ["aer", "--json="], ["aer", "a", ""]])
def test_an_empty_argument_is_named_by_the_one_before(argv):
    before = "a" if "a" in argv else "--json"
    with pytest.raises(UserError, match=f"the argument after {before} is empty"):
        check_nothing_empty(argv)


@pytest.fixture
def text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("text").write_text("x\n")
    os.link("text", "hard")
    os.symlink("text", "soft")
    Path("folder").mkdir()
    return Path("text")


@pytest.mark.parametrize("output", ["text", "hard", "soft", "folder/../text"])
@pytest.mark.parametrize("given", [{"source": "text"}, {"vectors": ["text"]}, {"input": "text"}])
def test_an_output_is_not_an_input_under_any_name(output, given, text):
    values = {
        key: value if key == "input" else [Path("text")] if key == "vectors" else text
        for key, value in given.items()
    }
    args = argparse.Namespace(writes=("output",), output=Path(output), **values)
    with pytest.raises(UserError, match=f"cannot write {output}: this command reads text"):
        check_apart(args)


def test_an_output_is_not_the_file_of_a_name(text):
    args = argparse.Namespace(writes=("output",), output=text, train=["en=text"])
    with pytest.raises(UserError, match="this command reads text"):
        check_apart(args)


def test_two_outputs_are_two_files(text):
    args = argparse.Namespace(writes=("output", "json"), output=Path("a"), json="./a")
    with pytest.raises(UserError, match="--output and --json are both"):
        check_apart(args)


def test_folders_streams_and_what_only_sounds_alike_are_apart(text):
    writes = ("output", "json")
    check_apart(argparse.Namespace(writes=writes, output=None, json="text", name="text"))
    folder = Path("folder")
    check_apart(argparse.Namespace(writes=writes, output=folder, json=None, folder=folder))
    null = Path("/dev/null")
    check_apart(argparse.Namespace(writes=writes, output=null, json="/dev/null", source=text))
