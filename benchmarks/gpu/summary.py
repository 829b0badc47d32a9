"""The last table of scripts/gpu_check.sh: each stage, how it ended, and where its result is.

    python benchmarks/gpu/summary.py --output OUT STAGE=STATUS=SECONDS ...

STATUS is the exit status of the stage; 124 and 137 mean that its time limit ended it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from results import (
    StageResult,
    card_name,
    device_of,
    file_name,
    newest_file,
    parser_of,
    write_whole,
)

LINES = 40  # lines to keep of the output of a stage that did not pass
ENDS = {0: "passed", 124: "CUT by its limit", 137: "CUT by its limit"}


def main() -> int:
    """Writes and prints the table; returns 1 if a stage did not pass."""
    parser = parser_of(__doc__.split("\n")[0])
    parser.add_argument("--logs", type=Path, help="folder with STAGE.log, the stages' output")
    parser.add_argument("stages", nargs="+", metavar="STAGE=STATUS=SECONDS")
    args = parser.parse_args()
    device = device_of(args)
    result = StageResult(args.output, "summary", "Check of a GPU", device, json_too=False)
    rows: list[dict[str, Any]] = []
    for stage in args.stages:
        name, status, seconds = stage.split("=")
        ended = ENDS.get(int(status), "FAILED")
        if ended != "passed" and args.logs:
            keep_log(args.output, name, args.logs / f"{name}.log", device)
        found = newest_file(args.output, name, ".md")
        rows.append(
            {
                "stage": name,
                "result": ended,
                "seconds": int(seconds),
                "where": found.name if found else "nothing was written",
            }
        )
    result.add("Stages", rows)
    result.end()
    return int(any(row["result"] != "passed" for row in rows))


def keep_log(out: Path, stage: str, log: Path, device: torch.device) -> None:
    """Appends the end of the output of a stage to its result, or makes a result of it."""
    if not log.exists():
        return
    path = out / (file_name(stage, card_name(device)) + ".md")
    text = path.read_text(encoding="utf-8") if path.exists() else f"# {stage}\n"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LINES:]
    indented = "\n".join(f"    {line[:300]}" for line in lines)
    write_whole(path, f"{text}\n## The end of its output\n\n{indented}\n")


if __name__ == "__main__":
    sys.exit(main())
