"""The commands a user types, one after the other, on a corpus of a few hundred lines."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / os.environ.get("AMBER_VENV", ".venv")


def run(*command, **environment):
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def installed():
    """The recipes run in the checkout's own environment, which they set up themselves."""
    if Path(sys.prefix).resolve() != VENV.resolve():
        pytest.skip(f"the recipes set up {VENV}; these tests run elsewhere")


@pytest.mark.slow
def test_quickstart_from_corpus_to_report(installed, tmp_path):
    out, data = tmp_path / "out", tmp_path / "data-bin"
    settings = dict(
        UPDATES="12",
        TRAIN_SENTENCES="400",
        TEST_SENTENCES="100",
        VOCAB_SIZE="300",
        UPDATE_TOKENS="1500",
        OUT=str(out),
        DATA=str(data),
    )
    printed = run("bash", "scripts/quickstart.sh", **settings)
    for system in ("untrained", "MLM", "AMBER"):
        assert system in printed
    report = json.loads((out / "report" / "report.json").read_text())
    assert report
    text = (out / "report" / "report.md").read_text()
    assert all(pair in text for pair in ("de-en", "ru-en", "tr-en"))
    for picture in ("loss_curves.png", "alignment_1.png"):
        assert (out / "report" / picture).read_bytes().startswith(b"\x89PNG")
    result = json.loads((out / "results" / "AMBER.retrieval.json").read_text())
    assert {"task", "metric", "score", "per_language", "n", "config"} <= set(result)
    # the same command again finds everything done and trains no further
    trained = (out / "amber" / "checkpoint_last.pt").read_bytes()
    run("bash", "scripts/quickstart.sh", **settings)
    assert (out / "amber" / "checkpoint_last.pt").read_bytes() == trained


@pytest.mark.slow
def test_pretraining_recipe(installed, tmp_path):
    raw = tmp_path / "raw"
    run(
        *(VENV / "bin" / "fairseq-amber", "demo-corpus", raw, "--train-sentences", "300"),
        *("--valid-sentences", "30", "--test-sentences", "40"),
    )
    settings = dict(
        ARCH="amber_tiny",
        UPDATES="4",
        VOCAB_SIZE="300",
        LENGTH="64",
        MAX_TOKENS="1500",
        UPDATE_TOKENS="1500",
        SAVE_EVERY="2",
        WORKERS="0",
        PROCESSES="2",  # as torchrun starts them on one machine
        GOLD=str(raw),
        TATOEBA="",
    )
    name = f"test-{os.getpid()}"
    try:
        printed = run("bash", "scripts/pretrain_amber.sh", raw, name, **settings)
        assert "AER" in printed
        assert (ROOT / "runs" / name / "checkpoint_last.pt").exists()
        fine_tune(raw, name)
    finally:
        run("rm", "-rf", ROOT / "runs" / name, ROOT / "data-bin" / name)


def fine_tune(raw, name):
    """The recipe for XTREME's tasks, from the encoder ``name``: whether a pair is a translation."""
    for split, german in (("train", False), ("valid", False), ("test", True)):
        texts = [
            (raw / f"{split}.de-en.{language}").read_text().splitlines()[:30]
            for language in ("de", "en")
        ]
        first, second = texts if german else texts[::-1]
        pairs = [*zip(first, second, "1" * 30), *zip(first, second[1:] + second[:1], "0" * 30)]
        lines = "".join("\t".join(pair) + "\n" for pair in pairs)
        (raw / f"{split}.tsv").write_text(lines)
    folder = ROOT / "data-bin" / name / "pawsx"
    run(
        *(VENV / "bin" / "fairseq-amber", "prepare-task", "pawsx", folder),
        *("--tokenizer", ROOT / "data-bin" / name, "--train", f"en={raw}/train.tsv"),
        *("--valid", f"en={raw}/valid.tsv", "--test", f"de={raw}/test.tsv"),
    )
    settings = dict(SEEDS="1 2", EPOCHS="1", ARCH="amber_tiny", EVERY="1", SYSTEM="toy")
    command = ["bash", "scripts/finetune_xtreme.sh", ROOT / "runs" / name / "checkpoint_last.pt"]
    printed = run(*command, folder, f"{name}/pawsx", **settings)
    assert "60 examples, 2 updates of 32" in printed
    assert "baseline accuracy" in printed and "±" in printed
    for seed in ("1", "2"):
        out = ROOT / "runs" / name / "pawsx" / seed
        assert {"checkpoint_best.pt", "checkpoint_last.pt", "test.json"} <= {*os.listdir(out)}
        assert (out / "predictions" / "pawsx" / "test-de.tsv").read_text().count("\n") == 60
