"""States of every layer, scores and token ids are equal in all directions."""

import json

import pytest
import torch

from fairseq_amber.cli import main
from fairseq_amber.files.torch_file import read_torch_file
from fairseq_amber.inference.checkpoint import load_model

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
pytest.importorskip("safetensors", reason="safetensors is not installed")
pytest.importorskip("tokenizers", reason="tokenizers is not installed")

CLOSE = dict(atol=1e-5, rtol=1e-5)


def ours(checkpoint):
    loaded = load_model(checkpoint)
    return loaded.model, loaded.dictionary


def theirs(folder):
    return transformers.AutoModelForMaskedLM.from_pretrained(folder).eval()


def tokenizer(folder):
    return transformers.AutoTokenizer.from_pretrained(folder)


def random_rows(size, forbidden):
    """(5, 20) ids right-padded with -1, and how many are real."""
    generator = torch.Generator().manual_seed(1)
    rows = torch.randint(0, size, (5, 20), generator=generator)
    rows[torch.isin(rows, torch.tensor(forbidden))] = size - 2
    for row, length in enumerate((20, 13, 1, 7, 19)):
        rows[row, length:] = -1
    return rows


def assert_same(our_model, their_model, our_rows, their_rows, real, segments=None):
    with torch.no_grad():
        scores, extra = our_model(our_rows, segments=segments, return_all_hiddens=True)
        output = their_model(
            their_rows,
            attention_mask=real.long(),
            token_type_ids=segments,
            output_hidden_states=True,
        )
    assert len(extra["layers"]) == len(output.hidden_states)
    for state, their_state in zip(extra["layers"], output.hidden_states):
        torch.testing.assert_close(state[real], their_state[real], **CLOSE)
    return scores, output.logits


def test_xlmr_from_hugging_face(hf_xlmr, tmp_path, convert):
    printed = convert(hf_xlmr, tmp_path / "ours")
    assert f"--arch amber --from-pretrained {tmp_path / 'ours'} ..." in printed
    model, dictionary = ours(tmp_path / "ours" / "model.pt")
    reference = theirs(hf_xlmr)
    rows = random_rows(len(dictionary), [dictionary.pad()])
    real = rows >= 0
    rows[~real] = dictionary.pad()
    scores, logits = assert_same(model, reference, rows, rows, real)
    torch.testing.assert_close(scores[real], logits[real], **CLOSE)
    assert json.loads((hf_xlmr / "config.json").read_text())["vocab_size"] == len(dictionary)
    assert dictionary.symbols[-1] == "<mask>"


def their_ids(dictionary, lines):
    """The row of BERT's table that each of our symbols is."""
    names = dict(zip(("<s>", "<pad>", "</s>", "<unk>"), ("[CLS]", "[PAD]", "[SEP]", "[UNK]")))
    names["<mask>"] = "[MASK]"
    return torch.tensor([lines.index(names.get(s, s)) for s in dictionary.symbols])


def test_mbert_from_hugging_face(hf_mbert, wordpieces, tmp_path, convert):
    printed = convert(hf_mbert, tmp_path / "ours")
    assert "left out" not in printed
    model, dictionary = ours(tmp_path / "ours" / "model.pt")
    table = their_ids(dictionary, wordpieces)
    assert sorted(table.tolist()) == list(range(len(wordpieces)))
    reference = theirs(hf_mbert)
    rows = random_rows(len(dictionary), [dictionary.pad()])
    real = rows >= 0
    rows[~real] = dictionary.pad()
    two = (torch.arange(20) > torch.tensor([[9], [4], [0], [3], [18]])).long()
    for segments in (None, two):
        scores, logits = assert_same(model, reference, rows, table[rows], real, segments)
        torch.testing.assert_close(scores[real], logits[real][:, table], **CLOSE)
    kept = tmp_path / "ours" / "vocab.txt"
    assert kept.read_bytes() == (hf_mbert / "vocab.txt").read_bytes()
    settings = json.loads((tmp_path / "ours" / "tokenizer_config.json").read_text())
    assert settings["do_lower_case"] is False and settings["tokenize_chinese_chars"] is True


