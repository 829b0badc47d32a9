"""Runs a function on several ranks, each in a process of its own, with gloo on the CPU."""

import socket
from datetime import timedelta

import torch.distributed as dist
import torch.multiprocessing as mp


def run_on_ranks(world, function, *arguments):
    """Calls ``function(rank, world, *arguments)`` on every rank.

    The processes are forks of this one, so that the arguments need not be pickled; results are
    handed over in files. An error on a rank is raised here.
    """
    mp.start_processes(
        _run, args=(world, _free_port(), function, arguments), nprocs=world, start_method="fork"
    )


def _run(rank, world, port, function, arguments):
    dist.init_process_group(
        "gloo",
        init_method=f"tcp://127.0.0.1:{port}",
        rank=rank,
        world_size=world,
        timeout=timedelta(seconds=60),
    )
    try:
        function(rank, world, *arguments)
    finally:
        dist.destroy_process_group()


def _free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
