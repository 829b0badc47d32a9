"""The bytes of SentencePiece's model files."""

import pytest

from fairseq_amber.convert.sentencepiece_model import SentencePieceModel
from fairseq_amber.errors import UserError


def test_pieces_and_scores_are_sentencepieces(any_sentencepiece):
    import sentencepiece

    data = any_sentencepiece.read_bytes()
    processor = sentencepiece.SentencePieceProcessor(model_proto=data)
    expected = {
        processor.IdToPiece(i): processor.GetScore(i) for i in range(3, processor.GetPieceSize())
    }
    assert SentencePieceModel(data, "m").scores == expected


@pytest.mark.parametrize("data", [b"", b"<html>", b"\x08\x01", b"\x0a\x02\x08\x01", bytes(50)])
def test_other_files(data):
    with pytest.raises(UserError, match="m is no SentencePiece model"):
        SentencePieceModel(data, "m")
