"""The commands a user types, one after the other, on a corpus of a few hundred lines."""

import json
import os

import pytest

from fairseq_amber.cli import main


@pytest.mark.slow
def test_quickstart_from_corpus_to_report(run_recipe, tmp_path):
    out, data = tmp_path / "out", tmp_path / "data-bin"
    settings = dict(
        UPDATES="12",
        TRAIN_SENTENCES="400",
        MONO_SENTENCES="400",
        VALID_SENTENCES="40",
        TEST_SENTENCES="100",
        VOCAB_SIZE="300",
        UPDATE_TOKENS="1500",
        OUT=str(out),
        DATA=str(data),
    )
    printed = run_recipe("quickstart", **settings)
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
    run_recipe("quickstart", **settings)
    assert (out / "amber" / "checkpoint_last.pt").read_bytes() == trained


@pytest.mark.slow
def test_pretraining_recipe(run_recipe, recipe_checkout, tmp_path):
    raw = tmp_path / "raw"
    sizes = "--train-sentences 300 --valid-sentences 30 --test-sentences 40 --mono-sentences 300"
    assert main(["demo-corpus", str(raw), *sizes.split()]) == 0
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
    printed = run_recipe("pretrain_amber", raw, "pretraining", **settings)
    assert "AER" in printed
    checkpoint = recipe_checkout / "runs" / "pretraining" / "checkpoint_last.pt"
    assert checkpoint.exists()
    # The recipe for XTREME's tasks, from that encoder: whether a pair is a translation.
    for split, german in (("train", False), ("valid", False), ("test", True)):
        texts = [
            (raw / f"{split}.de-en.{language}").read_text().splitlines()[:30]
            for language in ("de", "en")
        ]
        first, second = texts if german else texts[::-1]
        pairs = [*zip(first, second, "1" * 30), *zip(first, second[1:] + second[:1], "0" * 30)]
        lines = "".join("\t".join(pair) + "\n" for pair in pairs)
        (raw / f"{split}.tsv").write_text(lines)
    tokenizer = recipe_checkout / "data-bin" / "pretraining"
    folder = tokenizer / "pawsx"
    files = f"--train en={raw}/train.tsv --valid en={raw}/valid.tsv --test de={raw}/test.tsv"
    made = ["prepare-task", "pawsx", str(folder), "--tokenizer", str(tokenizer)]
    assert main([*made, *files.split()]) == 0
    settings = dict(SEEDS="1 2", EPOCHS="1", ARCH="amber_tiny", EVERY="1", SYSTEM="toy")
    printed = run_recipe("finetune_xtreme", checkpoint, folder, "pretraining/pawsx", **settings)
    assert "60 examples, 2 updates of 32" in printed
    assert "baseline accuracy" in printed and "±" in printed
    for seed in ("1", "2"):
        out = checkpoint.parent / "pawsx" / seed
        assert {"checkpoint_best.pt", "checkpoint_last.pt", "test.json"} <= {*os.listdir(out)}
        assert (out / "predictions" / "pawsx" / "test-de.tsv").read_text().count("\n") == 60
