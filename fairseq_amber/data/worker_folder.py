"""The temporary folder of the data-loading workers, which is removed in any case."""

from __future__ import annotations

import functools
import subprocess
import sys
from multiprocessing import util

# A signal that stops a run goes to its whole group of processes; this process is not in the group.
WATCH = """
import os, shutil, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.read(0, 1)
shutil.rmtree(sys.argv[1], ignore_errors=True)
"""


@functools.lru_cache(maxsize=None)
def share_worker_folder() -> subprocess.Popen:
    """Makes the folder ``pymp-*`` for the sockets through which workers pass tensors, before this
    process forks them, and starts a process that removes the folder when all of them have ended.

    A worker that makes its own folder is ended by a signal at the end of every run, before it can
    remove it. Workers inherit this folder instead. This process removes it when it ends. If this
    process was killed, the watching process does: its input ends when the last process that has
    inherited the pipe has ended.
    """
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", WATCH, util.get_temp_dir()],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
