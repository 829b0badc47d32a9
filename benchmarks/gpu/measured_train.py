"""Runs the real fairseq-train in a process of its own, and writes down its time and memory."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

import torch
from fairseq_cli.train import cli_main


def run(log: str, measured: str, arguments: list[str]) -> None:
    """Runs fairseq-train's own entry point in this process.

    Args:
        log: file for all output.
        measured: JSON file for seconds and bytes, written only if the run ends without error.
        arguments: the arguments of fairseq-train.
    """
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv = ["fairseq-train", *arguments]
    start = time.perf_counter()
    cli_main()
    values = {"seconds": time.perf_counter() - start}
    if torch.cuda.is_initialized():
        values["peak_memory"] = torch.cuda.max_memory_allocated()
    else:
        values["peak_memory"] = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    Path(measured).write_text(json.dumps(values), encoding="utf-8")
