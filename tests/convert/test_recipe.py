"""``scripts/continue_xlmr.sh``, from a toy XLM-R folder to Hugging Face's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = dict(
    UPDATES="3",
    LENGTH="48",
    MAX_TOKENS="1500",
    UPDATE_TOKENS="1500",
    SAVE_EVERY="2",
    WORKERS="0",
    PROCESSES="1",
    TATOEBA="",
    GOLD="",
    OMP_NUM_THREADS="1",
)


@pytest.mark.slow
def test_from_xlmr_to_hugging_face(fairseq_xlmr, sentences, tmp_path):
    venv = ROOT / os.environ.get("AMBER_VENV", ".venv")
    if Path(sys.prefix).resolve() != venv.resolve():
        pytest.skip(f"the recipe sets up {venv}; this test runs elsewhere")
    raw = tmp_path / "raw"
    raw.mkdir()
    for split in ("train", "valid"):
        for language in ("de", "en"):
            lines = "".join(f"{language} {line.strip()}\n" for line in sentences)
            (raw / f"{split}.de-en.{language}").write_text(lines, encoding="utf-8")
            (raw / f"{split}.{language}").write_text(lines, encoding="utf-8")
    name = f"test-continue-{os.getpid()}"
    out = ROOT / "runs" / name
    command = ["bash", "scripts/continue_xlmr.sh", str(fairseq_xlmr), str(raw), name]
    run = dict(cwd=ROOT, env={**os.environ, **SETTINGS}, capture_output=True, text=True)
    try:
        for _ in range(2):  # the second time all is done but the export
            done = subprocess.run(command, timeout=600, check=False, **run)
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        assert (out / "checkpoint_last.pt").exists()
        transformers = pytest.importorskip("transformers")
        model = transformers.AutoModelForMaskedLM.from_pretrained(out / "hugging-face")
        tokenizer = transformers.AutoTokenizer.from_pretrained(out / "hugging-face")
        assert len(tokenizer) <= model.config.vocab_size
    finally:
        subprocess.run(["rm", "-rf", out, ROOT / "data-bin" / name], check=True)
