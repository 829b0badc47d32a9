"""The real ``fairseq-train`` goes on from XLM-R, converted or as it is."""

import pytest
import torch

from fairseq_amber.cli import main
from fairseq_amber.files.torch_file import read_torch_file
from fairseq_amber.models.checkpoint_weights import under_current_names
from fairseq_programs import USER_DIR, run_fairseq

SETTINGS = (
    "--task cross_lingual_alignment --tokens-per-sample 64 --max-tokens 600 --optimizer adam"
    " --lr 1e-12 --lr-scheduler fixed --max-update 1 --seed 3 --log-format simple --cpu"
    " --disable-validation"
).split()
SHAPE = (
    "--arch amber_tiny --encoder-layers 3 --encoder-embed-dim 16 --encoder-ffn-embed-dim 40"
    " --max-positions 64"
).split()
RESET = "--reset-optimizer --reset-dataloader --reset-meters --reset-lr-scheduler".split()
MOMENTUM = (
    "--criterion contrastive_alignment --contrast-momentum 0.9 --contrast-queue 8"
    " --contrast-layer 2"
).split()


@pytest.fixture(scope="module")
def raw(sentences, tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    for language in ("de", "en"):
        lines = "".join(f"{language} {line.strip()}\n" for line in sentences)
        (folder / f"train.de-en.{language}").write_text(lines, encoding="utf-8")
    return folder


def prepare(raw, folder, tokenizer):
    given = ["--tokenizer", str(tokenizer), "--workers", "1"]
    assert main(["prepare", str(raw), str(folder), *given]) == 0
    return folder


@pytest.fixture(scope="module")
def data_bin(fairseq_xlmr, raw, tmp_path_factory):
    return prepare(raw, tmp_path_factory.mktemp("bin"), fairseq_xlmr)


def train(data_bin, save_dir, *flags, shape=SHAPE):
    own = ["--save-dir", save_dir, "--user-dir", USER_DIR, *SETTINGS, *shape]
    result = run_fairseq("train", data_bin, *own, *flags)
    assert result.returncode == 0, result.stderr
    return read_torch_file(save_dir / "checkpoint_last.pt")


def assert_xlmrs(weights, fairseq_xlmr):
    """An update at a learning rate of nothing changes nothing."""
    given = read_torch_file(fairseq_xlmr / "model.pt")["model"]
    for old_name, old_value in given.items():
        for name, value in under_current_names(old_name, old_value):
            torch.testing.assert_close(weights[name], value.float(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("criterion", [["--criterion", "amber"], MOMENTUM])
def test_straight_from_the_released_file(criterion, data_bin, fairseq_xlmr, tmp_path):
    state = train(
        data_bin, tmp_path, *criterion, "--restore-file", fairseq_xlmr / "model.pt", *RESET
    )
    assert_xlmrs(state["model"], fairseq_xlmr)


@pytest.mark.parametrize("criterion", [["--criterion", "amber"], MOMENTUM])
def test_from_the_converted_file(criterion, data_bin, fairseq_xlmr, tmp_path, convert):
    convert(fairseq_xlmr, tmp_path / "ours")
    start = tmp_path / "ours" / "model.pt"
    state = train(data_bin, tmp_path / "run", *criterion, "--finetune-from-model", start)
    assert_xlmrs(state["model"], fairseq_xlmr)
    assert state["optimizer_history"][-1]["num_updates"] == 1
    if criterion is MOMENTUM:
        assert state["criterion"][
            "past.encoder.model.encoder.sentence_encoder.layers.0.fc1.bias"
        ].any()


def test_the_weights_alone_are_enough_to_start_from(data_bin, fairseq_xlmr, tmp_path):
    """As in a file that was stripped of everything but args and model."""
    state = read_torch_file(fairseq_xlmr / "model.pt")
    stripped = tmp_path / "stripped.pt"
    torch.save({"args": state["args"], "model": state["model"]}, stripped)
    run = train(data_bin, tmp_path / "run", *MOMENTUM, "--finetune-from-model", stripped)
    assert_xlmrs(run["model"], fairseq_xlmr)


def test_from_bert_with_its_wordpieces_and_token_types(hf_mbert, raw, tmp_path, convert):
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    printed = convert(hf_mbert, tmp_path / "ours")
    start = tmp_path / "ours" / "model.pt"
    data = prepare(raw, tmp_path / "bin", tmp_path / "ours")
    assert (data / "dict.txt").read_bytes() == (tmp_path / "ours" / "dict.txt").read_bytes()
    advised = printed.splitlines()[-1].partition(" DATA_BIN ")[2].partition(" ...")[0].split()
    state = train(data, tmp_path / "run", *advised, "--criterion", "amber", shape=[])
    for name, value in torch.load(start)["model"].items():
        torch.testing.assert_close(state["model"][name], value, atol=1e-6, rtol=0)
