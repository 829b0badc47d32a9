"""Finds out what is installed and whether it works, for ``fairseq-amber doctor``."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import fairseq_amber
from fairseq_amber.doctor.probe import ask
from fairseq_amber.environment import apex_of_pypi, package_version, version_tuple
from fairseq_amber.progress import Progress

# Each module, with the names of its distributions if they differ from the module's name.
_PACKAGES: dict[str, tuple[str, ...]] = {
    "torch": (),
    "fairseq": (),
    "numpy": (),
    "omegaconf": (),
    "hydra": ("hydra-core",),
    "sentencepiece": (),
    "safetensors": (),
    "tensorboard": (),
    "matplotlib": (),
    "tqdm": (),
    "tokenizers": (),
    "transformers": (),
    "faiss": ("faiss-cpu", "faiss-gpu", "faiss-gpu-cu12", "faiss"),
    "ot": ("POT",),
    "geomloss": (),
    "sacremoses": (),
    "sklearn": ("scikit-learn",),
    "scipy": (),
    "seqeval": (),
    "triton": (),
    "apex": (),
}
_VARIABLES = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "PYTORCH_CUDA_ALLOC_CONF"),
    *("PYTHONPATH", "LD_LIBRARY_PATH"),
)


def examine() -> dict[str, Any]:
    """Returns all findings, ready for JSON; paths in the home directory begin with ``~``."""
    installed_modules = [name for name in _PACKAGES if _is_there(name)]
    if apex_of_pypi() is not None:
        installed_modules.remove("apex")
    answers = {}
    questions = [
        *installed_modules,
        "training",
        *(["devices"] if "torch" in installed_modules else []),
    ]
    with Progress(total=len(questions), unit="packages", what="importing") as progress:
        for question, found in ask(questions):
            answers[question] = found
            progress.update()
    packages = {name: _package(name, answers.get(name)) for name in _PACKAGES}
    return _without_home(
        {
            "fairseq_amber": fairseq_amber.__version__,
            "folder": str(Path(fairseq_amber.__file__).parent),
            "python": {"version": platform.python_version(), "executable": sys.executable},
            "system": platform.platform(),
            "packages": packages,
            "fairseq": _fairseq(answers, packages),
            "training": answers["training"].get("error"),
            "requirements": _requirements(),
            "devices": _devices(answers.get("devices")),
            "disk": _disk(),
            "environment": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        }
    )


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError, AttributeError):
        return True  # the package is broken; importing it will tell why


def _package(module: str, answer: dict[str, Any] | None) -> dict[str, Any]:
    """Returns ``name``, ``version`` (None if not installed) and ``error`` (None if it works)."""
    distributions = _PACKAGES[module] or (module,)
    version = package_version(*distributions)
    found = {"name": distributions[0], "version": version, "error": None}
    if module == "apex" and apex_of_pypi() is not None:
        return {**found, "error": "PyPI's, a web toolkit, not NVIDIA's: pip uninstall apex"}
    if answer is None:
        return found
    version = answer.get("version") or version or "of unknown version"
    return {**found, "version": version, "error": answer.get("error")}


def _fairseq(answers: dict[str, Any], packages: dict[str, Any]) -> dict[str, Any] | None:
    """Describes the fairseq that is installed.

    Returns:
        ``edited``: whether third_party/fairseq built it; ``limits``: what a stock one cannot do;
        ``cpp``: the state of its compiled parts. None if there is no fairseq that works.
    """
    answer = answers.get("fairseq")
    if answer is None or answer.get("error"):
        return None
    edited = "+amber" in packages["fairseq"]["version"]
    numpy = packages["numpy"]["version"] or "0.0"
    limits = [
        "--bf16 means TPU: take --fp16",
        "--ddp-backend c10d fails on CPUs: take legacy_ddp",
        "data-loading workers of stock tasks leave folders pymp-* behind: take --num-workers 0",
        "a finished run that is started again trains one update more: do not start it again",
        "checkpoints of stock architectures carry 27 % unused parameters",
    ]
    if re.match(r"\d+\.\d+", numpy) and version_tuple(numpy) >= (1, 24):
        limits.append(
            f"with numpy {numpy}, --num-batch-buckets, --sample-break-mode eos and some models "
            "fail: pip install 'numpy<1.24'"
        )
    return {"edited": edited, "limits": [] if edited else limits, "cpp": answer["cpp"]}


def _requirements() -> dict[str, Any] | None:
    """Lists the missing requirements, as the installed package states them.

    Returns:
        The missing requirements of each extra, where "" stands for what is always needed; None if
        the package is on the path but not installed.
    """
    try:
        stated = importlib.metadata.requires("fairseq_amber") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    missing: dict[str, list[str]] = {}
    for line in stated:
        requirement, _, condition = (part.strip() for part in line.partition(";"))
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", condition)
        if condition and not _holds(condition, extra[1] if extra else ""):
            continue  # it is for another version of Python
        match = re.match(r"[A-Za-z0-9][\w.-]*", requirement)
        lacking = missing.setdefault(extra[1] if extra else "", [])
        if match and package_version(*_alternatives(match[0])) is None:
            lacking.append(requirement)
    return missing


def _holds(condition: str, extra: str) -> bool:
    """Tells whether the condition of a requirement of an extra holds here."""
    try:
        from packaging.markers import Marker
    except ModuleNotFoundError:  # it comes with matplotlib, which is then missing too
        return True
    return Marker(condition).evaluate({"extra": extra})


def _alternatives(distribution: str) -> tuple[str, ...]:
    return next((names for names in _PACKAGES.values() if distribution in names), (distribution,))


def _devices(answer: dict[str, Any] | None) -> dict[str, Any]:
    affinity = getattr(os, "sched_getaffinity", None)
    found = {
        "cores": os.cpu_count(),
        "usable_cores": len(affinity(0)) if affinity else os.cpu_count(),
        "memory": _memory(),
        "driver": _driver(),
    }
    return {**found, **(answer or {})}


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _driver() -> str | None:
    """Returns the version of NVIDIA's driver, or None if no driver answers."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    lines = done.stdout.split()
    return lines[0] if done.returncode == 0 and lines else None


def _disk() -> dict[str, int]:
    """Returns the number of free bytes in each place."""
    places = {
        "the current folder": ".",
        "the temporary folder": tempfile.gettempdir(),
        "shared memory": "/dev/shm",
    }
    free = {}
    for name, path in places.items():
        try:
            free[name] = shutil.disk_usage(path).free
        except OSError:
            continue
    return free


def _without_home(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_home(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_home(part) for part in value]
    home = os.path.expanduser("~")
    if isinstance(value, str) and len(home) > 1:
        return re.sub(re.escape(home) + r"(?=[/\\:]|$)", "~", value)
    return value
