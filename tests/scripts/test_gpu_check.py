"""scripts/gpu_check.sh on a CPU: a rehearsal to its summary, and stages that fail or are cut."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from forked_programs import forked_python

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("card", "tests", "training", "speed")
TOY_STAGE = """
import sys, time
from results import StageResult, device_of, parser_of
parser = parser_of("stand-in")
parser.add_argument("--matrix-rate")
args = parser.parse_args()
result = StageResult(args.output, NAME, NAME, device_of(args), json_too=NAME != "tests")
result.add("Begun", [{"is": "here", "rate": args.matrix_rate}])
BODY
sys.exit(result.end())
"""


def check(*arguments, root=ROOT, **variables):
    """Runs the script as a person would, without a GPU, and returns what it said."""
    environment = {**os.environ, "PYTHON": forked_python(), "CUDA_VISIBLE_DEVICES": "", **variables}
    environment["OMP_NUM_THREADS"] = "1"
    return subprocess.run(
        ["bash", str(root / "scripts" / "gpu_check.sh"), *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=540,
        cwd=str(variables.get("HOME", ROOT)),
        check=False,
    )


def outcomes(out):
    """Stage -> result, of the summary."""
    (summary,) = out.glob("summary-*.md")
    rows = re.findall(r"^\| (\w+) \| ([\w ]+) \| \d", summary.read_text(), re.MULTILINE)
    return dict(rows)


@pytest.fixture
def stand_ins(tmp_path):
    """``(**bodies)``: a checkout whose stages are short programs with that middle."""
    root = tmp_path / "a checkout"

    def make(**bodies):
        (root / "benchmarks" / "gpu").mkdir(parents=True)
        shutil.copytree(ROOT / "scripts", root / "scripts")
        for name in ("results.py", "summary.py"):
            shutil.copy(ROOT / "benchmarks" / "gpu" / name, root / "benchmarks" / "gpu")
        for stage, file in zip(STAGES, ("card", "gpu_tests", "training", "speed")):
            body = bodies.get(stage, "result.put(done=1)")
            text = TOY_STAGE.replace("NAME", repr(stage)).replace("BODY", body)
            (root / "benchmarks" / "gpu" / f"{file}.py").write_text(text)
        return root

    return make


@pytest.mark.slow
def test_a_rehearsal_reaches_its_summary(tmp_path):
    out = tmp_path / "results of it"
    limits = {f"{stage.upper()}_LIMIT": "300" for stage in STAGES}
    said = check(out, "--toy", **limits)
    assert said.returncode == 0, said.stdout + said.stderr
    assert outcomes(out) == dict.fromkeys(STAGES, "passed")
    assert said.stdout.index("| stage | result |") > said.stdout.index("speed, at most")
    files = sorted(out.iterdir())
    assert len(files) <= 8
    assert all(re.fullmatch(r"\w+-cpu-\d{4}-\d\d-\d\d\.(md|json)", file.name) for file in files)
    assert sum(file.stat().st_size for file in files) < 300_000
    found = {file.name.split("-")[0]: json.loads(file.read_text()) for file in out.glob("*.json")}
    assert found.keys() == {"card", "training", "speed"}
    assert all(content["complete"] and not content["failures"] for content in found.values())
    assert found["card"]["values"]["copy_bandwidth"] > 0
    tests = next(out.glob("tests-*.md")).read_text()
    ends = re.findall(r"^\| test_\S+\.py::.* \| (\w+) \| [\d.]+ \|$", tests, re.MULTILINE)
    assert ends.count("passed") > 100 and set(ends) == {"passed", "skipped"}
    resumed = found["training"]["sections"]["Resumed at update 10"]
    exact = {row["criterion"]: row["result"] for row in resumed if row["precision"] == "fp32"}
    criterions = ("amber", "ot_alignment", "contrastive_alignment")
    assert exact == dict.fromkeys(criterions, "equal to the bit")
    assert "bf16" in {row["precision"] for row in resumed}


def test_what_fails_or_is_cut_keeps_what_it_had_and_ends_no_other(stand_ins, tmp_path):
    root = stand_ins(
        card='result.put(matrix_rate_bf16=7.5); print("after")',
        tests='result.add("Half", [{"value": 1}]); time.sleep(60)',
        training='raise SystemExit("no way | to train")',
    )
    out = tmp_path / "out"
    said = check(out, "--toy", root=root, TESTS_LIMIT="6")
    assert said.returncode == 1
    expected = dict(card="passed", tests="CUT by its limit", training="FAILED", speed="passed")
    assert outcomes(out) == expected
    cut = next(out.glob("tests-*.md")).read_text()
    assert "Not complete" in cut and "| value |\n| --- |\n| 1 |" in cut
    assert "no way | to train" in next(out.glob("training-*.md")).read_text()
    assert "no way | to train" in said.stderr
    # the rate that the card has just reached is what speed is a share of
    speed = json.loads(next(out.glob("speed-*.json")).read_text())
    assert speed["sections"]["Begun"][0]["rate"] == "7.5"
    assert len(list(out.iterdir())) <= 8


def test_an_interruption_ends_what_was_started(stand_ins, tmp_path):
    root = stand_ins(card="print(result.path, flush=True); time.sleep(120)")
    environment = {**os.environ, "PYTHON": sys.executable, "TMPDIR": str(tmp_path / "temporary")}
    (tmp_path / "temporary").mkdir()
    command = ["bash", str(root / "scripts" / "gpu_check.sh"), str(tmp_path / "out"), "--toy"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("out/card-*.json")) and time.monotonic() < deadline:
        time.sleep(0.1)
    (stage,) = running(root)
    process.terminate()
    assert process.wait(timeout=30) == 130
    assert "keeps what was finished" in process.stderr.read()
    while running(root) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not running(root), stage
    assert not list((tmp_path / "temporary").iterdir())
    assert "Not complete" in next(tmp_path.glob("out/card-*.md")).read_text()


def running(root):
    """Python processes of a checkout's stages."""
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = command.read_bytes().split(b"\0")
            here = os.readlink(command.with_name("cwd")) == str(root)
        except OSError:
            continue
        if here and b"benchmarks/gpu/card.py" in words and b"timeout" not in words:
            found.append(words)
    return found


