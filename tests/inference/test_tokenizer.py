import numpy as np
import pytest
import torch

from fairseq_amber.errors import UserError
from fairseq_amber.inference.tokenizer import Tokenizer

SENTENCES = ["ein rotes Haus steht am See .", "Zebra ☃☃ x", "", "der  Hund\tschläft"]


@pytest.fixture(scope="module")
def dictionary(data_folder):
    from fairseq.data import Dictionary

    return Dictionary.load(str(data_folder / "dict.txt"))


@pytest.fixture(scope="module")
def tokenizer(data_folder, dictionary):
    return Tokenizer.load(data_folder, dictionary)


def test_ids_are_those_of_fairseq_preprocess(tokenizer, dictionary, data_folder):
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(
        model_file=str(data_folder / "sentencepiece.bpe.model")
    )
    for sentence, ids in zip(SENTENCES, tokenizer.encode(SENTENCES)):
        line = " ".join(processor.EncodeAsPieces(sentence))
        stored = dictionary.encode_line(line, add_if_not_exist=False, append_eos=False)
        assert ids.tolist() == stored.tolist()
    assert dictionary.unk() in tokenizer.encode(["☃"])[0]


def test_words_have_the_ids_of_the_whole_sentence(tokenizer):
    pieces = tokenizer.encode_words([sentence.split() for sentence in SENTENCES])
    for sentence, piece, ids in zip(SENTENCES, pieces, tokenizer.encode(SENTENCES)):
        assert piece.ids.tolist() == ids.tolist()
        assert len(piece.words) == len(piece.ids)
        assert sorted(set(piece.words.tolist())) == list(range(len(sentence.split())))
        assert np.all(np.diff(piece.words) >= 0)


def test_a_word_that_sentencepiece_drops_keeps_its_place(tokenizer):
    [pieces] = tokenizer.encode_words([["ein", "\u200b", "Haus"]])
    assert set(pieces.words.tolist()) == {0, 2}


def test_a_missing_or_broken_model_is_one_clear_line(tmp_path, dictionary):
    with pytest.raises(UserError, match="holds neither sentencepiece.bpe.model nor vocab.txt"):
        Tokenizer.load(tmp_path, dictionary)
    (tmp_path / "sentencepiece.bpe.model").write_text("nonsense")
    with pytest.raises(UserError, match="is not a SentencePiece model"):
        Tokenizer.load(tmp_path, dictionary)


@pytest.fixture(scope="module")
def wordpiece_folder(tmp_path_factory):
    """A cased WordPiece vocabulary, with dict.txt in another order than vocab.txt."""
    pytest.importorskip("tokenizers")
    folder = tmp_path_factory.mktemp("wordpiece")
    pieces = (
        "[PAD] [UNK] [CLS] [SEP] [MASK] ein rot ##es Haus am See . der Hund schläf ##t 木".split()
    )
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    lines = "".join(f"{piece} 1\n" for piece in reversed(pieces[5:]))
    (folder / "dict.txt").write_text(lines, encoding="utf-8")
    return folder


def test_wordpieces_are_looked_up_in_the_dictionary(wordpiece_folder):
    from fairseq.data import Dictionary

    dictionary = Dictionary.load(str(wordpiece_folder / "dict.txt"))
    tokenizer = Tokenizer.load(wordpiece_folder, dictionary)
    sentences = ["ein rotes Haus am See.", "", "der\tHund  schläft木 [SEP] Ein", "\u200b"]
    expected = [
        "ein rot ##es Haus am See .",
        "",
        "der Hund schläf ##t 木 <unk> <unk> <unk> <unk>",
        "",
    ]
    ids = tokenizer.encode(sentences)
    assert [dictionary.string(torch.from_numpy(row)) for row in ids] == expected
    assert tokenizer.encode([]) == []


def test_wordpieces_of_words_are_those_of_the_whole_sentence(wordpiece_folder):
    from fairseq.data import Dictionary

    dictionary = Dictionary.load(str(wordpiece_folder / "dict.txt"))
    tokenizer = Tokenizer.load(wordpiece_folder, dictionary)
    sentences = ["ein rotes Haus.", "", "der\tHund  schläft木木", "ein \u200b Haus"]
    encoded = tokenizer.encode_words([sentence.split() for sentence in sentences])
    for piece, ids in zip(encoded, tokenizer.encode(sentences)):
        assert piece.ids.tolist() == ids.tolist()
    words = [piece.words.tolist() for piece in encoded]
    assert words == [[0, 1, 1, 2, 2], [], [0, 1, 2, 2, 2, 2], [0, 2]]
