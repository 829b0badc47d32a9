"""The head of a fine-tuned checkpoint goes to Hugging Face; transformers is the witness."""

import json

import pytest
import torch

from fairseq_amber.cli import main
from fairseq_amber.files.torch_file import read_checkpoint
from fairseq_amber.inference.checkpoint import load_model
from hugging_face_folders import save_bert, save_xlmr

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
pytest.importorskip("safetensors", reason="safetensors is not installed")

LABELS = {"tagging": ["O", "B-PER", "I-PER"], "classification": ["yes", "no", "maybe"], "qa": []}


def fine_tuned(tmp_path, save, kind):
    """A converted model with a head, as fine-tuning writes it; the other kind's head beside it."""
    assert main(["convert", str(save(tmp_path / "base")), str(tmp_path / "ours")]) == 0
    path = tmp_path / "ours" / "model.pt"
    model = load_model(path).model
    torch.manual_seed(3)
    model.add_head(kind, len(LABELS[kind]) or 2)
    state = read_checkpoint(path)
    state["model"] = model.state_dict()
    state["task_state"] = {**state["task_state"], "kind": kind, "labels": LABELS[kind]}
    torch.save(state, path)
    return path, model.eval()


@pytest.mark.parametrize("save", [save_bert, save_xlmr])
@pytest.mark.parametrize("kind", sorted(LABELS))
def test_a_head_is_exported(kind, save, tmp_path, capsys):
    """A fine-tuned checkpoint became a masked language model without a word: the head was gone
    (huggingface/transformers#5917)."""
    path, model = fine_tuned(tmp_path, save, kind)
    assert main(["convert", str(path), str(tmp_path / "hub")]) == 0
    printed = capsys.readouterr().out
    config = json.loads((tmp_path / "hub" / "config.json").read_text())
    (name,) = config["architectures"]
    assert f"loads with {name}, AutoModel" in printed and "left out: heads" not in printed
    theirs = getattr(transformers, name).from_pretrained(tmp_path / "hub").eval()
    assert list(config.get("id2label", {}).values()) == LABELS[kind]
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "hub")
    given = tokenizer("der rote Hund", return_tensors="pt")
    with torch.no_grad():
        scores = theirs(**given)
        encoder = getattr(theirs, theirs.base_model_prefix)
        states = encoder(**given).last_hidden_state
        head = model.heads[kind]
        expected = head(states[:, 0] if kind == "classification" else states)
    if kind == "qa":
        found = torch.stack([scores.start_logits, scores.end_logits], dim=-1)
    else:
        found = scores.logits
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_what_has_no_class_is_named(tmp_path, capsys):
    path, _ = fine_tuned(tmp_path, save_bert, "tagging")
    state = read_checkpoint(path)
    state["model"]["heads.own.out_proj.weight"] = torch.zeros(2, 16)
    torch.save(state, path)
    capsys.readouterr()
    assert main(["convert", str(path), str(tmp_path / "hub")]) == 0
    assert capsys.readouterr().out.startswith("left out: heads.own\n")
    assert main(["convert", str(path), str(tmp_path / "again"), "--to", "amber"]) == 0
    assert "left out: the head for tagging" in capsys.readouterr().out
