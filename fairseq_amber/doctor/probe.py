"""Imports packages for ``fairseq-amber doctor`` in another process, because an import may crash."""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import os
import queue
import subprocess
import sys
import threading
from typing import Any, Callable, Iterator, Sequence

PATIENCE = 120.0  # seconds for one answer
_CPP_PARTS = (
    "fairseq.data.data_utils_fast",
    "fairseq.data.token_block_utils_fast",
    "fairseq.libbleu",
)
_CHILD = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "from fairseq_amber.doctor.probe import answer; answer(sys.argv[1:])"
)


def ask(questions: Sequence[str], patience: float = PATIENCE) -> Iterator[tuple[str, dict]]:
    """Asks questions in another process.

    If an import raises an error, ends the process or does not end, the answer has an ``error`` of
    one line, and the remaining questions go to a new process.

    Args:
        questions: names of modules to import, or keys of ``_QUESTIONS``.
        patience: seconds to wait for one answer.

    Yields:
        Each question with its answer.
    """
    remaining = list(questions)
    while remaining:
        command = [sys.executable, "-c", _CHILD, json.dumps(sys.path), *remaining]
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        lines: queue.Queue[bytes] = queue.Queue()
        reader = threading.Thread(target=_read, args=(child.stdout, lines), daemon=True)
        reader.start()
        cause = ""
        try:
            while remaining and not cause:
                try:
                    line = lines.get(timeout=patience)
                except queue.Empty:
                    cause = f"no end after {patience:.0f} seconds"
                    break
                if not line:
                    cause = _ending(child.wait())
                else:
                    yield remaining.pop(0), json.loads(line)
        finally:
            child.kill()
            child.wait()
            reader.join()
        if cause:
            yield remaining.pop(0), {"error": cause}


def _read(stream: Any, lines: queue.Queue) -> None:
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(b"")


def _ending(status: int) -> str:
    reason = f"signal {-status}" if status < 0 else f"exit status {status}"
    return f"the import ended the process ({reason})"


def answer(questions: Sequence[str]) -> None:
    """Answers questions, in the other process: a line of JSON for each on standard output."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # packages may print when they are imported; their output goes to stderr
    logging.disable(logging.INFO)
    for question in questions:
        try:
            found = _QUESTIONS[question]() if question in _QUESTIONS else _import(question)
        except BaseException as error:
            # the first line of a long explanation says most
            lines = f"{type(error).__name__}: {error}".splitlines()
            found = {"error": lines[0].strip()}
        print(json.dumps(found), file=out, flush=True)


def _import(name: str) -> dict[str, Any]:
    module = importlib.import_module(name)
    if getattr(module, "__file__", None) is None:
        folder = next(iter(getattr(module, "__path__", [])), "?")
        return {"error": f"a folder without __init__.py hides it, or stands in its place: {folder}"}
    version = getattr(module, "__version__", None)
    return {"version": version if isinstance(version, str) else None, "file": module.__file__}


def _fairseq() -> dict[str, Any]:
    parts = {}
    for name in _CPP_PARTS:
        spec = importlib.util.find_spec(name)
        origin = (spec and spec.origin) or ""
        kind = "stand-in" if origin.endswith(".py") else "compiled"
        parts[name] = kind if origin else "missing"
    return {**_import("fairseq"), "cpp": parts}


def _training() -> dict[str, Any]:
    """Imports what ``fairseq-train --user-dir`` imports before it reads its flags."""
    from fairseq_amber.environment import patch_stock_fairseq, require_fairseq
    from fairseq_amber.errors import UserError

    try:
        require_fairseq()
    except UserError as error:
        return {"error": str(error)}
    patch_stock_fairseq()
    from fairseq_amber import criterions, models, tasks  # noqa: F401

    return {}


def _devices() -> dict[str, Any]:
    import torch

    cuda = []
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            found = torch.cuda.get_device_properties(number)
            capability = f"{found.major}.{found.minor}"
            cuda.append(
                {"name": found.name, "memory": found.total_memory, "capability": capability}
            )
    return {
        "threads": torch.get_num_threads(),
        "built_for_cuda": torch.version.cuda,
        "built_for_rocm": getattr(torch.version, "hip", None),
        "cuda": cuda,
        "bf16": bool(cuda) and torch.cuda.is_bf16_supported(),
    }


_QUESTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "fairseq": _fairseq,
    "training": _training,
    "devices": _devices,
}
