"""The temporary folder of data-loading workers, which none of them leaves behind."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import signal
from multiprocessing import util


@functools.lru_cache(maxsize=None)
def share_worker_folder() -> None:
    """Makes the folder for the sockets through which workers pass tensors, ``pymp-*``, in this
    process, before it forks them.

    A worker that makes its own dies by a signal, at the end of every run, before it can remove it.
    Workers inherit this one, and this process removes it when it ends; where it was killed itself,
    the last worker does.
    """
    folder = util.get_temp_dir()

    def at_start_of_worker(_) -> None:
        parent = os.getppid()

        def at_end_of_worker() -> None:
            if os.getppid() != parent:
                with contextlib.suppress(OSError):  # another worker's sockets are in it
                    os.rmdir(folder)

        util.Finalize(None, at_end_of_worker, exitpriority=-100)  # after the sockets are closed

    if hasattr(signal, "SIGCHLD"):
        # torch raises wherever it hears that a worker was killed: not while the folder is removed
        atexit.register(signal.signal, signal.SIGCHLD, signal.SIG_DFL)
    util.register_after_fork(at_start_of_worker, at_start_of_worker)
