"""Stage "card" of scripts/gpu_check.sh: installed versions, and the rates that the card reaches.

python benchmarks/gpu/card.py --output OUT
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable

import torch
from results import StageResult, device_of, parser_of

PACKAGES = (
    "torch triton numpy scipy fairseq fairseq_amber hydra-core omegaconf sentencepiece tokenizers "
    "transformers sacrebleu POT geomloss faiss-cpu pytest"
).split()
WHERE = ("torch", "fairseq", "fairseq_amber")


def main() -> int:
    """Measures, writes each finding at once, and returns the exit status."""
    args = parser_of(__doc__.split("\n")[0]).parse_args()
    device = device_of(args)
    result = StageResult(args.output, "card", "The card and what is installed", device)
    result.add("Versions", versions())
    result.add("Device", hardware(device))
    copied = copy_rate(device, 2**21 if device.type == "cpu" else 2**31)
    result.put(copy_bandwidth=copied)
    rates = [{"measured": "copy on the device, bytes read and written", "GB/s": copied / 1e9}]
    result.add("Rates", rates)
    size = 256 if device.type == "cpu" else 8192
    for name, dtype, tf32 in (
        ("bf16", torch.bfloat16, False),
        ("fp16", torch.float16, False),
        ("tf32", torch.float32, True),
        ("fp32", torch.float32, False),
    ):
        if tf32 and device.type == "cpu":
            continue
        rate = matrix_rate(device, dtype, size, tf32)
        result.put(**{f"matrix_rate_{name}": rate / 1e12})
        rates.append({"measured": f"{name} product of {size} x {size}", "TFLOP/s": rate / 1e12})
        result.add("Rates", rates, "Random normal data; the median of several repetitions.")
    return result.end()


def versions() -> list[dict[str, Any]]:
    """The versions of Python and of every package that matters, and where three of them lie."""
    rows = [{"package": "Python", "version": platform.python_version()}]
    for name in PACKAGES:
        try:
            row = {"package": name, "version": importlib.metadata.version(name)}
        except importlib.metadata.PackageNotFoundError:
            row = {"package": name, "version": "none"}
        if name in WHERE and (found := find_spec(name)) is not None and found.origin:
            row["from"] = _home(Path(found.origin))
        rows.append(row)
    compiled = find_spec("fairseq.data.data_utils_fast")
    parts = "compiled" if compiled and not str(compiled.origin).endswith(".py") else "in Python"
    rows.append({"package": "fairseq's fast parts", "version": parts})
    return rows


def _home(file: Path) -> str:
    """The place that a file belongs to; its whole path would only describe the machine."""
    homes = {"the checkout": Path(__file__).resolve().parents[2], "Python's own": Path(sys.prefix)}
    # the environment may lie in the checkout; then the deeper folder counts
    holding = [(len(f.parts), name) for name, f in homes.items() if f in file.resolve().parents]
    return max(holding)[1] if holding else "PYTHONPATH"


def hardware(device: torch.device) -> list[dict[str, Any]]:
    """The device, its driver, its machine, and the settings that affect the numbers."""
    found: dict[str, Any] = {"machine": platform.machine(), "system": platform.release()}
    found["CPU cores"] = len(os.sched_getaffinity(0))
    if device.type == "cuda":
        card = torch.cuda.get_device_properties(device)
        free, total = torch.cuda.mem_get_info(device)
        found["card"] = card.name
        found["capability"] = f"{card.major}.{card.minor}"
        found["multiprocessors"] = card.multi_processor_count
        found["memory, GiB"] = total / 2**30
        found["free before the check, GiB"] = free / 2**30
        found["CUDA of torch"] = str(torch.version.cuda)
        found["cuDNN"] = str(torch.backends.cudnn.version())
        found.update(driver())
        found["TF32 in fp32 products"] = str(torch.backends.cuda.matmul.allow_tf32)
    for name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "NVIDIA_TF32_OVERRIDE"):
        found[name] = os.environ.get(name, "not set")
    return [{"what": name, "value": value} for name, value in found.items()]


def driver() -> dict[str, str]:
    """What nvidia-smi says, if it is installed and answers."""
    if shutil.which("nvidia-smi") is None:
        return {"driver": "nvidia-smi is not installed"}
    names = "driver_version,clocks.max.sm,clocks.max.mem,power.limit"
    command = ["nvidia-smi", f"--query-gpu={names}", "--format=csv,noheader", "--id=0"]
    try:
        text = subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"driver": f"nvidia-smi does not answer: {type(error).__name__}"}
    values = text.strip().splitlines()[0].split(", ") if text.strip() else []
    labels = ("driver", "highest clock", "highest memory clock", "power limit")
    return dict(zip(labels, values)) or {"driver": "nvidia-smi says nothing"}


def seconds_of(function: Callable[[], Any], device: torch.device, repetitions: int = 10) -> float:
    """The median time of single calls, after three calls that warm up."""
    times = []
    for turn in range(repetitions + 3):
        wait(device)
        start = time.perf_counter()
        function()
        wait(device)
        if turn >= 3:
            times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def wait(device: torch.device) -> None:
    """Waits until the device has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def copy_rate(device: torch.device, size: int) -> float:
    """Bytes read and written per second."""
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * size / seconds_of(lambda: target.copy_(source), device)


def matrix_rate(device: torch.device, dtype: torch.dtype, size: int, tf32: bool) -> float:
    """Floating-point operations per second of a product of square matrices."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = tf32
    generator = torch.Generator(device).manual_seed(0)
    a, b = (torch.randn(size, size, device=device, generator=generator).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    rate = 2 * size**3 / seconds_of(lambda: torch.mm(a, b, out=out), device)
    torch.backends.cuda.matmul.allow_tf32 = before
    return rate


if __name__ == "__main__":
    sys.exit(main())
