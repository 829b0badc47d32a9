"""Each edit of third_party/fairseq/edits.py, seen at work in the installed fairseq.

The test of an edit is named after it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from fairseq_programs import run_fairseq

fairseq = pytest.importorskip("fairseq")
if "+amber" not in fairseq.__version__:
    pytest.skip(f"fairseq {fairseq.__version__} is not ours", allow_module_level=True)

from fairseq import checkpoint_utils, options  # noqa: E402
from fairseq.data import (  # noqa: E402
    Dictionary,
    LanguagePairDataset,
    ListDataset,
    TokenBlockDataset,
    data_utils,
    iterators,
)
from fairseq.dataclass import FairseqDataclass  # noqa: E402
from fairseq.dataclass.configs import FairseqConfig  # noqa: E402
from fairseq.models.transformer import (  # noqa: E402
    Embedding,
    TransformerConfig,
    TransformerEncoderBase,
)
from fairseq.modules.dynamic_crf_layer import DynamicCRF  # noqa: E402

PACKAGE = Path(fairseq.__file__).parent


def requirements():
    return importlib.metadata.requires("fairseq")


def parse(*arguments):
    parser = options.get_training_parser("masked_lm")
    required = ["data-bin", "--arch", "roberta_base", "--max-update", "1"]
    return options.parse_args_and_arch(parser, [*required, *arguments])


def test_every_edit_has_a_test(edits):
    tests = {name for name in globals() if name.startswith("test_")}
    assert {f"test_{edit.name.replace('-', '_')}" for edit in edits.EDITS} <= tests


def test_hashable_configs():
    @dataclass
    class Inner(FairseqDataclass):
        x: int = 1

    @dataclass
    class Outer(FairseqDataclass):
        inner: Inner = Inner(x=2)  # noqa: RUF009

    assert Outer().inner.x == 2
    assert Inner(x=2) == Inner(x=2)
    assert FairseqConfig().common.seed == 1


def test_hydra_pin():
    assert any(re.match(r"hydra-core(?=.*>=1\.3\.2)(?=.*<1\.4)", line) for line in requirements())


def test_omegaconf_pin():
    assert any(re.match(r"omegaconf(?=.*>=2\.3)(?=.*<2\.4)", line) for line in requirements())


COMPOSE = """
from fairseq import options
from fairseq.dataclass.utils import convert_namespace_to_omegaconf

