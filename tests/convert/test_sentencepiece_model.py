"""SentencePiece's model files: their pieces, their scores, and the best cut of a text."""

import pytest
import sentencepiece

from fairseq_amber.convert.sentencepiece_model import SentencePieceModel
from fairseq_amber.errors import UserError


def test_pieces_and_scores_are_sentencepieces(any_sentencepiece):
    data = any_sentencepiece.read_bytes()
    processor = sentencepiece.SentencePieceProcessor(model_proto=data)
    expected = {
        processor.IdToPiece(i): processor.GetScore(i) for i in range(3, processor.GetPieceSize())
    }
    assert SentencePieceModel(data, "m").scores == expected


@pytest.mark.parametrize(
    "data", [b"", b"<html>", b"\x08\x01", b"\x0a\x02\x08\x01", b"\x0a\x02\x18\x01", bytes(50)]
)
def test_other_files(data):
    with pytest.raises(UserError, match="m is not a SentencePiece model"):
        SentencePieceModel(data, "m")


def test_segmentation_is_sentencepieces(sentencepiece_file, sentences):
    data = sentencepiece_file.read_bytes()
    model = SentencePieceModel(data, "m")
    processor = sentencepiece.SentencePieceProcessor(model_proto=data)
    for word in " ".join(sentences).split():
        text = model.normalized(word)
        pieces = [processor.IdToPiece(i) if i else None for i in processor.Encode(word)]
        cut = model.segment(text)
        # SentencePiece joins neighbouring unknown characters
        joined = [p for i, p in enumerate(cut) if p is not None or i == 0 or cut[i - 1] is not None]
        assert joined == pieces, word
