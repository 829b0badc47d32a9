"""SentencePiece's model files: their pieces, their scores, and the best cut of a text."""

import io

import pytest
import sentencepiece

from fairseq_amber.convert.sentencepiece_model import SentencePieceModel, from_tokenizer_json
from fairseq_amber.errors import UserError
from fairseq_amber.tokenizers import protobuf


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


def cut(data, lines):
    return sentencepiece.SentencePieceProcessor(model_proto=data).EncodeAsPieces(lines)


def trimmed(data, lines):
    """The model with the pieces that lines use, and what else it needs for them."""
    model = SentencePieceModel(data, "m")
    used = {piece for pieces in cut(data, lines) for piece in pieces} & model.scores.keys()
    return model.trimmed(model.needed(used))


def size(data):
    return sentencepiece.SentencePieceProcessor(model_proto=data).GetPieceSize()


def test_a_trimmed_model_cuts_its_text_as_before(any_sentencepiece, sentences):
    data = any_sentencepiece.read_bytes()
    words = " ".join(sentences).split()
    for first in range(0, len(words), 9):
        lines = [" ".join(words[first : first + 9]), "".join(words[first : first + 9])]
        smaller = trimmed(data, lines)
        assert size(smaller) < size(data) and cut(smaller, lines) == cut(data, lines)
        before, after = (SentencePieceModel(each, "m") for each in (data, smaller))
        assert after.scores.items() <= before.scores.items()
        assert after.pieces == [piece for piece in before.pieces if piece in after.scores]
        assert {p for p in before.pieces if len(p.lstrip("\u2581")) <= 1} <= {*after.pieces}
        assert after.charsmap == before.charsmap and after.normalized("ﬁ x") == "▁fi▁x"


def test_the_score_of_unknown_characters_stays():
    """x is in wxy alone. Had it the score of the lowest of the pieces in use less 10, the cut that
    leaves it unknown would be the better one."""
    pieces = "▁ uw yz u w y z wxy zz qq".split()
    scores = [-1.0, -1.0, -1.0, -9.0, -9.0, -9.0, -9.0, -10.0, -20.0, -30.0]
    vocab = [["<unk>", 0.0], *map(list, zip(pieces, scores))]
    data = from_tokenizer_json({"model": {"type": "Unigram", "vocab": vocab}}, "t")
    lines = ["uwxyz", "uw yz"]
    assert cut(data, lines) == [["▁", "u", "wxy", "z"], ["▁", "uw", "▁", "yz"]]
    smaller = trimmed(data, lines)
    assert cut(smaller, lines) == cut(data, lines)
    pieces.remove("zz")
    assert SentencePieceModel(smaller, "m").pieces == pieces
    without_lowest = SentencePieceModel(data, "m").trimmed({*pieces} - {"qq"})
    assert cut(without_lowest, lines)[0] == ["▁", "uw", "x", "yz"]


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_pieces_of_the_user_bytes_and_a_self_test(kind, sentences):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        vocab_size=500,
        model_type=kind,
        byte_fallback=True,
        character_coverage=0.98,
        user_defined_symbols=["Hund", "neverthere"],
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
    )
    # as older versions of SentencePiece store one, and check it when they load the model
    test = protobuf.field(1, "Hund") + protobuf.field(2, "▁ Hund")
    data = model.getvalue() + protobuf.field(4, protobuf.field(1, test))
    lines = ["der Hund schläftHund 𝄞 我", "die neverthere"]
    smaller = trimmed(data, lines[:1])
    assert size(smaller) < size(data) and cut(smaller, lines[:1]) == cut(data, lines[:1])
    assert protobuf.parse(smaller).keys() == {1, 2, 3}
    assert "neverthere" in cut(smaller, lines)[1] and "<0xF0>" in cut(smaller, lines)[0]
