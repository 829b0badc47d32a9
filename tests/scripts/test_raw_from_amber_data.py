"""scripts/raw_from_amber_data.sh: which text it takes, and what it misses is named beforehand."""

import gzip
import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "raw_from_amber_data.sh"
LINES = [f"line {n}" for n in range(400)]


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "the data"
    for name in ("parallel/a/train.de-en", "parallel/b/train.de-en", "parallel/b/dev.de-en"):
        for side in ("de", "en"):
            path = folder / f"{name}.{side}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{side} {name} {line}\n" for line in LINES))
    (folder / "parallel" / "SOURCE.md").write_text("about\n")
    (folder / "mono").mkdir()
    for language in ("de", "en"):
        (folder / "mono" / f"{language}.txt").write_text("\n".join(LINES) + "\n")
    return folder


def gather(data, raw, *languages, status=0, **variables):
    done = subprocess.run(
        ["bash", str(SCRIPT), str(raw), *languages],
        env={**os.environ, "AMBER_DATA": str(data), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stderr


def contents(raw):
    return {path.name: path.read_text() for path in raw.iterdir()}


def test_compressed_text_is_taken_as_it_is(data, tmp_path):
    """It was left out in silence."""
    gather(data, tmp_path / "raw", "de")
    plain = contents(tmp_path / "raw")
    assert len(plain["train.de-en.de"].splitlines()) == 800
    assert len(plain["valid.de-en.en"].splitlines()) == 300
    assert len(plain["valid.de"].splitlines()) == 8
    for path in (*data.glob("parallel/*/*.de"), *data.glob("mono/*.txt")):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    gather(data, tmp_path / "raw 2", "de")
    assert contents(tmp_path / "raw 2") == plain


def test_without_held_out_text_there_is_no_empty_file(data, tmp_path):
    gather(data, tmp_path / "raw", "de", CORPORA="a")
    assert "valid.de-en.de" not in contents(tmp_path / "raw")


def test_what_is_missing_is_named_before_anything_is_written(data, tmp_path):
    raw = tmp_path / "raw"
    assert "mono has no xx.txt" in gather(data, raw, "de", "xx", status=2)
    assert "en is the other side" in gather(data, raw, "en", status=2)
    assert "has no c" in gather(data, raw, "de", status=2, CORPORA="a c")
    assert "has no folder parallel" in gather(tmp_path / "no", raw, "de", status=2)
    (data / "mono" / "fr.txt").write_text("x\n")
    assert "no corpus has train.fr-en.fr: " in gather(data, raw, "fr", status=2)
    (data / "parallel" / "b" / "train.de-en.en").unlink()
    assert "train.de-en.de is without its other side" in gather(data, raw, "de", status=2)
    assert not raw.exists()