parser = options.get_training_parser("masked_lm")
line = "data-bin --arch roberta_base --max-update 1 --cpu --lr 0.5"
args = options.parse_args_and_arch(parser, line.split())
config = convert_namespace_to_omegaconf(args)
print(config.optimization.lr, config.common.all_gather_list_size)
"""


@pytest.fixture(scope="module")
def composing():
    """A process that turns a command line into a configuration, with all warnings on."""
    return subprocess.run(
        [sys.executable, "-W", "always", "-c", COMPOSE], text=True, capture_output=True
    )


def composes_in_silence(composing):
    assert composing.returncode == 0, composing.stderr
    assert composing.stdout == "[0.5] 16384\n"
    assert "hydra" not in composing.stderr.lower()
    assert "config" not in composing.stderr


test_hydra_compose_import = composes_in_silence
test_hydra_initialize = composes_in_silence
test_hydra_compose = composes_in_silence
test_hydra_warnings = composes_in_silence
test_hydra_warnings_import = composes_in_silence


def test_hydra_train(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "fairseq_cli.hydra_train", "--cfg", "job", "common.seed=7"],
        cwd=tmp_path,
        text=True,
        capture_output=True,
    )
    assert result.returncode == 0, result.stderr
    assert "seed: 7" in result.stdout
    assert "all_gather_list_size: 16384" in result.stdout
    assert "version_base" not in result.stderr


def loads_a_namespace():
    assert checkpoint_utils.__name__ == "fairseq.checkpoint_utils"
    buffer = io.BytesIO()
    torch.save({"args": argparse.Namespace(arch="roberta_base")}, buffer)
    buffer.seek(0)
    assert torch.load(buffer, weights_only=True)["args"].arch == "roberta_base"


test_safe_namespace = loads_a_namespace
test_safe_namespace_import = loads_a_namespace


def test_numpy_float():
    crf = DynamicCRF(num_embedding=6, low_rank=2, beam_size=3)
    targets = torch.tensor([[1, 2, 3]])
    loss = crf(torch.zeros(1, 3, 6), targets, torch.ones(1, 3, dtype=torch.bool))
    assert torch.isfinite(loss).all()


def test_numpy_int():
    np.random.seed(0)
    mask = data_utils.compute_mask_indices((2, 40), None, 0.3, 4, no_overlap=True)
    assert mask.any()


def test_numpy_compat_blocks():
    sentences = [torch.tensor([5, 6, 2]), torch.tensor([7, 2])]
    blocks = TokenBlockDataset(sentences, [3, 2], block_size=None, pad=1, eos=2, break_mode="eos")
    assert [block.tolist() for block in blocks] == [[5, 6, 2], [7, 2]]


def bucketed_pairs():
    dictionary = Dictionary()
    sentences = ListDataset([torch.tensor([4, 2]), torch.tensor([4, 4, 4, 2])], [2, 4])
    pairs = LanguagePairDataset(
        sentences, [2, 4], dictionary, sentences, [2, 4], dictionary, num_buckets=2
    )
    assert pairs.bucketed_num_tokens.dtype == np.int64
    assert pairs.bucketed_num_tokens.tolist() == [2, 4]


test_numpy_compat_pairs = bucketed_pairs
test_numpy_percentile = bucketed_pairs


def test_finished_run(data_folder, tmp_path):
    shutil.copytree(data_folder / "mono" / "de", tmp_path / "de")
    shutil.copy(data_folder / "dict.txt", tmp_path / "de")
    command = (
        "--task masked_lm --criterion masked_lm --arch roberta --encoder-layers 1"
        " --encoder-embed-dim 8 --encoder-ffn-embed-dim 8 --encoder-attention-heads 2"
        " --tokens-per-sample 64 --sample-break-mode eos --batch-size 4 --optimizer adam --lr 0.1"
        " --max-update 2 --cpu --disable-validation"
    ).split()
    checkpoint = tmp_path / "run" / "checkpoint_last.pt"
    for _ in range(2):
        run = run_fairseq("train", tmp_path / "de", *command, "--save-dir", checkpoint.parent)
        assert run.returncode == 0, run.stderr
        state = torch.load(checkpoint, weights_only=False)
        assert state["optimizer_history"][-1]["num_updates"] == 2
    assert "nothing is left to train" in run.stdout


STOCK = "iterators.EpochBatchIterator(batch_sampler=rows, disable_shuffling=True, **settings)"


@pytest.mark.parametrize("killed", ["workers", "[os.getpid()]", "[0]"])
def test_worker_folder(left_by_workers, killed):
    assert left_by_workers(STOCK, killed) == []


def test_worker_folder_call(left_by_workers):
    assert left_by_workers(STOCK, "[]") == []


def test_worker_folder_imports():
    assert callable(iterators.share_worker_folder)


def test_bf16_is_not_tpu():
    args = parse("--bf16", "--cpu")
    assert args.bf16
    assert not args.tpu


def encoder():
    torch.manual_seed(0)
    config = TransformerConfig()
    config.dropout = 0.0
    config.encoder.layers = 2
    config.encoder.embed_dim = 8
    config.encoder.ffn_embed_dim = 16
    config.encoder.attention_heads = 2
    dictionary = Dictionary()
    embedding = Embedding(len(dictionary) + 10, 8, dictionary.pad())
    return TransformerEncoderBase(config, dictionary, embedding)


def test_encoder_layer_parameters():
    unused = [
        name
        for name, _ in encoder().named_parameters()
        if re.search(r"\.(in_proj|out_proj|fc1|fc2)_(weight|bias)$", name)
    ]
    assert unused == []


def evaluates_a_padded_batch():
    model = encoder()
    model.load_state_dict(model.state_dict())
    tokens = torch.tensor([[5, 6, 7, 2], [5, 2, 1, 1]])
    with torch.no_grad():
        model.eval()
        before_training = model(tokens)["encoder_out"][0]
        model.train()
        expected = model(tokens)["encoder_out"][0]
    torch.testing.assert_close(before_training, expected, rtol=0, atol=0)


test_encoder_layer_fast_path = evaluates_a_padded_batch
test_encoder_fast_path = evaluates_a_padded_batch


def test_stock_checkpoints():
    model = encoder()
    expected = model.state_dict()
    state = dict(expected)
    for layer in range(2):
        for module in ("in_proj", "out_proj", "fc1", "fc2"):
            state[f"layers.{layer}.{module}_weight"] = torch.zeros(1)
            state[f"layers.{layer}.{module}_bias"] = torch.zeros(1)
    for layer in range(2):
        model.layers[layer].upgrade_state_dict_named(state, f"layers.{layer}")
    model.load_state_dict(state, strict=True)


def test_no_audio():
    assert not any(line.startswith("torchaudio") for line in requirements())


def test_no_build_tools():
    assert not any(re.match(r"(cffi|cython)\b", line, re.I) for line in requirements())


def test_torch_bound():
    assert "torch>=1.13" in requirements()


def test_no_torch_extensions():
    assert importlib.util.find_spec("fairseq.libnat") is None
    assert importlib.util.find_spec("alignment_train_cpu_binding") is None


def test_compiler_is_optional(folder):
    for stand_in in (folder / "stand_ins").glob("*.py"):
        installed = PACKAGE / "data" / stand_in.name
        assert installed.read_text(encoding="utf-8") == stand_in.read_text(encoding="utf-8")


def test_version():
    assert fairseq.__version__ == importlib.metadata.version("fairseq") == "0.12.2+amber1"


WORKER = """
import argparse, json, os, sys
import torch
import torch.distributed as dist
from fairseq.distributed import utils
from fairseq.models.distributed_fairseq_model import DistributedFairseqModel

