"""The mean of checkpoints, and which of them have none."""

import pytest
import torch

from fairseq_amber.cli import main
from fairseq_amber.inference.checkpoint import load_model


@pytest.fixture
def checkpoints(fairseq_xlmr, tmp_path, convert):
    """Three of one model: the converted one, and two that moved away from it."""
    convert(fairseq_xlmr, tmp_path / "ours")
    paths = [tmp_path / "ours" / "model.pt"]
    for seed in (1, 2):
        state = torch.load(paths[0])
        torch.manual_seed(seed)
        for value in state["model"].values():
            value.add_(torch.randn(value.shape))
        state["last_optimizer_state"] = {"state": {}}
        paths.append(tmp_path / f"{seed}.pt")
        torch.save(state, paths[-1])
    return paths


@pytest.fixture
def changed(checkpoints, tmp_path):
    """A checkpoint like the first, but for an edit."""

    def save(edit):
        state = torch.load(checkpoints[0])
        edit(state)
        torch.save(state, tmp_path / "changed.pt")
        return tmp_path / "changed.pt"

    return save


def test_it_is_the_mean_of_every_weight(checkpoints, tmp_path, capsys):
    out = tmp_path / "new" / "average.pt"
    assert main(["average", *map(str, checkpoints), "--output", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: the mean of 3 checkpoints\n"
    given = [torch.load(path)["model"] for path in checkpoints]
    state = torch.load(out)
    for name, value in state["model"].items():
        expected = torch.stack([weights[name] for weights in given]).double().mean(dim=0)
        assert torch.equal(value, expected.float()), name
    assert list(state["model"]) == list(given[0])
    assert "last_optimizer_state" not in state and state["criterion"] is None
    loaded = load_model(out)
    encoder = loaded.model.encoder
    assert encoder.lm_head.weight is encoder.sentence_encoder.embed_tokens.weight


def test_it_says_how_many_it_has_read(checkpoints, tmp_path, capsys, progress_of):
    assert main(["average", *map(str, checkpoints), "--output", str(tmp_path / "out.pt")]) == 0
    assert progress_of(capsys.readouterr().err) == {"averaging": "3 of 3 checkpoints"}


def test_half_precision_is_kept(changed, tmp_path):
    def halve(state):
        state["model"] = {name: value.half() for name, value in state["model"].items()}

    path = changed(halve)
    assert main(["average", str(path), str(path), "--output", str(tmp_path / "out.pt")]) == 0
    given, mean = (torch.load(p)["model"] for p in (path, tmp_path / "out.pt"))
    assert all(torch.equal(given[name], value) for name, value in mean.items())


def drop_a_layer(state):
    for name in [name for name in state["model"] if ".layers.2." in name]:
        del state["model"][name]


def widen(state):
    name = "encoder.sentence_encoder.embed_positions.weight"
    state["model"][name] = torch.zeros(67, 16)


@pytest.mark.parametrize(
    "edit, message",
    [
        (drop_a_layer, "is of another architecture or dictionary"),
        (widen, r"embed_positions.weight has the shape (67, 16), not (66, 16)"),
        (lambda s: s["cfg"]["model"].update(encoder_attention_heads=8), "8 as its attention heads"),
        (lambda s: s["cfg"]["model"].update(layer_norm_eps=1e-12), "1e-12 as its layer norm eps"),
        (lambda s: s.update(task_state={"dictionary": "x"}), "with another dict.txt than"),
        (lambda s: s.pop("cfg"), "not the settings of their model"),
    ],
)
def test_checkpoints_of_different_models(edit, message, checkpoints, changed, tmp_path, complaint):
    out = tmp_path / "out.pt"
    assert message in complaint("average", checkpoints[0], changed(edit), "--output", out)
    assert not out.exists()


def test_one_checkpoint_or_an_output_that_exists(checkpoints, tmp_path, complaint):
    assert "takes two checkpoints or more" in complaint(
        "average", checkpoints[0], "--output", tmp_path / "out.pt"
    )
    assert "exists; name another file" in complaint(
        "average", *checkpoints[:2], "--output", checkpoints[2]
    )


@pytest.mark.parametrize("place", [0, 1])
def test_weights_that_are_no_numbers(place, checkpoints, changed, tmp_path, complaint):
    def diverge(state):
        next(iter(state["model"].values())).view(-1)[0] = float("nan")

    given = [checkpoints[0], changed(diverge)]
    if place == 0:
        given.reverse()
    assert "has values that are no numbers" in complaint(
        "average", *given, "--output", tmp_path / "mean.pt"
    )
    assert not (tmp_path / "mean.pt").exists()
