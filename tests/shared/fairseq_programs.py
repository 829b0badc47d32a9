"""fairseq's own programs for the tests, each in a process of its own as ``python -m`` starts it."""

import os
import select
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from forked_programs import ForkedProgram, forked_python, server_address, write_program

USER_DIR = Path(__file__).resolve().parents[2] / "fairseq_amber"
TIMEOUT = 300  # seconds


def run_fairseq(program, *arguments, processes=1):
    """What ``fairseq-<program>`` returns and prints. Several processes are the ranks of one gloo
    group, as a cluster without torchrun starts them; what they print comes one after the other."""
    given = [str(argument) for argument in arguments]
    with tempfile.TemporaryDirectory() as folder:
        ranks = [[]]
        if processes > 1:
            group = f"--distributed-world-size {processes} --distributed-no-spawn"
            group += f" --distributed-backend gloo --distributed-init-method file://{folder}/group"
            ranks = [f"{group} --distributed-rank {rank}".split() for rank in range(processes)]
        paths = [[f"{folder}/{rank}.{name}" for name in "oe"] for rank in range(processes)]
        running = [_start(program, [*given, *rank], p) for rank, p in zip(ranks, paths)]
        status = _wait(running, program)
        stdout, stderr = ("".join(Path(p).read_text() for p in each) for each in zip(*paths))
    return subprocess.CompletedProcess([program, *given], status, stdout, stderr)


def run_torchrun(program, *arguments):
    """The same on two processes of one gloo group, as users start the ranks of one machine."""
    with tempfile.TemporaryDirectory() as folder:
        rank = Path(folder) / f"fairseq-{program}"
        write_program(rank, rank.name)
        command = [forked_python(), "-m", "torch.distributed.run", "--standalone"]
        command += ["--master_port", "0", "--nproc_per_node", "2", rank, *map(str, arguments)]
        return subprocess.run(
            [*command, "--distributed-backend", "gloo"],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )


def _start(program, arguments, paths):
    request = dict(
        python=["-m", f"fairseq_cli.{program}", *arguments],
        environment={**os.environ, "OMP_NUM_THREADS": "1"},
        folder=os.getcwd(),
    )
    files = [os.open("/dev/null", os.O_RDONLY)]
    files += [os.open(path, os.O_WRONLY | os.O_CREAT) for path in paths]
    try:
        return ForkedProgram(server_address(), request, files)
    finally:
        for file in files:
            os.close(file)


def _wait(running, program):
    """The first exit status that is not 0; then the other ranks would wait for ever."""
    failed, waiting, deadline = 0, set(running), time.monotonic() + TIMEOUT
    while waiting:
        ended, _, _ = select.select(waiting, [], [], max(0, deadline - time.monotonic()))
        if not ended:
            for other in waiting:
                other.send_signal(signal.SIGKILL)
            raise subprocess.TimeoutExpired(program, TIMEOUT)
        for one in ended:
            waiting.discard(one)
            code = one.wait()
            if code and not failed:
                failed = code
                for other in waiting:
                    other.send_signal(signal.SIGKILL)
    return failed
