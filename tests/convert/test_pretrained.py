"""Weights, shape and vocabulary of a model must fit each other."""

import torch

from fairseq_amber.files.torch_file import read_torch_file


def change_checkpoint(folder, edit):
    state = read_torch_file(folder / "model.pt")
    edit(state)
    torch.save(state, folder / "model.pt")


def test_a_dictionary_that_is_smaller_or_larger_than_the_embedding(fairseq_xlmr, edited, refused):
    folder = edited(fairseq_xlmr)
    lines = (folder / "dict.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    rows = len(lines) + 5
    (folder / "dict.txt").write_text("".join(lines[:-2]), encoding="utf-8")
    line = refused(folder)
    assert f"dictionary of {rows - 2} symbols, <mask> included, but the embedding" in line
    assert f"{rows} rows: the dictionary is smaller" in line and "madeupword0000" in line
    (folder / "dict.txt").write_text("".join(lines) + "extra 1\n", encoding="utf-8")
    assert f"{rows} rows: the dictionary is larger" in refused(folder)


def test_parameters_that_are_missing_or_heads_that_do_not_fit(fairseq_xlmr, edited, refused):
    folder = edited(fairseq_xlmr)

    def drop(state):
        del state["model"]["decoder.sentence_encoder.layers.1.fc2.bias"]

    change_checkpoint(folder, drop)
    assert "lacks encoder.sentence_encoder.layers.1.fc2.bias (1 such" in refused(folder)
    change_checkpoint(folder, lambda state: setattr(state["args"], "encoder_attention_heads", 3))
    assert "a model of dimension 16 cannot have 3 attention heads" in refused(folder)


def test_output_weights_of_their_own(fairseq_xlmr, edited, refused):
    folder = edited(fairseq_xlmr)

    def untie(state):
        state["model"]["decoder.lm_head.weight"] = torch.zeros_like(
            state["model"]["decoder.lm_head.weight"]
        )

    change_checkpoint(folder, untie)
    assert "has output weights of their own" in refused(folder)
