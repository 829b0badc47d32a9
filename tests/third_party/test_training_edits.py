"""The edits of training, seen at work; each test is named after its edit.

The test of broadcast-object is here too, because it needs the same two processes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch

from fairseq_programs import run_fairseq
from forked_programs import forked_python

fairseq = pytest.importorskip("fairseq")
if "+amber" not in fairseq.__version__:
    pytest.skip(f"fairseq {fairseq.__version__} is not ours", allow_module_level=True)

from fairseq import options  # noqa: E402
from fairseq.data import iterators  # noqa: E402
from fairseq.dataclass.utils import convert_namespace_to_omegaconf  # noqa: E402
from fairseq.distributed import utils  # noqa: E402


def parse(*arguments):
    parser = options.get_training_parser("masked_lm")
    required = ["data-bin", "--arch", "roberta_base", "--max-update", "1"]
    return options.parse_args_and_arch(parser, [*required, *arguments])


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


def test_no_architecture(data_folder, capsys):
    with pytest.raises(SystemExit) as ended:
        options.parse_args_and_arch(
            options.get_training_parser("masked_lm"), [str(data_folder), "--criterion", "masked_lm"]
        )
    assert ended.value.code == 2
    assert "error: --arch is missing: name an architecture" in capsys.readouterr().err


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seed_range(data_folder, seed):
    flags = f"--task masked_lm --criterion masked_lm --arch roberta --batch-size 4 --seed {seed}"
    run = run_fairseq("train", data_folder, *flags.split())
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == f"--seed {seed}: give a number from 0 to 4294967295"


def test_interrupt(capsys):
    def pressed(cfg):
        raise KeyboardInterrupt

    cfg = convert_namespace_to_omegaconf(parse("--cpu", "--distributed-world-size", "1"))
    for rank, line in ((0, "interrupted\n"), (1, "")):
        cfg.distributed_training.distributed_rank = rank
        with pytest.raises(SystemExit) as ended:
            utils.call_main(cfg, pressed)
        assert ended.value.code == 130
        assert capsys.readouterr().err == line


def test_interrupt_import():
    assert utils.sys is sys


@pytest.mark.parametrize("device, backend", [(["--cpu"], "gloo"), ([], "nccl")])
def test_gloo_on_cpu(monkeypatch, device, backend):
    asked = {}

    def init_process_group(**settings):
        asked.update(settings)
        raise InterruptedError

    monkeypatch.setattr(utils.dist, "init_process_group", init_process_group)
    cfg = convert_namespace_to_omegaconf(parse(*device))
    with pytest.raises(InterruptedError):
        utils.distributed_init(cfg)
    assert asked["backend"] == backend


def test_bf16_is_not_tpu():
    args = parse("--bf16", "--cpu")
    assert args.bf16
    assert not args.tpu


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
            [forked_python(), "worker.py", str(rank), str(folder / "rendezvous")],
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
