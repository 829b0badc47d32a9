"""New subwords start as the mean of those they were cut into, and the tokenizer uses them."""

import pytest
import sentencepiece
import torch

from fairseq_amber.convert.sentencepiece_model import SentencePieceModel
from fairseq_amber.inference.checkpoint import load_model
from fairseq_amber.inference.tokenizer import Tokenizer

TABLE = "encoder.sentence_encoder.embed_tokens.weight"
BIAS = "encoder.lm_head.bias"


@pytest.fixture
def extend(tmp_path, convert):
    """Converts with the lines of a file of subwords; returns folders without and with them."""

    def run(source, *lines):
        (tmp_path / "new").write_text("".join(f"{x}\n" for x in lines), encoding="utf-8")
        convert(source, tmp_path / "plain")
        printed = convert(source, tmp_path / "more", "--extend-vocab", tmp_path / "new")
        return tmp_path / "plain", tmp_path / "more", printed

    return run


def test_xlmr(fairseq_xlmr, extend):
    new = ["▁Straßenbahn\t-9.5", "wasser", "▁dog", "▁garten"]
    plain, more, printed = extend(fairseq_xlmr, *new)
    known = "▁dog" in (plain / "dict.txt").read_text(encoding="utf-8").split()
    assert printed.startswith(f"{len(new) - known} subwords added\n")
    before, after = (load_model(folder / "model.pt") for folder in (plain, more))
    size = len(before.dictionary)
    listed = after.dictionary.symbols[size - 1 : -1]
    assert listed == [line.split("\t")[0] for line in new][:2] + ([] if known else ["▁dog"]) + [
        "▁garten"
    ]
    assert after.dictionary.symbols[-1] == "<mask>"

    old, weights = (dict(loaded.model.state_dict()) for loaded in (before, after))
    model = SentencePieceModel((plain / "sentencepiece.bpe.model").read_bytes(), "m")
    for name in (TABLE, BIAS):
        assert torch.equal(weights[name][: size - 1], old[name][:-1])
        assert torch.equal(weights[name][-1], old[name][-1])
        for piece, row in zip(listed, weights[name][size - 1 :]):
            ids = [before.dictionary.index(part) for part in model.segment(piece) if part]
            rows = [old[name][i] for i in ids if i != 3]
            torch.testing.assert_close(row, torch.stack(rows).mean(dim=0))
    assert torch.equal(weights["encoder.lm_head.weight"], weights[TABLE])

    tokenizer = Tokenizer.load(more, after.dictionary)
    (ids,) = tokenizer.encode(["Straßenbahn garten"])
    assert after.dictionary.string(ids) == "▁Straßenbahn ▁garten"
    untouched = ["der Hund schläft heute", "Кошка спит"]
    first = Tokenizer.load(plain, before.dictionary).encode(untouched)
    assert [list(ids) for ids in first] == [list(ids) for ids in tokenizer.encode(untouched)]


def test_bert(hf_mbert, extend):
    plain, more, _ = extend(hf_mbert, "Katze", "##schiff", "the")
    before, after = (load_model(folder / "model.pt") for folder in (plain, more))
    size = len(before.dictionary)
    assert after.dictionary.symbols[size - 1 :] == ["Katze", "##schiff", "<mask>"]
    old, weights = (dict(loaded.model.state_dict()) for loaded in (before, after))
    cuts = {
        "Katze": ["K", "##a", "##t", "##z", "##e"],
        "##schiff": ["##s", "##c", "##h", "##i", "##f", "##f"],
    }
    for word, parts in cuts.items():
        ids = [before.dictionary.index(part) for part in parts]
        if 3 in ids:  # a character that the vocabulary lacks makes the whole word unknown
            ids = [3]
        row = weights[TABLE][after.dictionary.index(word)]
        torch.testing.assert_close(row, old[TABLE][ids].mean(dim=0))
    lines = (more / "vocab.txt").read_text(encoding="utf-8").splitlines()
    assert lines[-2:] == ["Katze", "##schiff"]
    assert lines[:-2] == (plain / "vocab.txt").read_text(encoding="utf-8").splitlines()


def test_the_extended_model_goes_to_hugging_face(fairseq_xlmr, extend, convert, tmp_path):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    _, more, _ = extend(fairseq_xlmr, "▁Straßenbahn")
    convert(more / "model.pt", tmp_path / "hf")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    assert tokenizer.tokenize("eine Straßenbahn")[-1] == "▁Straßenbahn"
    model = transformers.AutoModel.from_pretrained(tmp_path / "hf")
    assert model.config.vocab_size == len(tokenizer) == tokenizer.mask_token_id + 1


@pytest.mark.parametrize(
    "line, message",
    [
        ("two words", "new:1: 'two words' is not a subword"),
        ("ﬁ", "lists pieces that never occur in text that SentencePiece has normalised: 'ﬁ'"),
        ("a▁b", "lists pieces that never occur"),
        ("", "lists no subword that"),
    ],
)
def test_lines_that_are_no_subwords(line, message, fairseq_xlmr, tmp_path, complaint):
    (tmp_path / "new").write_text(line + "\n", encoding="utf-8")
    flags = "--extend-vocab", tmp_path / "new"
    assert message in complaint("convert", fairseq_xlmr, tmp_path / "out", *flags)


def test_a_bpe_model_cannot_be_extended(tmp_path):
    from fairseq_amber.errors import UserError

    lines = (f"{a} {b}" for a in ("aaa", "bab", "abba") for b in ("cab", "abc"))
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines,
        model_prefix=str(tmp_path / "m"),
        vocab_size=12,
        model_type="bpe",
        minloglevel=2,
    )
    model = SentencePieceModel((tmp_path / "m.model").read_bytes(), "m.model")
    with pytest.raises(UserError, match="m.model is a BPE model.*cannot be extended"):
        model.extended(["▁abab"])
