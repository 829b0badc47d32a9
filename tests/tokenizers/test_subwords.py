"""Tokenizers, and the files from which they are made."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
import sentencepiece

from fairseq_amber.errors import UserError
from fairseq_amber.tokenizers.subwords import (
    MODEL_NAME,
    SentencePiece,
    TokenizerFiles,
    find_tokenizer,
)
from fairseq_amber.tokenizers.wordpiece_files import WordPieceSettings, read_wordpiece
from wordpiece_samples import NASTY, STORED, write_folder

TEXT = "the file has half of all fine things file 1 2 1/2 if i the quick fox hat caff\u00e9 ..."
SPACES = re.compile("[\\s\u061c\u200b\u200c\u200e\u200f\u2581\ufeff\ufffd]*")


@pytest.fixture(scope="module")
def model() -> bytes:
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter([TEXT] * 5),
        model_writer=written,
        vocab_size=60,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return written.getvalue()


def test_ids_and_pieces_are_sentencepieces(model: bytes):
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    ours = TokenizerFiles({MODEL_NAME: model}, "m").load()
    pieces = [processor.IdToPiece(i) for i in range(len(processor))]
    assert ours.pieces == [None, None, None, *pieces[3:]] and ours.listed == pieces[3:]
    numbers, lengths = ours.encode(NASTY)
    expected = processor.Encode(NASTY)
    assert lengths.tolist() == [len(ids) for ids in expected]
    assert numbers.tolist() == [i for ids in expected for i in ids]


def test_offsets_are_sentencepieces_without_spaces_at_the_ends(model: bytes):
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    ours = SentencePiece(model)
    compared = 0
    for text in [*NASTY, TEXT, "  the\t\nfile ", "\uff54\uff48\uff45\u3000file"]:
        try:
            theirs = processor.Encode(text, out_type="offset_mapping")
        except (ValueError, RuntimeError):
            pytest.skip("this sentencepiece has no offset_mapping")
        numbers, _, offsets = ours.encode_with_offsets([text])
        assert numbers.tolist() == theirs["ids"]
        for (begin, end), (first, last) in zip(offsets.tolist(), theirs["offsets"]):
            if not SPACES.fullmatch(text[first:last]):
                assert first <= begin < end <= last
                assert SPACES.fullmatch(text[first:begin]) and SPACES.fullmatch(text[end:last])
                compared += 1
    assert compared > 400


def test_other_files_are_no_model():
    with pytest.raises(UserError, match="m is not a SentencePiece model"):
        SentencePiece(b"<html>", "m")


def test_a_folder_must_hold_one_tokenizer(tmp_path: Path):
    with pytest.raises(UserError, match="holds neither sentencepiece.bpe.model nor vocab.txt"):
        find_tokenizer(tmp_path)
    write_folder(tmp_path, STORED, WordPieceSettings(False))
    assert read_wordpiece(tmp_path / "vocab.txt").settings == WordPieceSettings(False)
    found = find_tokenizer(tmp_path)
    assert found == find_tokenizer(tmp_path / "vocab.txt") and found.dictionary is None
    (tmp_path / "dict.txt").write_text("a 1\n")
    assert find_tokenizer(tmp_path).dictionary == tmp_path / "dict.txt"
    (tmp_path / "sentencepiece.bpe.model").write_bytes(b"")
    with pytest.raises(UserError, match="holds both"):
        find_tokenizer(tmp_path)
    with pytest.raises(UserError, match="cannot read .*none.txt: No such file"):
        find_tokenizer(tmp_path / "none.txt")
