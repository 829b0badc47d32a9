"""The text of a path: files, raw folders, and folders of token ids; what its lines use."""

import gzip
import os
from collections import Counter

import numpy as np
import pytest
import sentencepiece

from fairseq_amber.cli import main
from fairseq_amber.convert.sentencepiece_model import from_tokenizer_json
from fairseq_amber.convert.used_text import count_pieces, lines_cut_otherwise, read_used_text
from fairseq_amber.convert.vocabulary import load_vocabulary
from fairseq_amber.errors import UserError
from fairseq_amber.files import text as text_files
from fairseq_amber.tokenizers.subwords import SentencePiece, find_tokenizer


@pytest.fixture
def vocabulary(fairseq_xlmr):
    return load_vocabulary(fairseq_xlmr)


@pytest.fixture
def raw(tmp_path, sentences):
    """Parallel and monolingual text, of which one file is compressed and one is not taken."""
    folder = tmp_path / "raw"
    folder.mkdir()
    parts = {"train.de-ru.de": (0, 2), "train.de-ru.ru": (4, 6), "valid.de.gz": (2, 3)}
    for name, (first, last) in parts.items():
        data = "".join(f"{line}\n" for line in sentences[first:last]).encode("utf-8")
        (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    (folder / "Train.fr").write_text("x\n")
    return folder


@pytest.fixture
def count(vocabulary, fairseq_xlmr):
    subwords = find_tokenizer(fairseq_xlmr).load()

    def run(*paths):
        texts = [read_used_text(path, vocabulary, "m.pt") for path in paths]
        counts = count_pieces(texts, subwords, vocabulary)
        assert counts.dtype == np.int64
        return {subwords.pieces[i]: counts[i] for i in np.flatnonzero(counts)}

    return run


def slow_count(fairseq_xlmr, lines):
    model = str(fairseq_xlmr / "sentencepiece.bpe.model")
    processor = sentencepiece.SentencePieceProcessor(model_file=model)
    ids = Counter(i for line in lines for i in processor.Encode(line))
    return {processor.IdToPiece(i): n for i, n in ids.items() if i != processor.unk_id()}


def test_a_raw_folder_and_a_file(
    raw, count, fairseq_xlmr, sentences, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(text_files, "LINES_PER_BLOCK", 2)
    lines = [*sentences[:3], *sentences[4:6]]
    assert count(raw) == slow_count(fairseq_xlmr, lines)
    assert "not taken: Train.fr" in caplog.text
    more = tmp_path / "more"
    more.write_text("".join(f"{line}\n" for line in sentences), encoding="utf-8")
    assert count(raw, more) == slow_count(fairseq_xlmr, [*lines, *sentences])


def prepare(command, *arguments):
    assert main([command, *map(str, arguments)]) == 0


def test_folders_of_token_ids(raw, count, fairseq_xlmr, sentences, tmp_path):
    flags = "--tokenizer", fairseq_xlmr, "--workers", 1
    never = "--mono-from-parallel", "never", "--max-ratio", 0
    prepare("prepare", raw, tmp_path / "bin", *flags, *never)
    assert count(tmp_path / "bin") == count(raw)
    pairs = "".join(f"{line}\t{sentences[4]}\tneutral\n" for line in sentences[:2])
    (tmp_path / "pairs.tsv").write_text(pairs, encoding="utf-8")
    prepare(
        "prepare-task", "xnli", tmp_path / "task", "--test", f"de={tmp_path / 'pairs.tsv'}", *flags
    )
    lines = [*sentences[:2], sentences[4], sentences[4]]
    assert count(tmp_path / "task") == slow_count(fairseq_xlmr, lines)


def test_token_ids_that_are_not_the_models(raw, vocabulary, fairseq_xlmr, tmp_path):
    prepare("prepare", raw, tmp_path / "bin", "--tokenizer", fairseq_xlmr, "--workers", 1)
    other = load_vocabulary(fairseq_xlmr)
    other.symbols[7:9] = other.symbols[8:6:-1]
    message = r"bin/dict.txt is not the dictionary that m\.pt was trained with; prepare the text"
    with pytest.raises(UserError, match=message):
        read_used_text(tmp_path / "bin", other, "m.pt")
    copy = tmp_path / "bin" / "parallel" / "de-ru" / "dict.ru.txt"
    copy.write_text(copy.read_text(encoding="utf-8") + "more 1\n", encoding="utf-8")
    with pytest.raises(UserError, match="dict.ru.txt is not the dictionary"):
        read_used_text(tmp_path / "bin", vocabulary, "m.pt")
    with pytest.raises(UserError, match="has a dict.txt but no binarised text"):
        read_used_text(fairseq_xlmr, vocabulary, "m.pt")


def test_text_without_a_known_subword(count, tmp_path):
    (tmp_path / "thai").write_text("ไทย ก\n\n", encoding="utf-8")
    with pytest.raises(UserError, match="thai has no subword that .*dict.txt knows; give text of"):
        count(tmp_path / "thai")
    (tmp_path / "empty").write_text("")
    with pytest.raises(UserError, match="empty is empty"):
        count(tmp_path / "empty")
    with pytest.raises(UserError, match="cannot read .*nowhere: No such file"):
        count(tmp_path / "nowhere")


def test_a_pipe_is_refused(count, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe can be read only once, as a pipe; write its text to"):
        count(tmp_path / "pipe")


def test_lines_that_are_cut_otherwise(fairseq_xlmr, tmp_path, sentences, monkeypatch):
    """Some have another number of pieces, abc the same number of others."""

    def subwords(*pieces):
        vocab = [["<unk>", 0.0], *([piece, score] for piece, score in pieces)]
        return SentencePiece(
            from_tokenizer_json({"model": {"type": "Unigram", "vocab": vocab}}, "t")
        )

    letters = [(piece, -5.0) for piece in "▁abcd"]
    before = subwords(*letters, ("ab", -1.0), ("bc", -2.0), ("cd", -1.0))
    after = subwords(*letters, ("bc", -2.0))
    path = tmp_path / "text"
    path.write_text("a\nab\nabc\n\n☃ab\n☃\ncc\nab ab\n", encoding="utf-8")
    monkeypatch.setattr(text_files, "LINES_PER_BLOCK", 3)
    files = [text_files.check_file(path)]
    assert lines_cut_otherwise(files, before, after) == (4, 8)
    assert lines_cut_otherwise(files, before, before) == (0, 8)
