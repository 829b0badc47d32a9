"""Tagged sentences: from what was read to the arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.preparation.task.tagging import TaggedSentences
from raw_task_files import fairseq_ids, rows, write


def test_tagging(prepare, tokenizer: Path, caplog):
    flags = "--train en=train.tsv --valid en=train.tsv --test zh=test.tsv --test zh=more.tsv"
    status, out, error = prepare("pos", *flags.split())
    assert status == 0
    folder = TaskFolder.open("out")
    assert folder.labels == ["DET", "NOUN", "VERB", "X"] and folder.kind.name == "tagging"
    assert Path("out/labels.txt").read_text() == "DET\nNOUN\nVERB\nX\n"
    assert folder.splits["test"] == {"zh": {"examples": 3, "sources": ["test.tsv", "more.tsv"]}}
    for path in tokenizer.iterdir():
        assert Path("out", path.name).read_bytes() == path.read_bytes()

    arrays = folder.arrays("train", "en")
    assert set(arrays) == set(folder.kind.arrays)
    assert arrays["sentence_lengths"].tolist() == [3, 2]
    assert arrays["labels"].tolist() == [0, 1, 2, 1, 3] and arrays["labels"].dtype == np.int16
    words = rows(arrays["tokens"], arrays["word_lengths"])
    for start, end, sentence in ((0, 3, "Der Hund schläft"), (3, 5, "Hunde ☃")):
        assert sum(words[start:end], []) == fairseq_ids(Path("out"), sentence)
    assert words[-1][-1] == 3  # <unk>

    arrays = folder.arrays("test", "zh")
    assert arrays["sentence_lengths"].tolist() == [4, 2, 1]
    assert arrays["labels"].tolist() == [-1] * 7
    words = rows(arrays["tokens"], arrays["word_lengths"])
    assert words[2] == [3]  # a word of nothing but white space
    symbols = ["<s>", "<pad>", "</s>", "<unk>"]
    symbols += [line.split()[0] for line in Path("out/dict.txt").read_text("utf-8").splitlines()]
    heads = [symbols[word[head]] for word, head in zip(words, arrays["word_heads"])]
    assert heads[:2] == ["狗", "睡"] and heads[4].lstrip("\u2581").startswith("D")
    if Path("out/sentencepiece.bpe.model").exists():
        assert [symbols[i] for i in words[0]] == ["\u2581", "狗"]
    else:
        assert not arrays["word_heads"].any()
    lines = out.splitlines()
    assert lines[0].split() == "sentences words subwords unknown DET NOUN VERB X blank".split()
    assert lines[1].split()[:4] == ["train", "en", "2", "5"]
    assert lines[1].split()[-5:] == ["1", "2", "1", "1", "0"]
    assert lines[3].split()[-1] == "7"
    assert "train en: " in caplog.text + error and "subwords are <unk>; give" in caplog.text + error
    assert lines[-1].startswith("out: pos, ")


@pytest.mark.parametrize("tokenizer", ["sentencepiece"], indirect=True)
def test_a_word_that_is_a_bare_mark_of_spaces(prepare):
    """A model that keeps spaces as they are makes it one token, which is all that there is."""
    import sentencepiece

    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(["Der Hund 狗", "狗 Hunde"] * 9),
        model_prefix="spaces",
        vocab_size=60,
        hard_vocab_limit=False,
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        split_by_whitespace=False,
        minloglevel=2,
    )
    Path("marks.tsv").write_text("\u2581\nHund\n\u2581狗\n", encoding="utf-8")
    flags = "--train en=train.tsv --test de=marks.tsv".split()
    assert prepare("pos", *flags, tokenizer=Path("spaces.model"))[0] == 0
    arrays = TaskFolder.open("out").arrays("test", "de")
    mark, dog = fairseq_ids(Path("out"), "\u2581") + fairseq_ids(Path("out"), "狗")
    words = rows(arrays["tokens"], arrays["word_lengths"])
    assert (words[0], words[2]) == ([mark], [mark, dog])
    assert arrays["word_heads"].tolist() == [0, 0, 1]


def test_the_lines_between_the_sentences_of_several_files(tmp_path: Path):
    """A sentence ends with its file, and at the end of the first nothing need be empty."""
    texts = ["\na\n\n\nb\n", "c\n\n", "\nd\n\n"]
    files = [write(tmp_path, text, f"{i}.tsv") for i, text in enumerate(texts)]
    assert TaggedSentences(files, "test")._gaps.tolist() == [1, 2, 1, 2, 1]
