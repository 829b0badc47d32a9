"""Worker processes that end silently when their parent ends, even if it is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for_futures
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Any, Callable, Iterable, Iterator

from fairseq_amber.errors import UserError

_INTERVAL = 1.0  # seconds between two calls of ``waiting``


def _nothing() -> None:
    pass


def available_cores() -> int:
    """Returns the number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class WorkerPool:
    """Calls functions in worker processes; results come in the order of the calls.

    It is a context manager. If an exception or Ctrl-C leaves the block, it ends the workers at
    once, or, with ``finish``, after the few calls that are in progress.

    Args:
        workers: number of processes.
        initializer: a function that every worker calls first.
        arguments: the arguments of the initializer.
        finish: whether an exception lets the calls in progress end. Choose this for short calls
            with large arguments: a worker that ends while it reads them may leave the pipe to the
            others blocked.
    """

    def __init__(
        self,
        workers: int,
        initializer: Callable | None = None,
        arguments: tuple = (),
        *,
        finish: bool = False,
    ):
        self._workers = workers
        self._finish = finish
        self._stop = multiprocessing.Semaphore(0)
        self._executor = ProcessPoolExecutor(
            workers, initializer=_start_worker, initargs=(self._stop, initializer, arguments)
        )

    def map(
        self,
        function: Callable,
        calls: Iterable[tuple],
        *,
        waiting: Callable[[], object] = _nothing,
    ) -> Iterator[Any]:
        """Yields function(*arguments) for each call.

        Only a few calls for each worker are in progress at a time, so that all calls and results
        together may be larger than the memory.

        Args:
            function: the function.
            calls: the arguments of each call.
            waiting: a function that is called every second while a result is waited for.

        Yields:
            The results, in the order of the calls.

        Raises:
            UserError: a worker was killed, or the function raised one.
        """
        pending: deque[Future] = deque()
        try:
            for arguments in calls:
                with _interrupts_held_back():  # so that a worker started here ignores Ctrl-C
                    pending.append(self._executor.submit(function, *arguments))
                if len(pending) > 3 * self._workers:
                    yield _result(pending.popleft(), waiting)
            while pending:
                yield _result(pending.popleft(), waiting)
        except BrokenProcessPool:
            raise UserError(
                "a worker process was killed, probably for want of memory; run the same command "
                "with fewer --workers"
            ) from None

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, exception_type: type | None, *details) -> None:
        if exception_type is not None and not self._finish:
            for _ in range(self._workers):
                self._stop.release()
        self._executor.shutdown()


def _result(future: Future, waiting: Callable[[], object]) -> Any:
    while not wait_for_futures([future], timeout=_INTERVAL).done:
        waiting()
    return future.result()


def call_in_process(
    function: Callable, *arguments: Any, waiting: Callable[[], object] = _nothing
) -> Any:
    """Returns function(*arguments), called in a process of its own.

    This is for long calls into C++, which would otherwise delay Ctrl-C until they end.

    Args:
        function: the function.
        arguments: its arguments.
        waiting: a function that is called every second until the call ends.

    Raises:
        UserError: the process was killed, or the function raised one.
    """
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(target=_send_result, args=(sender, function, arguments))
    with _interrupts_held_back():
        process.start()
    sender.close()
    try:
        while not receiver.poll(_INTERVAL):
            waiting()
        result = receiver.recv()
    except EOFError:
        process.join()
        if process.exitcode == -signal.SIGKILL:
            raise UserError(
                "the process that learns the vocabulary was killed, probably for want of memory; "
                "lower --vocab-sentences"
            ) from None
        raise UserError(
            f"the process that learns the vocabulary ended by itself (status {process.exitcode}), "
            "which is a fault; run again, and report it with the text if it comes again"
        ) from None
    finally:
        process.kill()
        process.join()
        receiver.close()
    if isinstance(result, Exception):
        raise result
    return result


def _send_result(sender: Connection, function: Callable, arguments: tuple) -> None:
    _start_worker(None, None, ())
    result: Any
    try:
        result = function(*arguments)
    except Exception as error:
        result = error
    sender.send(result)
    sender.close()


def _start_worker(stop, initializer: Callable | None, arguments: tuple) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    if stop is not None:
        threading.Thread(target=_die_when_told, args=(stop,), daemon=True).start()
    if initializer is not None:
        initializer(*arguments)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _die_when_told(stop) -> None:
    stop.acquire()
    os._exit(1)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
