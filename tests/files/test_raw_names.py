from __future__ import annotations

from pathlib import Path

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.files.raw_names import find_texts, other_spellings, read_names


def fill(folder: Path, names: str) -> Path:
    for name in names.split():
        (folder / name).write_text("x\n")
    return folder


def found(folder: Path, wanted=()) -> dict:
    texts = read_names(folder, wanted).texts
    return {
        (" ".join(languages), split): " ".join(path.name for files in sources for path in files)
        for (languages, split), sources in texts.items()
    }


def test_languages_in_their_usual_spellings(tmp_path: Path):
    fill(tmp_path, "train.sr-Latn train.RU valid.zh_Hans.gz train.zh-min-nan train.es-419.XZ")
    fill(tmp_path, "test.zh-min-nan-zh.zh test.zh-min-nan-zh.zh-min-nan dev.a1-simple.a1.bz2")
    fill(tmp_path, "dev.a1-simple.simple train.simple train.pt-br-en.pt-br train.pt-br-en.en")
    fill(tmp_path, "train.pt-br")
    assert found(tmp_path) == {
        ("sr-Latn", "train"): "train.sr-Latn",
        ("RU", "train"): "train.RU",
        ("zh_Hans", "valid"): "valid.zh_Hans.gz",
        ("zh-min-nan", "train"): "train.zh-min-nan",
        ("es-419", "train"): "train.es-419.XZ",
        ("zh-min-nan zh", "test"): "test.zh-min-nan-zh.zh-min-nan test.zh-min-nan-zh.zh",
        ("a1 simple", "valid"): "dev.a1-simple.a1.bz2 dev.a1-simple.simple",
        ("simple", "train"): "train.simple",  # because a pair has the language
        ("pt-br en", "train"): "train.pt-br-en.pt-br train.pt-br-en.en",
        ("pt-br", "train"): "train.pt-br",
    }


@pytest.mark.parametrize(
    "name, reason",
    [
        ("Train.de", "no name such as train.de"),
        ("validation.de", "no name such as"),
        ("train.part1.de", "no name such as"),
        ("corpus.de-en.de.gz", "no name such as"),
        ("train.gz", "no name such as"),
        ("train.a b", "no name such as"),
        ("train.de-en.fr", "the ending is no language of the pair"),
        ("train.FR-EN.fr", "the ending is no language of the pair"),
        ("train.de-de.de", "the ending is no language of the pair"),
        ("valid1.de", "only training text may lie in numbered files"),
        ("test.de", "test text is aligned"),
        ("train.bak", "--languages LANG takes it as a language"),
        ("train.de-en", "--languages LANG takes it as a language"),
        ("train.german", "--languages LANG takes it as a language"),
    ],
)
def test_what_looks_like_text_and_is_not_taken_is_named(tmp_path: Path, name, reason):
    fill(
        tmp_path, "train.de-en.de train.de-en.en train.de-en.gold README.md held-out.tsv .train.de"
    )
    (tmp_path / name).write_text("x\n")
    files = read_names(tmp_path)
    assert list(files.texts) == [(("de", "en"), "train")]
    (named,) = files.left_out.values()
    assert named == [name] and reason in files.describe_left_out()


def test_a_language_that_the_user_names_is_one(tmp_path: Path):
    fill(tmp_path, "train.bak train.de-en train.german")
    assert found(tmp_path, ["bak", "de-en", "german"]) == {
        (language, "train"): f"train.{language}" for language in ("bak", "de-en", "german")
    }


def test_a_long_list_is_cut_and_folders_are_named(tmp_path: Path):
    fill(tmp_path, " ".join(f"Train{i}.de" for i in range(9)))
    (tmp_path / "train.de").mkdir()
    (tmp_path / "test\n").write_text("")
    described = read_names(tmp_path).describe_left_out()
    assert "Train5.de and 4 more (no name" in described and "train.de (a folder, or" in described
    assert "\n" not in described


def test_two_files_of_one_text(tmp_path: Path):
    fill(tmp_path, "train.de train.de.gz")
    with pytest.raises(UserError, match=r"both train\.de and train\.de\.gz, two names of the same"):
        read_names(tmp_path)


def test_a_lost_side_of_a_further_file(tmp_path: Path):
    fill(tmp_path, "train.de-en.de train.de-en.en train1.de-en.de.gz")
    with pytest.raises(UserError, match=r"train1\.de-en\.de\.gz has no partner train1\.de-en\.en;"):
        read_names(tmp_path)


def test_a_link_to_nothing_is_not_passed_over(tmp_path: Path):
    (tmp_path / "train.de").symlink_to(tmp_path / "nowhere")
    assert found(tmp_path) == {("de", "train"): "train.de"}


def test_spellings_of_one_language():
    assert other_spellings({"RU", "ru", "de", "pt-BR", "pt_br"}) == ["RU, ru", "pt-BR, pt_br"]


def test_text_that_is_not_taken_is_warned_of(tmp_path: Path, caplog):
    fill(tmp_path, "Train.de")
    with pytest.raises(UserError, match="holds no corpora.*; not taken: Train.de"):
        find_texts(tmp_path)
    fill(tmp_path, "valid.de")
    assert find_texts(tmp_path) == {(("de",), "valid"): ((tmp_path / "valid.de",),)}
    assert "not taken: Train.de" in caplog.text
