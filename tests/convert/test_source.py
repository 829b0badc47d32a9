"""What a path on the command line stands for: a folder, a cache of the Hub, an old layout."""

import pytest

from fairseq_amber.convert.source import encoder_folder, find_source, is_model
from fairseq_amber.errors import UserError


@pytest.mark.parametrize("name", ["xlm-roberta-base", "intfloat/multilingual-e5-small", "a/b.c_1"])
def test_a_name_of_the_hub_gets_the_command_that_fetches_it(name, tmp_path, monkeypatch):
    from pathlib import Path

    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"fetch it first: hf download {name} --local-dir {name}$"):
        find_source(Path(name))


@pytest.mark.parametrize("name", ["model.pt", "a/b/c", "checkpoints/best.pt", "/no/where", "../x"])
def test_other_paths_get_no_such_command(name, tmp_path, monkeypatch):
    from pathlib import Path

    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"cannot read {name}: No such file"):
        find_source(Path(name))


def test_a_folder_of_the_cache_is_its_main_snapshot(tmp_path):
    folder = tmp_path / "models--x--y"
    for revision in ("abc", "def"):
        (folder / "snapshots" / revision).mkdir(parents=True)
    with pytest.raises(UserError, match="name one of the folders in"):
        find_source(folder)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("def\n")
    assert find_source(folder) == folder / "snapshots" / "def"
    (folder / "refs" / "main").write_text("../../..")
    with pytest.raises(UserError, match="cannot be part of a file name"):
        find_source(folder)
    (folder / "refs" / "main").write_text("gone")
    with pytest.raises(UserError, match="not of one complete model"):
        find_source(folder)


def test_a_tokenizer_and_a_data_folder_are_no_models(tmp_path):
    for name in ("vocab.txt", "sentencepiece.bpe.model", "tokenizer.json", "dict.txt"):
        (tmp_path / name).touch()
        assert not is_model(tmp_path / name) and not is_model(tmp_path)
    (tmp_path / "best.pt").touch()
    assert is_model(tmp_path / "best.pt") and not is_model(tmp_path / "nowhere.pt")
    (tmp_path / "config.json").write_text("{}")
    assert is_model(tmp_path)


def test_the_encoder_of_sentence_transformers_before_2021(tmp_path):
    assert encoder_folder(tmp_path) == tmp_path
    (tmp_path / "0_Transformer").mkdir()
    (tmp_path / "0_Transformer" / "config.json").write_text("{}")
    assert encoder_folder(tmp_path) == tmp_path / "0_Transformer"
    (tmp_path / "config.json").write_text("{}")
    assert encoder_folder(tmp_path) == tmp_path
