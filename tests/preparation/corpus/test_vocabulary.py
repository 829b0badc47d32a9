from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest
import sentencepiece

from fairseq_amber.errors import UserError
from fairseq_amber.files.text import check_file
from fairseq_amber.preparation.corpus.settings import VocabularySettings
from fairseq_amber.preparation.corpus.vocabulary import (
    learn_model,
    load_vocabulary,
    read_vocabulary,
    sample_lines,
    sampling_plan,
)
from fairseq_amber.tokenizers.subwords import MODEL_NAME, TokenizerFiles


@pytest.fixture
def training_text(raw: Path):
    return {
        language: [check_file(raw / name)]
        for language, name in {"de": "train.de-en.de", "zh": "train.zh"}.items()
    }


def learn(text, **settings) -> TokenizerFiles:
    return learn_model(text, VocabularySettings(**{"vocab_size": 120, **settings}))


def test_languages_are_sampled_by_temperature():
    assert sampling_plan({"en": 10000, "sw": 100}, 1.0, 10**6) == {"en": 10000, "sw": 100}
    # 10000 ** .5 : 100 ** .5 = 10 : 1
    assert sampling_plan({"en": 10000, "sw": 100}, 0.5, 1100) == {"en": 1000, "sw": 100}
    plan = sampling_plan({"en": 10000, "sw": 100}, 0.7, 10**6)
    assert plan["sw"] > 100 and abs(sum(plan.values()) - 10100) <= 1
    assert plan["en"] / plan["sw"] == pytest.approx(100**0.7, rel=0.01)


@pytest.mark.parametrize("wanted", [1, 40, 100, 250])
def test_sampling_is_even_exact_and_seeded(tmp_path: Path, wanted: int):
    path = tmp_path / "train.de"
    path.write_text("".join(f"{i}\n" for i in range(100)))
    text = [check_file(path)]
    sample = list(sample_lines(text, wanted, "1"))
    assert len(sample) == wanted
    times = Counter(sample).values()
    assert max(times) - min(times) <= 1 and (wanted < 100 or len(times) == 100)
    assert sample == list(sample_lines(text, wanted, "1"))
    if wanted % 100:
        assert sample != list(sample_lines(text, wanted, "2"))


def test_the_same_text_gives_the_same_model(training_text):
    assert learn(training_text) == learn(training_text)


def test_a_model_lists_the_rows_without_a_token_too(pretrained, tmp_path):
    """Else text that is prepared with a published folder would not fit its embedding."""
    found = read_vocabulary(pretrained)
    model = (pretrained / MODEL_NAME).read_bytes()
    alone = load_vocabulary(TokenizerFiles({MODEL_NAME: model}, MODEL_NAME))
    spare = b"".join(b"madeupword%04d 1\n" % number for number in range(3))
    assert found.dictionary == alone.dictionary + spare and found.size == alone.size + 3
    assert found.tokenizer.files == {MODEL_NAME: model}
    (tmp_path / "dict.txt").write_bytes(alone.dictionary)
    given = read_vocabulary(pretrained, tmp_path / "dict.txt")
    assert given.dictionary == alone.dictionary
    assert read_vocabulary(pretrained / MODEL_NAME).dictionary == alone.dictionary


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_a_small_text_yields_fewer_pieces_than_asked_for(training_text, model_type: str):
    model = learn(training_text, vocab_size=30000, model_type=model_type)
    assert 50 < len(load_vocabulary(model).ids) < 3000


def test_a_vocabulary_too_small_for_the_characters(training_text):
    with pytest.raises(UserError, match=r"--vocab-size 9 is too small: .* need \d\d; raise it"):
        learn(training_text, vocab_size=9)


def test_blank_training_text(tmp_path: Path):
    (tmp_path / "train.de").write_text("\n  \n")
    with pytest.raises(UserError, match="only blank lines"):
        learn({"de": [check_file(tmp_path / "train.de")]})


def test_the_dictionary_is_the_models_order_and_numbers_as_fairseq_does(training_text):
    from fairseq.data import Dictionary

    vocabulary = load_vocabulary(learn(training_text))
    dictionary = Dictionary()
    dictionary.add_from_file(io.StringIO(vocabulary.dictionary.decode()))
    assert len(dictionary) == vocabulary.size and "<mask>" not in dictionary
    processor = sentencepiece.SentencePieceProcessor(
        model_proto=vocabulary.tokenizer.files[MODEL_NAME]
    )
    pieces = [processor.IdToPiece(i) for i in range(len(processor))]
    assert pieces[:3] == ["<unk>", "<s>", "</s>"]
    assert dictionary.symbols[4:] == pieces[3:]
    for piece, index in zip(pieces[3:], vocabulary.ids[3:]):
        assert dictionary.index(piece) == index
    assert vocabulary.ids[0] == dictionary.unk() and vocabulary.unlisted == 0


def test_a_given_dictionary_decides_the_numbers(training_text):
    model = learn(training_text)
    lines = load_vocabulary(model).dictionary.decode().splitlines()
    lines = [*reversed(lines[5:]), "[en] 1 #fairseq:overwrite", "madeupword0000 0"]
    vocabulary = load_vocabulary(model, "\n".join(lines).encode())
    assert vocabulary.size == 4 + len(lines)
    assert vocabulary.unlisted == 5
    assert list(vocabulary.ids[-2:]) == [5, 4]


@pytest.mark.parametrize(
    "dictionary, message",
    [
        ("▁der 1\nhund\n", "d.txt:2: expected 'symbol count'"),
        ("▁der 1\n▁der 1\n", "d.txt:2: ▁der is listed twice"),
        ("<s> 1\n", "d.txt:1: <s> is listed twice"),
        ("foo 1\nbar 1\n", r"d.txt lists only 0 of the \d+ pieces of m.model"),
    ],
)
def test_bad_dictionaries(training_text, dictionary: str, message: str):
    model = learn(training_text)._replace(origin="m.model")
    with pytest.raises(UserError, match=message):
        load_vocabulary(model, dictionary.encode(), "d.txt")


def test_what_is_no_model():
    with pytest.raises(UserError, match="m.model is not a SentencePiece model"):
        load_vocabulary(TokenizerFiles({MODEL_NAME: b"just text"}, "m.model"))


def characters(model: TokenizerFiles) -> set[str]:
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.files[MODEL_NAME])
    return set().union(*(processor.IdToPiece(i) for i in range(len(processor))))


@pytest.mark.parametrize(
    "line",
    ["жш " * 1000, "▅ ж ш"],  # 5,000 bytes, and SentencePiece's own character
)
def test_lines_that_sentencepiece_leaves_out_are_learnt_from(tmp_path: Path, line: str):
    lines = ["der hund lief heim"] * 20
    (tmp_path / "train.de").write_text("\n".join([*lines, *[line] * 20]), encoding="utf-8")
    stock = io.BytesIO()
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter([*lines, *[line] * 20]),
        model_writer=stock,
        vocab_size=60,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    assert not characters(TokenizerFiles({MODEL_NAME: stock.getvalue()}, "")) & set("жш")
    model = learn({"de": [check_file(tmp_path / "train.de")]}, vocab_size=60)
    assert characters(model) >= set("жш") and "▅" not in characters(model)


def test_text_without_width_is_blank(tmp_path: Path):
    (tmp_path / "train.de").write_text("\u200b\n\ufeff\u00ad\n▅\n", encoding="utf-8")
    with pytest.raises(UserError, match="only blank lines"):
        learn({"de": [check_file(tmp_path / "train.de")]})
