"""Stage "tests" of scripts/gpu_check.sh: runs tests/gpu and writes the outcome of every test.

python benchmarks/gpu/gpu_tests.py --output OUT
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from results import StageResult, device_of, parser_of

ROOT = Path(__file__).resolve().parents[2]
OF_THE_SUITE = "tests/gpu"


class Recorder:
    """A plugin of pytest that writes the outcome of each test as soon as it is known."""

    def __init__(self, result: StageResult):
        self.result = result
        self.rows: list[dict[str, Any]] = []
        self.reasons: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Adds one row for each test, in the phase that decides its outcome."""
        if report.when == "teardown" and report.passed:
            return
        if report.when == "setup" and report.passed:
            return
        name = report.nodeid.removeprefix(f"{OF_THE_SUITE}/")
        row = {"test": name, "outcome": report.outcome, "seconds": round(report.duration, 2)}
        if report.skipped:
            self.reasons[str(report.longrepr[2]).removeprefix("Skipped: ")] += 1
        if report.failed:
            lines = str(report.longrepr).strip().splitlines()
            errors = [line[2:].strip() for line in lines if line.startswith("E ")]
            message = (errors or lines or ["no message"])[0][:200].replace("|", "\\|")
            self.result.fail(f"{name}: {message}")
            row["outcome"] = "FAILED"
        self.rows.append(row)
        self.write()

    def pytest_collectreport(self, report: Any) -> None:
        """Records a file that cannot be imported."""
        if report.failed:
            self.result.fail(f"{report.nodeid}: {str(report.longrepr).strip().splitlines()[-1]}")

    def write(self) -> None:
        """Writes the tables as they are so far."""
        counts = Counter(row["outcome"] for row in self.rows)
        self.result.put(**counts)
        self.result.add("Outcomes", [dict(counts)])
        skips = [{"skipped": n, "reason": reason} for reason, n in self.reasons.items()]
        self.result.add("Skipped", skips)
        self.result.add("Tests", self.rows)


def main() -> int:
    """Runs the tests in this process and returns the exit status."""
    parser = parser_of(__doc__.split("\n")[0])
    parser.add_argument("-k", metavar="EXPRESSION", help="run only what pytest's -k selects")
    args = parser.parse_args()
    device = device_of(args)
    title = "The tests of tests/gpu"
    result = StageResult(args.output, "tests", title, device, json_too=False)
    recorder = Recorder(result)
    if device.type == "cpu":
        os.environ["AMBER_GPU_REHEARSAL"] = "1"
    # plugins that happen to be installed must not change these tests
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.chdir(ROOT)
    flags = [OF_THE_SUITE, "-q", "--no-header", "--tb=short", "-p", "no:cacheprovider"]
    flags += ["--color=no", f"--rootdir={ROOT}", f"--confcutdir={ROOT / 'tests'}"]
    flags += ["-k", args.k] if args.k else []
    status = pytest.main(flags, plugins=[recorder])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        result.fail(f"pytest ended with {status!r}")
    if not any(row["outcome"] == "passed" for row in recorder.rows):
        result.fail("no test passed")
    return result.end()


if __name__ == "__main__":
    sys.exit(main())
