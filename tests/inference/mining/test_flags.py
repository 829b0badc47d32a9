"""Flags that do not go together, and what they name: mistakes end before the work begins."""

import numpy as np
import pytest


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("--folder {bucc}", "give either a CHECKPOINT"),
        ("{ck} --folder {bucc} --vectors {x}.npy {x}.npy", "give either a CHECKPOINT"),
        ("{ck}", "give either --source FILE and --target FILE, or --folder DIR"),
        ("{ck} --source {x}", "give either --source"),
        ("--vectors {x}.npy {x}.npy --target {x}", "give either --source"),
        ("{ck} --folder {bucc} --gold {x}", "--gold goes with two files"),
        ("--folder {bucc} --vectors {x}.npy {x}.npy", "--vectors goes with two files"),
        ("{ck} --folder {bucc} --format bucc", "--format goes with two files"),
        ("{ck} --folder {bucc} --threshold 1 --dev-split x", "--dev-split tunes the threshold"),
        ("{ck} --folder {bucc} --threshold 1 --split x", "lacks de-en.x.de, which --threshold"),
        ("{ck} --source {x} --target {x} --pairs de-en", "--pairs goes with --folder"),
        ("{ck} --source {x} --target {x} --split dev", "--split goes with --folder"),
        ("{ck} --source {x} --target {x} --dev-split x", "--dev-split goes with --folder"),
        ("--vectors {x}.npy {x}.npy --layer 2", "--layer goes with a CHECKPOINT"),
        ("--vectors {x}.npy {x}.npy --pooling cls", "--pooling goes with a CHECKPOINT"),
        ("--vectors {x}.npy {x}.npy --prefix q:", "--prefix goes with a CHECKPOINT"),
        ("--vectors {x}.npy {x}.npy --reinitialize 0", "--reinitialize goes with a CHECKPOINT"),
        ("--vectors {x}.npy {x}.npy --dtype float16", "--dtype goes with a CHECKPOINT"),
        ("--vectors {x}.npy {x}.npy --data d", "--data goes with a CHECKPOINT"),
        ("--vectors {x}.npy {x}.npy --batch-tokens 9", "--batch-tokens goes with a CHECKPOINT"),
        ("{ck} --source {x} --target {x} --gold {x}", "--gold scores at one threshold"),
        ("{ck} --source {x} --target {x} --json r.json", "--json holds scores"),
        ("{ck} --folder {bucc} --nprobe 3", "only for --search approximate"),
        ("{ck} --folder {bucc} --pairs fr-en", "no pair 'fr-en'"),
        ("{ck} --folder {bucc} --layer 9", "layers 1 to 3"),
        ("{ck} --source {x} --target {x} --format bucc", "x:1: expected id<TAB>sentence"),
        ("{ck} --source {x} --target {x} --threshold 1 --gold {bad}", "bad:1: {x} has no id a"),
        ("--vectors {x}.npy {short} ", "have 16 dimensions but those of {short} 2"),
        ("--vectors {x}.npy {short} --source {x} --target {x}", "3 vectors but {x} has 12 lines"),
        ("--vectors {x}.npy {x}", "x is not a complete .npy of floats"),
        ("--vectors {x}.npy {x}.npy --device warp", "--device warp"),
    ],
)
def test_a_mistake_is_one_clear_line_and_writes_nothing(
    arguments, message, fairseq_amber_command, checkpoint, bucc, arrays, tmp_path, monkeypatch
):
    (tmp_path / "bad").write_text("a\t1\n")
    np.save(tmp_path / "short.npy", np.ones((3, 2), dtype=np.float32))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    places = {
        **{"ck": checkpoint, "bucc": bucc, "x": arrays / "x"},
        **{"bad": tmp_path / "bad", "short": tmp_path / "short.npy"},
    }
    status, _, err = fairseq_amber_command(
        "mine", *arguments.format(**places).split(), "--output", "out"
    )
    assert status == 2
    assert err.startswith("fairseq-amber: error: ") and err.count("\n") == 1
    assert message.format(**places) in err
    assert list(work.iterdir()) == []


def test_dev_is_mined_at_a_threshold_that_is_given(fairseq_amber_command, checkpoint, bucc):
    """It was refused as the split that tunes the threshold, which nothing tunes here."""
    status, out, err = fairseq_amber_command(
        "mine", checkpoint, "--folder", bucc, "--split", "dev", "--threshold", "0.9"
    )
    assert status == 0, err
    assert "F1" in out
