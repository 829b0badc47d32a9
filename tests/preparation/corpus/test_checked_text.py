from __future__ import annotations

from pathlib import Path

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.preparation.corpus.checked_text import check_texts, training_texts
from fairseq_amber.preparation.corpus.raw_files import find_corpora


def check(folder: Path) -> dict:
    return check_texts(find_corpora(folder), 1)


def test_training_text_of_a_language_is_all_its_files(raw: Path):
    corpora = find_corpora(raw)
    texts = check_texts(corpora, 2)
    found = training_texts(corpora, texts)
    names = {lang: [text.path.name for text in files] for lang, files in found.items()}
    assert names["en"] == ["train.de-en.en", "train.en", "train.ru-en.en"]
    assert names["zh"] == ["train.zh"] and texts[raw / "train.zh"].lines == 120


@pytest.mark.parametrize(
    "text, message",
    [
        ("\u200b\n \u3000\n", "train.de holds nothing that can be seen in its 2 lines"),
        ("a\rb\rc\r", "train.de: its lines end in carriage returns"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, text: str, message: str):
    (tmp_path / "train.de").write_text(text, encoding="utf-8", newline="")
    with pytest.raises(UserError, match=message):
        check(tmp_path)


def test_a_link_to_nothing_and_numbers_before_lines(tmp_path: Path, caplog):
    (tmp_path / "train.de").write_text("".join(f"{i}\tSatz\n" for i in range(1, 9)))
    check(tmp_path)
    assert "train.de: every line begins with a number (1, 2, 3, ...)" in caplog.text
    (tmp_path / "train.en").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match="cannot read .*train.en: No such file"):
        check(tmp_path)
