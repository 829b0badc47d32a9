"""fairseq's own programs for the tests, each in a process of its own as ``python -m`` starts it,
but forked from one that has imported torch and fairseq: that takes longer than a toy training."""

import atexit
import contextlib
import functools
import json
import logging
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

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
        outputs = [[f"{folder}/{rank}.{name}" for name in "oe"] for rank in range(processes)]
        request = dict(
            module=f"fairseq_cli.{program}",
            runs=[dict(arguments=[*given, *rank], outputs=o) for rank, o in zip(ranks, outputs)],
            environment={**os.environ, "OMP_NUM_THREADS": "1"},
            folder=os.getcwd(),
        )
        status = _ask(request)
        stdout, stderr = ("".join(Path(p).read_text() for p in paths) for paths in zip(*outputs))
    return subprocess.CompletedProcess([program, *given], status, stdout, stderr)


def run_torchrun(program, *arguments):
    """The same on two processes of one gloo group, as users start the ranks of one machine."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--master_port", "0"]
    command += ["--nproc_per_node", "2", "-m", f"fairseq_cli.{program}", *map(str, arguments)]
    return subprocess.run(
        [*command, "--distributed-backend", "gloo"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def _ask(request):
    server = _server()
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    if not select.select([server.stdout], [], [], TIMEOUT)[0]:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        _server.cache_clear()
        raise subprocess.TimeoutExpired(request["module"], TIMEOUT)
    return int(server.stdout.readline())


@functools.lru_cache(maxsize=None)
def _server():
    return subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        text=True,
        start_new_session=True,
    )


def _serve():
    """Answers each request, a line of JSON, by the exit status of its processes."""
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what an import prints is no answer
    sys.path[0] = os.getcwd()
    import fairseq  # noqa: F401

    logging.root.handlers.clear()  # a program chooses its own before it imports fairseq
    for line in requests:
        request = json.loads(line)
        if len(request["runs"]) > 1:
            with contextlib.suppress(ImportError):  # once here, and not by DDP on every rank
                import torch._dynamo  # noqa: F401
        children = [_fork(request, **run) for run in request["runs"]]
        print(_wait(children), file=answers, flush=True)


def _fork(request, arguments, outputs):
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        for number, path in zip((0, 1, 2), ("/dev/null", *outputs)):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
        os.environ.clear()
        os.environ.update(request["environment"])
        tempfile.tempdir = None  # which one it is was asked at an import
        os.chdir(request["folder"])
        sys.argv[1:] = arguments
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as exit:
        status = exit.code or 0
        if not isinstance(status, int):
            print(status, file=sys.stderr)
            status = 1
    except BaseException:
        traceback.print_exc()
    finally:
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _wait(children):
    """The first exit status that is not 0; then the other ranks would wait for ever."""
    failed, running = 0, set(children)
    while running:
        child, status = os.wait()
        running.discard(child)
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
        if code and not failed:
            failed = code
            for other in running:
                os.kill(other, signal.SIGKILL)
    return failed


if __name__ == "__main__":
    _serve()