@pytest.mark.parametrize("name", ["hf_xlmr", "hf_mbert"])
def test_there_and_back_gives_the_same_weights_to_the_bit(name, request, tmp_path, convert):
    start = request.getfixturevalue(name)
    convert(start, tmp_path / "ours")
    convert(tmp_path / "ours" / "model.pt", tmp_path / "back")
    first, second = theirs(start), theirs(tmp_path / "back")
    assert type(first) is type(second)
    given = first.state_dict()
    for key, value in second.state_dict().items():
        if "token_type" not in key and "position" not in key:
            assert torch.equal(value, given[key]), key
    convert(tmp_path / "back", tmp_path / "again")
    again, before = (torch.load(tmp_path / f / "model.pt")["model"] for f in ("again", "ours"))
    assert list(again) == list(before)
    assert all(torch.equal(again[key], value) for key, value in before.items())
    for name in ("dict.txt", "sentencepiece.bpe.model", "vocab.txt"):
        if (tmp_path / "ours" / name).exists():
            same = (tmp_path / f / name for f in ("ours", "again"))
            assert len({path.read_bytes() for path in same}) == 1, name


def test_fairseq_xlmr_to_ours_and_to_hugging_face(fairseq_xlmr, tmp_path, convert):
    from fairseq.models.roberta import RobertaModel

    convert(fairseq_xlmr, tmp_path / "ours")
    convert(fairseq_xlmr, tmp_path / "hf", "--to", "hugging-face")
    model, dictionary = ours(tmp_path / "ours" / "model.pt")
    stored = torch.load(tmp_path / "ours" / "model.pt")["model"]
    assert {value.dtype for value in stored.values()} == {torch.float32}
    state = read_torch_file(fairseq_xlmr / "model.pt")
    import argparse

    task = argparse.Namespace(source_dictionary=dictionary)
    stock = RobertaModel.build_model(state["args"], task).eval()
    stock.upgrade_state_dict_named(state["model"], "")
    stock.load_state_dict(state["model"])
    rows = random_rows(len(dictionary), [dictionary.pad()])
    real = rows >= 0
    rows[~real] = dictionary.pad()
    with torch.no_grad():
        _, extra = stock(rows, return_all_hiddens=True)
        scores, mine = model(rows, return_all_hiddens=True)
    assert len(mine["inner_states"]) == len(extra["inner_states"])
    for state, other in zip(mine["inner_states"], extra["inner_states"]):
        torch.testing.assert_close(state[real.T], other[real.T], **CLOSE)
    reference = theirs(tmp_path / "hf")
    scores, logits = assert_same(model, reference, rows, rows, real)
    torch.testing.assert_close(scores[real], logits[real], **CLOSE)


def test_the_head_of_a_task_is_left_out(fairseq_xlmr, tmp_path, convert):
    convert(fairseq_xlmr, tmp_path / "ours")
    convert(tmp_path / "ours" / "model.pt", tmp_path / "before")
    state = torch.load(tmp_path / "ours" / "model.pt")
    state["model"]["heads.tagging.out_proj.weight"] = torch.ones(3, 16)
    state["model"]["heads.tagging.out_proj.bias"] = torch.ones(3)
    torch.save(state, tmp_path / "ours" / "model.pt")
    convert(tmp_path / "ours" / "model.pt", tmp_path / "after")
    before, after = (theirs(tmp_path / name).state_dict() for name in ("before", "after"))
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--keep-top", "5"], "--keep-top N has no effect without --keep-vocab PATH"),
        (["--keep-vocab", "nowhere"], "cannot read nowhere: No such file or directory"),
    ],
)
def test_texts_that_are_not_there(flags, message, fairseq_xlmr, refused):
    assert message in refused(fairseq_xlmr, *flags)


def test_a_number_of_subwords_below_1(capsys, fairseq_xlmr, tmp_path):
    with pytest.raises(SystemExit):
        main(["convert", str(fairseq_xlmr), str(tmp_path / "out"), "--keep-top", "0"])
    assert "--keep-top: expected a whole number from 1 up, not '0'" in capsys.readouterr().err
