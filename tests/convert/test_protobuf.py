"""The bytes of SentencePiece's model files."""

import struct

import pytest

from fairseq_amber.convert import protobuf
from fairseq_amber.convert.sentencepiece_model import SentencePieceModel
from fairseq_amber.errors import UserError


def test_fields_come_back():
    inner = protobuf.field(1, "ä") + protobuf.field(3, 300)
    data = protobuf.field(1, inner) + protobuf.field(2, -1.5) + protobuf.field(1, b"")
    message = protobuf.parse(data + protobuf.field(24, 0))
    assert message == {1: [inner, b""], 2: [struct.pack("<f", -1.5)], 24: [0]}
    assert protobuf.parse(inner) == {1: ["ä".encode()], 3: [300]}


@pytest.mark.parametrize("cut", range(1, 12))
def test_what_is_cut_short_is_no_message(cut):
    data = protobuf.field(1, b"0123456789")
    with pytest.raises(ValueError, match="cut short"):
        protobuf.parse(data[:cut])


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