def test_one_stage_alone(stand_ins, tmp_path):
    root = stand_ins(training='result.fail("never run")')
    said = check(tmp_path / "out", "--only", "speed", "--toy", root=root)
    assert said.returncode == 0, said.stderr
    assert outcomes(tmp_path / "out") == {"speed": "passed"}
    said = check(tmp_path / "out", "--toy", "--only", "training", root=root)
    assert said.returncode == 1 and outcomes(tmp_path / "out") == {"training": "FAILED"}


@pytest.mark.parametrize(
    "arguments, variables, message",
    [
        (["OUT", "--only", "sped"], {}, "no stage is named sped"),
        (["OUT"], {}, "finds no CUDA GPU; --toy"),
        (["OUT", "--toy"], {"WHEELS": "nowhere"}, "nowhere holds no wheels"),
        (["OUT", "--toy"], {"PYTHON": "no-python"}, "no no-python on this machine"),
    ],
)
def test_a_mistake_is_one_line(stand_ins, tmp_path, arguments, variables, message):
    root = stand_ins()
    arguments = [tmp_path / "out" if some == "OUT" else some for some in arguments]
    said = check(*arguments, root=root, HOME=str(tmp_path), **variables)
    assert said.returncode == 2 and message in said.stderr
    assert said.stderr.count("\n") == 1 and "Traceback" not in said.stderr


def test_a_python_without_fairseq_is_told_what_it_lacks(stand_ins, tmp_path):
    """Isolated from what is installed beside the interpreter."""
    python = tmp_path / "bare python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    python.chmod(0o755)
    said = check(tmp_path / "out", "--toy", root=stand_ins(), PYTHON=str(python), PYTHONPATH="")
    assert said.returncode == 2
    assert "lacks torch" in said.stderr and "gpu_wheels.sh" in said.stderr


def test_gpu_wheels_says_what_it_needs(tmp_path):
    command = ["bash", str(ROOT / "scripts" / "gpu_wheels.sh"), str(tmp_path / "wheels")]
    environment = {**os.environ, "PYTHON": sys.executable, "PYENV_ROOT": str(tmp_path)}
    for version, message in (("3.9", "fairseq is built for"), ("3.10", "no Python 3.10")):
        if sys.version_info[:2] == (3, 10):
            pytest.skip("this is that Python")
        path = [tmp_path / "bin", "/usr/bin", "/bin"]
        environment["PATH"] = os.pathsep.join(map(str, path))
        said = subprocess.run(
            [*command, "--python", version], env=environment, capture_output=True, text=True
        )
        assert said.returncode == 1 and message in said.stderr
        assert said.stderr.count("\n") == 1
