import argparse

import pytest
import torch

from fairseq_amber.errors import UserError
from fairseq_amber.inference.checkpoint import find_device, load_model


def test_loads_weights_for_evaluation(checkpoint):
    loaded = load_model(checkpoint)
    assert not loaded.model.training
    stored = torch.load(checkpoint)["model"]
    for name, parameter in loaded.model.state_dict().items():
        assert torch.equal(parameter, stored[name])
    assert loaded.config["updates"] == 7
    assert loaded.config["architecture"] == "amber_tiny"


def test_half_precision_weights_are_loaded_as_float32(edited_checkpoint):
    def halve(state):
        state["model"] = {name: value.half() for name, value in state["model"].items()}

    loaded = load_model(edited_checkpoint(halve))
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}


def test_reinitialised_weights_follow_the_seed_alone(checkpoint):
    def weights(**kwargs):
        return load_model(checkpoint, **kwargs).model.encoder.sentence_encoder.layers[0].fc1.weight

    assert torch.equal(weights(reinitialize=5), weights(reinitialize=5))
    assert not torch.equal(weights(reinitialize=5), weights(reinitialize=6))
    assert not torch.equal(weights(reinitialize=5), weights())
    assert load_model(checkpoint, reinitialize=5).config["updates"] == 0


def test_data_folder_may_have_moved(edited_checkpoint, data_folder):
    def move(state):
        state["cfg"]["task"]["data"] = "gone:elsewhere"

    moved = edited_checkpoint(move)
    with pytest.raises(UserError, match=r"trained on gone.*--data"):
        load_model(moved)
    assert load_model(moved, data=data_folder).data == data_folder
    with pytest.raises(UserError, match=r"dict\.txt is missing"):
        load_model(moved, data=moved.parent)


def test_another_dictionary_is_refused(checkpoint, data_folder, tmp_path):
    lines = (data_folder / "dict.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "dict.txt").write_text("".join(lines[:-3]), encoding="utf-8")
    with pytest.raises(UserError, match=rf"{len(lines) + 5} symbols .* has {len(lines) + 2};"):
        load_model(checkpoint, data=tmp_path)


def test_another_architecture_is_refused(edited_checkpoint):
    def stock_transformer(state):
        state["cfg"]["model"] = argparse.Namespace(_name="transformer", encoder_layers=12)
        state["model"] = {"encoder.embed_tokens.weight": torch.zeros(4, 2)}

    with pytest.raises(UserError, match="holds another model than RoBERTa's or this package's"):
        load_model(edited_checkpoint(stock_transformer))


def test_stock_roberta_is_read_as_it_is(edited_checkpoint, checkpoint, data_folder):
    def stock_roberta(state):
        state["cfg"]["model"] = {**state["cfg"]["model"], "_name": "roberta_base"}

    def old_xlmr(state):
        model = {**state["cfg"]["model"], "arch": "roberta_large", "_name": None}
        state.update(cfg=None, args=argparse.Namespace(**model))

    for edit, folder in ((stock_roberta, None), (old_xlmr, data_folder)):
        loaded = load_model(edited_checkpoint(edit), data=folder)
        for name, weight in load_model(checkpoint).model.state_dict().items():
            assert torch.equal(loaded.model.state_dict()[name], weight)
        assert loaded.config["architecture"] == "amber"


@pytest.mark.parametrize("content", [b"", b"plain text", b"\x80\x02]q\x00."])
def test_a_file_that_is_no_checkpoint_is_refused(content, tmp_path):
    path = tmp_path / "x.pt"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a complete checkpoint"):
        load_model(path)


def test_weights_alone_or_no_file_at_all_are_refused(tmp_path, checkpoint):
    path = tmp_path / "weights.pt"
    torch.save({"model": torch.load(checkpoint)["model"]}, path)
    with pytest.raises(UserError, match="not the settings"):
        load_model(path)
    with pytest.raises(UserError, match="cannot read"):
        load_model(tmp_path / "missing.pt")
    with pytest.raises(UserError, match="has neither .* name a checkpoint in it"):
        load_model(tmp_path)


def test_a_truncated_checkpoint_is_refused(checkpoint, tmp_path):
    path = tmp_path / "half.pt"
    content = checkpoint.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="not a complete checkpoint"):
        load_model(path)


class _RunsCode:
    def __reduce__(self):
        return eval, ("1 / 0",)


def test_a_checkpoint_cannot_run_code(edited_checkpoint):
    with pytest.raises(UserError, match="refused: it holds .*eval, which .* could run code"):
        load_model(edited_checkpoint(lambda state: state.update(extra_state=_RunsCode())))


def test_a_fine_tuned_checkpoint_brings_its_head_and_what_its_task_kept(edited_checkpoint):
    import hashlib

    head = {
        "heads.tagging.out_proj.weight": torch.full((5, 16), 0.5),
        "heads.tagging.out_proj.bias": torch.arange(5.0),
    }
    labels = ["O", "A", "B", "C", "D"]

    def fine_tune(state):
        state["model"].update(head)
        state["task_state"] = {"task": "ner", "kind": "tagging", "labels": labels}
        state["cfg"]["task"]["max_length"] = 77

    path = edited_checkpoint(fine_tune)
    for loaded in (load_model(path), load_model(path, reinitialize=1)):
        assert loaded.task_state["labels"] == labels and loaded.task_settings.max_length == 77
        assert loaded.model(torch.tensor([[0, 4, 2]]), head="tagging")[0].shape == (1, 3, 5)
    weights = load_model(path).model.state_dict()
    for name, value in head.items():
        assert torch.equal(weights[name], value)

    def of_another_dictionary(state):
        state["task_state"] = {"dictionary": hashlib.sha256(b"another").hexdigest()}

    with pytest.raises(UserError, match=r"dict\.txt is not the dictionary .*--data"):
        load_model(edited_checkpoint(of_another_dictionary))


def test_a_device_is_found_or_refused():
    assert find_device("cpu") == torch.device("cpu")
    assert find_device(None).type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(UserError, match="--device warp cannot be used"):
        find_device("warp")
