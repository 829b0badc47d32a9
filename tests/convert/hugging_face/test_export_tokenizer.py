"""Token ids are those of transformers, one by one."""

import itertools
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from fairseq_amber.convert.hugging_face.export_tokenizer import sentencepiece_tokenizer
from fairseq_amber.convert.sentencepiece_model import SentencePieceModel, from_tokenizer_json
from fairseq_amber.inference.checkpoint import load_model
from fairseq_amber.inference.tokenizer import Tokenizer

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
pytest.importorskip("tokenizers", reason="tokenizers is not installed")

SENTENCES = [
    "ein Hund steht am See .",
    "Кошка спит на старом диване .",
    "我们在花园里看到两棵老树。  ",
    "  spaces   and\ttabs，full－width ﬁ ligature ",
    "unheard-of ☃☃ \U0001f600 ünïcödé",
    "",
]


def test_ids_of_the_exported_tokenizer_are_ours(hf_xlmr, tmp_path, convert):
    convert(hf_xlmr, tmp_path / "ours")
    convert(tmp_path / "ours" / "model.pt", tmp_path / "hf")
    dictionary = load_model(tmp_path / "ours" / "model.pt").dictionary
    ours = Tokenizer.load(tmp_path / "ours", dictionary)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    for sentence, ids in zip(SENTENCES, ours.encode(SENTENCES)):
        assert theirs(sentence)["input_ids"] == [0, *ids, 2], sentence
    assert theirs.mask_token_id == len(dictionary) - 1
    assert (theirs.pad_token_id, theirs.unk_token_id) == (1, 3)
    pair = theirs("ein", "Hund")["input_ids"]
    assert pair == [0, *ours.encode(["ein"])[0], 2, 2, *ours.encode(["Hund"])[0], 2]
    assert theirs("ein <mask>")["input_ids"][-2] == theirs.mask_token_id
    assert theirs.model_max_length == 64


def test_ids_of_a_dictionary_in_another_order(any_sentencepiece, tmp_path):
    from fairseq_amber.convert.vocabulary import read_symbols

    model = SentencePieceModel(any_sentencepiece.read_bytes(), "m")
    listed = [*reversed(model.pieces), "madeupword0000"]
    symbols = read_symbols("".join(f"{piece} 1\n" for piece in listed).encode(), "dict.txt")
    tokenizer = sentencepiece_tokenizer(model, symbols)
    (tmp_path / "sentencepiece.bpe.model").write_bytes(any_sentencepiece.read_bytes())
    ours = Tokenizer.load(tmp_path, _Dictionary(symbols))
    for sentence, ids in zip(SENTENCES, ours.encode(SENTENCES)):
        assert tokenizer.encode(sentence, add_special_tokens=False).ids == list(ids), sentence


class _Dictionary:
    def __init__(self, symbols):
        self._index = {symbol: i for i, symbol in enumerate(symbols)}

    def index(self, symbol):
        return self._index.get(symbol, 3)


def test_a_tokenizer_json_gives_its_sentencepiece_model_back(sentencepiece_file, tmp_path):
    import json

    import sentencepiece

    model = SentencePieceModel(sentencepiece_file.read_bytes(), "m")
    tokenizer = sentencepiece_tokenizer(
        model, ["<s>", "<pad>", "</s>", "<unk>", *model.pieces, "<mask>"]
    )
    data = from_tokenizer_json(json.loads(tokenizer.to_str()), "tokenizer.json")
    first, second = (
        sentencepiece.SentencePieceProcessor(model_proto=content)
        for content in (sentencepiece_file.read_bytes(), data)
    )
    assert first.Encode(SENTENCES) == second.Encode(SENTENCES)


@pytest.mark.parametrize("saved_by", ["us", "transformers"])
def test_a_folder_with_tokenizer_json_alone(saved_by, hf_xlmr, tmp_path, convert):
    """What transformers 5 saves."""
    convert(hf_xlmr, tmp_path / "ours")
    convert(tmp_path / "ours" / "model.pt", tmp_path / "hf")
    (tmp_path / "hf" / "sentencepiece.bpe.model").unlink()
    if saved_by == "transformers":
        own = transformers.AutoTokenizer.from_pretrained(hf_xlmr)
        own.save_pretrained(tmp_path / "own")
        shutil.copy(tmp_path / "own" / "tokenizer.json", tmp_path / "hf")
    convert(tmp_path / "hf", tmp_path / "again")
    dictionary = load_model(tmp_path / "ours" / "model.pt").dictionary
    first = Tokenizer.load(tmp_path / "ours", dictionary).encode(SENTENCES)
    second = Tokenizer.load(tmp_path / "again", dictionary).encode(SENTENCES)
    assert all(np.array_equal(a, b) for a, b in zip(first, second))
    listed = [(tmp_path / folder / "dict.txt").read_bytes() for folder in ("again", "ours")]
    assert listed[0] == listed[1]


