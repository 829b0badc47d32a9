"""The temporary folder of data-loading workers, which none of them leaves behind."""

from __future__ import annotations

import functools
import subprocess
import sys
from multiprocessing import util

# A run that is stopped is sent its signal as a group of processes: this one is in none of them.
WATCH = """
import os, shutil, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.read(0, 1)
shutil.rmtree(sys.argv[1], ignore_errors=True)
"""


@functools.lru_cache(maxsize=None)
def share_worker_folder() -> subprocess.Popen:
    """Makes the folder for the sockets through which workers pass tensors, ``pymp-*``, in this
    process, before it forks them, and starts a process that removes it when all of them are gone.

    A worker that makes its own folder dies by a signal, at the end of every run, before it can
    remove it. Workers inherit this one. This process removes it when it ends; where it was killed,
    the one that watches does: its input ends when the last process is gone that has inherited it.
    """
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", WATCH, util.get_temp_dir()],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