rank, rendezvous = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method="file://" + rendezvous, rank=rank, world_size=2)
group = dist.group.WORLD
gathered = utils.all_gather_list({"rank": rank}, group=group)
sent = {"args": argparse.Namespace(x=3), "kind": slice(1, 2), "weights": torch.ones(2)}
received = utils.broadcast_object(sent if rank == 0 else None, src_rank=0, group=group)
args = argparse.Namespace(
    tpu=False, ddp_backend="c10d", device_id=0, broadcast_buffers=False, bucket_cap_mb=25,
    find_unused_parameters=False, gradient_as_bucket_view=False, ddp_comm_hook="none",
    heartbeat_timeout=-1,
)
model = torch.nn.Linear(1, 1, bias=False)
wrapped = DistributedFairseqModel(args, model, group, torch.device("cpu"))
wrapped(torch.full((1, 1), float(rank))).sum().backward()
print(json.dumps({
    "gathered": [entry["rank"] for entry in gathered],
    "received": [received["args"].x, received["kind"].start, received["weights"].sum().item()],
    "gradient": model.weight.grad.item(),
}), flush=True)
dist.barrier()
dist.destroy_process_group()
os._exit(0)  # an interpreter that goes down while a thread of gloo's still runs may abort
"""


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory):
    """What each of two gloo processes prints."""
    folder = tmp_path_factory.mktemp("gloo")
    (folder / "worker.py").write_text(WORKER, encoding="utf-8")
    processes = [
        subprocess.Popen(
            [sys.executable, "worker.py", str(rank), str(folder / "rendezvous")],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for rank in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=120) for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, (_, errors) in zip(processes, outputs):
        assert process.returncode == 0, errors
    return [json.loads(output) for output, _ in outputs]


@pytest.mark.distributed
def test_gather_on_cpu(two_ranks):
    assert [rank["gathered"] for rank in two_ranks] == [[0, 1], [0, 1]]


@pytest.mark.distributed
def test_broadcast_object(two_ranks):
    assert [rank["received"] for rank in two_ranks] == [[3, 1, 2.0], [3, 1, 2.0]]


@pytest.mark.distributed
def test_ddp_on_cpu(two_ranks):
    assert [rank["gradient"] for rank in two_ranks] == [0.5, 0.5]
