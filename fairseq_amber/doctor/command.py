"""``fairseq-amber doctor``: tells what is installed, what is missing, and what a bug report needs;
and whether folders and checkpoints are damaged.

The first needs neither torch nor fairseq: ``doctor.probe`` imports packages in another process,
since the import may fail.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from fairseq_amber.files.json_file import check_replaceable, write_json

SUMMARY = "tell what is installed, what is missing and what limits training; also for bug reports"
EXAMPLE = "fairseq-amber doctor\n  fairseq-amber doctor data-bin/de-en checkpoints/amber"
WRITES = ("json",)

_BUG_REPORT = """\
a bug report should hold
  this text, the whole command, all of its output from the first warning on, what you expected,
  and whether bash scripts/quickstart.sh works; never data or weights that are not yours to share
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.description = (
        f"{SUMMARY}. The exit status is 0 where training can run, and 1 where it cannot. With a "
        "PATH, tell what is damaged in it; the exit status is 0 if nothing is, and 2 otherwise."
    )
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        type=Path,
        help="a folder of fairseq-amber prepare or prepare-task, a checkpoint, or a folder of "
        "checkpoints, to check every byte of",
    )
    parser.add_argument(
        "--json", metavar="OUT", type=Path, help="write the findings to this file too"
    )


def run(args: argparse.Namespace) -> int:
    """Prints the findings.

    Returns:
        0 if training can run, else 1; with paths, 0 if nothing in them is damaged, else 2.
    """
    if args.json is not None:
        check_replaceable(args.json, "inspected", "training")
    if args.paths:
        return _inspect(args)
    from fairseq_amber.doctor.findings import examine

    found = examine()
    print(_text(found))
    if args.json is not None:
        write_json(args.json, found)
    return 0 if found["training"] is None else 1


def _inspect(args: argparse.Namespace) -> int:
    from fairseq_amber.doctor.paths import inspect

    inspections = [inspect(path) for path in args.paths]
    for inspection in inspections:
        print(inspection.as_text())
    if args.json is not None:
        write_json(args.json, {"inspected": [one.as_json() for one in inspections]})
    return 2 if any(inspection.damages for inspection in inspections) else 0


def _text(found: dict[str, Any]) -> str:
    """Returns the findings as text that people read and paste into a bug report."""
    training = found["training"]
    lines = [
        f"training: {'can run' if training is None else 'cannot run: ' + training}",
        "",
        "versions",
        f"  {'fairseq_amber':14} {found['fairseq_amber']}, in {found['folder']}",
        f"  {'Python':14} {found['python']['version']}, {found['python']['executable']}",
        f"  {'system':14} {found['system']}",
    ]
    for package in found["packages"].values():
        version = package["version"] or ("" if package["error"] else "not installed")
        error = f"cannot be imported: {package['error']}" if package["error"] else ""
        lines.append(f"  {package['name']:14} {', '.join(filter(None, (version, error)))}")
    lines += ["", *_fairseq_lines(found["fairseq"]), "", *_extra_lines(found["requirements"]), ""]
    lines += ["devices", *(f"  {line}" for line in _device_lines(found["devices"])), ""]
    lines += ["free disk space"]
    lines += [f"  {_gigabytes(free)} in {name}" for name, free in found["disk"].items()]
    variables = found["environment"]
    lines += ["", "environment" if variables else "environment: no variable that matters is set"]
    lines += [f"  {name}={value}" for name, value in variables.items()]
    return "\n".join([*lines, "", _BUG_REPORT.rstrip()])


def _fairseq_lines(fairseq: dict[str, Any] | None) -> list[str]:
    if fairseq is None:
        return ["fairseq: not installed, or broken; docs/installation.md says how to get one"]
    if fairseq["edited"]:
        lines = ["fairseq: of third_party/fairseq, with nothing known to limit it"]
    else:
        lines = ["fairseq: a stock one, with the limits that docs/installation.md explains"]
        lines += [f"  {limit}" for limit in fairseq["limits"]]
    for kind, what in (
        (
            "stand-in",
            "slower Python versions are used instead; to compile them, install g++ and "
            "python3-dev, ",
        ),
        ("missing", "commands that need them fail; install g++ and python3-dev, "),
    ):
        names = [name for name, found in fairseq["cpp"].items() if found == kind]
        if names:
            lines.append(f"  C++ parts not compiled ({', '.join(names)}): {what}and fairseq again")
    if set(fairseq["cpp"].values()) == {"compiled"}:
        lines.append("  its C++ parts are compiled")
    return lines


def _extra_lines(requirements: dict[str, list[str]] | None) -> list[str]:
    if requirements is None:
        return [
            "extras: not known, as fairseq_amber is on the path but not installed",
            "  pip install -e . in its checkout brings what it needs",
        ]
    lines = ["extras"]
    for extra, missing in requirements.items():
        wanted = " ".join(f"'{x}'" if re.search(r"[<>=!~\[ ]", x) else x for x in missing)
        state = f"missing: pip install {wanted}" if missing else "complete"
        lines.append(f"  {extra or 'always needed':14} {state}")
    return lines


def _device_lines(devices: dict[str, Any]) -> list[str]:
    cores = f"{devices['usable_cores']} of {devices['cores']} CPU cores usable"
    if "threads" in devices:
        cores += f", torch uses {devices['threads']}"
    if devices["memory"]:
        cores += f", {_gigabytes(devices['memory'])} of memory"
    driver = f"NVIDIA driver {devices['driver']}" if devices["driver"] else "no NVIDIA driver"
    if devices.get("error"):
        return [cores, driver, f"torch reports no device: {devices['error']}"]
    if "cuda" not in devices:
        return [cores, driver]
    built = "the CPU alone"
    for key, name in (("built_for_cuda", "CUDA"), ("built_for_rocm", "ROCm")):
        if devices[key]:
            built = f"{name} {devices[key]}"
    lines = [cores, f"{driver}; torch is built for {built}"]
    for number, gpu in enumerate(devices["cuda"]):
        memory, capability = _gigabytes(gpu["memory"]), gpu["capability"]
        lines.append(f"GPU {number}: {gpu['name']}, {memory}, compute capability {capability}")
    if devices["cuda"]:
        lines.append(f"bfloat16 on the GPU: {'yes' if devices['bf16'] else 'no, take --fp16'}")
    elif devices["driver"]:
        lines.append(
            "torch sees no GPU: take a build of torch for CUDA (pytorch.org) or a newer "
            "driver, and look at CUDA_VISIBLE_DEVICES"
        )
    return lines


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