def test_unusual_sentencepiece_models_are_refused(tmp_path):
    import sentencepiece

    from fairseq_amber.errors import UserError

    for option in (
        dict(byte_fallback=True, vocab_size=400),
        dict(user_defined_symbols="<x>"),
        dict(add_dummy_prefix=False),
        dict(remove_extra_whitespaces=False),
    ):
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(SENTENCES[:3]),
            model_prefix=str(tmp_path / "m"),
            hard_vocab_limit=False,
            minloglevel=2,
            **{"vocab_size": 60, **option},
        )
        model = SentencePieceModel((tmp_path / "m.model").read_bytes(), "m.model")
        with pytest.raises(UserError, match="m.model was learnt with settings"):
            sentencepiece_tokenizer(model, [*model.pieces])


def test_xlmrs_own_tokenizer_numbers_its_pieces_as_the_converted_dictionary(
    hf_xlmr, tmp_path, convert
):
    convert(hf_xlmr, tmp_path / "ours")
    dictionary = load_model(tmp_path / "ours" / "model.pt").dictionary
    ours = Tokenizer.load(tmp_path / "ours", dictionary)
    theirs = transformers.XLMRobertaTokenizer.from_pretrained(hf_xlmr)
    for sentence, ids in zip(SENTENCES, ours.encode(SENTENCES)):
        assert theirs(sentence)["input_ids"] == [0, *ids, 2], sentence


def test_the_exported_wordpiece_tokenizer_is_the_one_that_was_imported(hf_mbert, tmp_path, convert):
    convert(hf_mbert, tmp_path / "ours")
    convert(tmp_path / "ours" / "model.pt", tmp_path / "hf")
    first = transformers.AutoTokenizer.from_pretrained(hf_mbert)
    second = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    assert first(SENTENCES, SENTENCES) == second(SENTENCES, SENTENCES)
    assert second.tokenize("Кошка") == ["Кош", "##ка"]
    assert second.model_max_length == 64


def text_files():
    return sorted(Path(os.environ.get("AMBER_DATA", ""), "mono").glob("*.txt"))


@pytest.mark.data
@pytest.mark.skipif(
    "AMBER_DATA" not in os.environ or not text_files(), reason="AMBER_DATA names no data folder"
)
@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_ids_on_real_text(kind, tmp_path):
    """Every sentence, but for cuts that are equally likely in SentencePiece's single precision, as
    of a row of quotation marks."""
    import sentencepiece

    lines = {}
    for path in text_files():
        with open(path, encoding="utf-8", newline="\n") as file:
            lines[path.stem] = [line.rstrip("\n") for line in itertools.islice(file, 2000)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(line for some in lines.values() for line in some[:500]),
        model_prefix=str(tmp_path / "m"),
        vocab_size=4000,
        model_type=kind,
        character_coverage=0.9995,
        minloglevel=2,
    )
    model = SentencePieceModel((tmp_path / "m.model").read_bytes(), "m.model")
    symbols = ["<s>", "<pad>", "</s>", "<unk>", *model.pieces, "<mask>"]
    tokenizer = sentencepiece_tokenizer(model, symbols)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "m.model"))
    for language, some in lines.items():
        given = tokenizer.encode_batch(some, add_special_tokens=False)
        for line, ids, encoding in zip(some, processor.Encode(some), given):
            a = [symbols[i + 1] if i else "<unk>" for i in ids]
            b = [symbols[i] for i in encoding.ids]
            if a != b:
                assert kind == "unigram", (language, line)
                totals = [sum(model.scores.get(piece, 0) for piece in cut) for cut in (a, b)]
                assert totals[0] == pytest.approx(totals[1], rel=1e-6, abs=1e-4), (language, line)


def test_pieces_that_the_dictionary_lacks_cannot_be_exported(fairseq_xlmr, edited, refused):
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    folder = edited(fairseq_xlmr)
    lines = (folder / "dict.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "dict.txt").write_text("".join(["other 1\n", *lines[1:]]), encoding="utf-8")
    line = refused(folder, "--to", "hugging-face")
    assert "1 pieces of sentencepiece.bpe.model are not in dict.txt" in line
